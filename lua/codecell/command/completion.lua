--- `codecell completion`: what shells complete on the command line.
---
--- The shells ask `codecell completion --words` what the last word may become, so that everything
--- is known in one place: the tables of the commands.
local command = require "codecell.command"
local core = require "codecell.core"
local help = require "codecell.command.help"

local completion = {
  summary = "print what makes bash, zsh or fish complete the words of codecell",
  usage = "codecell completion bash | zsh | fish",
  description = "Prints a script for a shell. For bash, in ~/.bashrc:\n\n"
    .. "  eval \"$(codecell completion bash)\"\n\n"
    .. "for zsh the same in ~/.zshrc, below compinit; for fish, in ~/.config/fish/config.fish:\n\n"
    .. "  codecell completion fish | source\n\n"
    .. "It completes commands, options, languages, templates, snapshots, ids of sandboxes and\n"
    .. "files, by asking codecell. With --words, which the scripts type, it prints what the last\n"
    .. "of the words may become, a line each, a tab and an explanation behind; \":files\" alone\n"
    .. "stands for the names of files.\n",
  takes = "shell",
  example = "codecell completion bash > /etc/bash_completion.d/codecell",
  options = {
    { name = "words", help = "print what the last of the words behind -- may become" },
  },
}

local SCRIPTS = {
  bash = [=[
_codecell() {
  local IFS=$'\n' line words=()
  local current=${COMP_WORDS[COMP_CWORD]}
  [ "$current" = "=" ] && current=""
  COMPREPLY=()
  while read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o default 2>/dev/null
      return
    fi
    words+=("${line%%$'\t'*}")
  done < <("${COMP_WORDS[0]}" completion --words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=("${words[@]}")
}
complete -F _codecell codecell
]=],
  zsh = [=[
_codecell() {
  local line
  local -a found
  local asked=$("${words[1]}" completion --words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  for line in "${(@f)asked}"; do
    if [[ $line == ":files" ]]; then
      _files
      return
    fi
    [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  _describe codecell found
}
compdef _codecell codecell
]=],
  fish = [=[
function __codecell_words
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] completion --words -- $words[2..-1] 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      printf '%s\n' $line
    end
  end
end
complete -c codecell -f -a '(__codecell_words)'
]=],
}

local FILES = ":files"

-- ---- what words there are, by what is asked for ----

local lists = {}

function lists.command()
  local found = {}
  for i, one in ipairs(command.all()) do
    found[i] = { one.name, one.summary }
  end
  return found
end

function lists.language()
  local found = {}
  for _, one in ipairs(require("codecell.languages").list()) do
    if one.available then
      found[#found + 1] = { one.name, one.sort }
    end
  end
  return found
end

function lists.sandbox()
  local found = {}
  for _, one in ipairs(core.sandboxes("mine") or {}) do
    found[#found + 1] = { one.id, "process " .. one.pid }
  end
  local keeper = require "codecell.command.keeper"
  local client = keeper.find()
  for _, one in ipairs(client and keeper.ask(client, "GET", "sandboxes") or {}) do
    found[#found + 1] = { one.name, one.id }
  end
  if client then
    client:close()
  end
  return found
end

function lists.template()
  local found = {}
  for _, one in ipairs(require("codecell.template").list() or {}) do
    found[#found + 1] = { one.name, one.description or "" }
  end
  return found
end

function lists.snapshot()
  local found = {}
  for _, one in ipairs(require("codecell.snapshot").list() or {}) do
    found[#found + 1] = { one.id, one.name or "" }
  end
  return found
end

lists["error"] = function()
  local found = {}
  for _, one in ipairs(require("codecell.errors.kinds").list) do
    found[#found + 1] = { one.kind, one.meaning }
  end
  return found
end

local function fixed(words)
  local found = {}
  for i, word in ipairs(words) do
    found[i] = { word, "" }
  end
  return function()
    return found
  end
end

lists.shell = fixed({ "bash", "zsh", "fish" })
lists.network = fixed({ "none", "open" })
lists.packages = fixed({ "none", "all" })
lists.backend = fixed({ "local", "e2b", "mock" })
lists.mode = fixed({ "local", "production", "mock" })

-- What the value of an option is, by the word that its help has for it.
local OF_VALUE = {
  ["ANSWER.md"] = "file", BACKEND = "backend", DIR = "file", FILE = "file", FOLDER = "file",
  HOST = "file", KIND = "error", LANGUAGE = "language", MODE = "mode", MOUNT = "file",
  NETWORK = "network", PACKAGES = "packages", PATH = "file", SNAPSHOT = "snapshot",
  TEMPLATE = "template",
}

local function of_kind(kind)
  if kind == "file" then
    return FILES
  end
  return kind and lists[kind] and lists[kind]() or {}
end

local function of_value(option)
  if option.choices then
    return fixed(option.choices)()
  end
  return of_kind(OF_VALUE[option.value])
end

local function option_of(found, word)
  for _, option in ipairs(help.options(found)) do
    if word == "--" .. option.name or option.short and word == "-" .. option.short then
      return option
    end
  end
end

local function options_of(found)
  local words = {}
  for _, option in ipairs(help.options(found)) do
    words[#words + 1] = { "--" .. option.name, (option.help:gsub("%s*\n%s*", " ")) }
  end
  return words
end

local function arguments_of(found, arguments)
  if not found.parts then
    return of_kind(found.takes)
  end
  local names = {}
  for i, part in ipairs(found.parts) do
    if arguments[1] == part[1] then
      return of_kind(part[2])
    end
    names[i] = { part[1], "" }
  end
  return arguments[1] and {} or names
end

-- bash breaks "--option=value" in three words, and completes the last of them alone.
local function join(words)
  local joined, is_broken = {}, false
  for i, word in ipairs(words) do
    local before = joined[#joined]
    if word == "=" and before and before:find("^%-%-[^=]+$") then
      joined[#joined], is_broken = before .. "=", i >= #words - 1
    elseif words[i - 1] == "=" and before and before:find("^%-%-[^=]+=$") then
      joined[#joined] = before .. word
    else
      joined[#joined + 1] = word
    end
  end
  return joined, is_broken
end

-- The arguments before the last word, and the option whose value that is.
local function look_back(found, words)
  local arguments, takes = {}, nil
  for i = 2, #words - 1 do
    local option = not takes and option_of(found, words[i])
    if not takes and not option and words[i]:sub(1, 1) ~= "-" then
      arguments[#arguments + 1] = words[i]
    end
    takes = option and option.value and option or nil
  end
  return arguments, takes
end

-- What may stand in the place of the last word, what it begins with already, and what the shell
-- wants before that.
local function candidates(given)
  local words, is_broken = join(given)
  local last = words[#words] or ""
  if #words < 2 then
    return lists.command(), last, ""
  end
  local found = command.find(words[1])
  if not found then
    return words[1] == "help" and lists.command() or {}, last, ""
  end
  local arguments, takes = look_back(found, words)
  if takes then
    return of_value(takes), last, ""
  end
  local name, value = last:match("^(%-%-[^=]+)=(.*)$")
  if name then
    local option = option_of(found, name)
    local values = option and option.value and of_value(option) or {}
    return values, value, is_broken and "" or name .. "="
  elseif last:sub(1, 1) == "-" then
    return options_of(found), last, ""
  end
  return arguments_of(found, arguments), last, ""
end

local function print_words(words)
  local list, last, prefix = candidates(words)
  if list == FILES then
    command.write(FILES, "\n")
    return command.status.success
  end
  for _, one in ipairs(list) do
    if one[1]:sub(1, #last) == last then
      local line = prefix .. one[1] .. "\t" .. one[2]:gsub("%c", " ")
      command.write((line:gsub("\t$", "")), "\n")
    end
  end
  return command.status.success
end

function completion.run(options, arguments)
  if options.words then
    return print_words(arguments)
  end
  local script = SCRIPTS[arguments[1]]
  if not script or arguments[2] then
    return nil, "give one of bash, zsh and fish"
  end
  command.write(script)
  return command.status.success
end

return completion
