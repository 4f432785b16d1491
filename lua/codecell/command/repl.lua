--- `codecell repl`: a session in a sandbox, typed line by line.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local editor = require "codecell.command.repl.editor"
local languages = require "codecell.languages"
local launch = require "codecell.command.launch"
local past = require "codecell.command.repl.past"
local pieces = require "codecell.command.repl.pieces"
local session = require "codecell.command.repl.session"
local show = require "codecell.command.show"

local repl = {
  summary = "type code line by line, in a session in a sandbox",
  usage = "codecell repl [-l LANGUAGE] [OPTIONS]",
  description = "Runs what is typed, piece by piece, in one sandbox: variables stay until its\n"
    .. "end. Code of several lines goes on until it is whole; Tab completes names of the session;\n"
    .. "pictures are drawn where the terminal can. Ctrl-C interrupts code, Ctrl-D ends the\n"
    .. "session; %help lists its own words, such as %lang, %reset and %save. What was typed is\n"
    .. "kept in $XDG_STATE_HOME/codecell/repl_history (~/.local/state), but for lines that begin\n"
    .. "with a blank, and what looks like a secret. From a pipe it runs piece after piece.\n",
  statuses = {
    [0] = "the session was ended",
    [1] = "the last code of a pipe failed",
    [124] = "it ran out of time",
    [137] = "it ran out of memory",
  },
  example = "codecell repl -l javascript --network registry.npmjs.org",
  options = {
    { name = "language", short = "l", value = "LANGUAGE", kind = "name",
      help = "of what is typed (default python)" },
    { name = "timeout", value = "SECONDS", kind = "seconds",
      help = "time for each piece (default: as long as it takes)" },
    { name = "save", value = "DIR", help = "keep pictures as files there" },
  },
}
for _, option in ipairs(launch.options_without("timeout", "changes", "apply")) do
  repl.options[#repl.options + 1] = option
end

local PROMPTS = { python = ">>> ", javascript = "js> ", typescript = "ts> ", bash = "sh> " }

local function prompt_of(language)
  return PROMPTS[language] or language .. "> "
end

-- ---- on a terminal ----

-- What codecell gives to the code is no text for a file.
local function hidden(options)
  local texts = {}
  for i, pair in ipairs(options.env or {}) do
    texts[i] = #pair[2] >= 8 and pair[2] or ""
  end
  return texts
end

local function talk(current, options, reader)
  local history = past.open(hidden(options))
  local typing = editor.new {
    reader = reader, out = current.view.out, past = history,
    complete = function(before)
      return current:complete(before)
    end,
    is_open = function(text)
      return not text:find("^%%%a+") and pieces.is_open(text, current.language)
    end,
    indent = function(text)
      return pieces.indent(text, current.language)
    end,
  }
  current:greet()
  while true do
    local text, why = typing:read(prompt_of(current.language))
    if why == "end" then
      return command.status.success
    elseif text and text:find("%S") then
      history:add(text)
      local is_word, outcome = current:word(text)
      if outcome == "quit" then
        return command.status.success
      elseif not is_word and not current:execute(text, typing) then
        return current.status
      end
    end
  end
end

local function on_terminal(current, options)
  local reader, err = core.reader(codecell.reactor(), 0)
  local terminal
  if reader then
    terminal, err = core.terminal(codecell.reactor(), 0, true)
  end
  if not terminal then
    return launch.fail("repl", err)
  end
  local status = talk(current, options, reader)
  terminal:close()
  reader:close()
  return status
end

-- ---- from a pipe ----

-- Whether a line begins a new piece behind a suite that only an empty line would end.
local function begins(text, line, language)
  return language == "python" and not pieces.goes_on(line)
    and not pieces.is_open(text .. "\n", language)
end

local function from_pipe(current)
  local text
  local function flush()
    local whole = text
    text = nil
    if not whole or not whole:find("%S") then
      return true
    end
    local is_word, outcome = current:word(whole)
    if is_word then
      return outcome ~= "quit"
    end
    return current:execute(whole)
  end
  local line, problem = io.stdin:read "*l"
  while line do
    if text and begins(text, line, current.language) and not flush() then
      return current.status
    end
    text = text and text .. "\n" .. line or line
    if not pieces.is_open(text, current.language) and not flush() then
      return current.status
    end
    line, problem = io.stdin:read "*l"
  end
  flush()
  if problem then
    command.abort("cannot read standard input: " .. problem)
  end
  return current.status
end

function repl.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments; 'codecell run FILE' runs a file"
  end
  local way, problem = languages.find(options.language or "python")
  if not way then
    return nil, tostring(problem)
  elseif options.save then
    local ok, message = show.check_folder("--save", options.save)
    if not ok then
      return nil, message
    end
  end
  options.language = way.name
  local sandbox, status, message = launch.create("repl", options, launch.day)
  if not sandbox then
    return status, message
  end
  local current = session.new(sandbox, options)
  -- A dumb terminal obeys nothing that an editor of lines would say to it.
  if core.isatty(0) and core.isatty(1) and os.getenv "TERM" ~= "dumb" then
    status = on_terminal(current, options)
  else
    status = from_pipe(current)
  end
  sandbox:close()
  return status
end

return repl
