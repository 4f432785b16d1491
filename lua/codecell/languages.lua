--- The languages that code can be in, and the interpreters that run them.
local core = require "codecell.core"
local errors = require "codecell.errors"
local nearest = require "codecell.nearest"
local options = require "codecell.options"

local languages = {}

-- Never by the host's PATH: what runs must not depend on who calls.
local FOLDERS = { "/usr/bin/", "/bin/", "/usr/local/bin/" }
-- What every sandbox sees of the host at the same path.
local SHARED = { "/usr/", "/bin/", "/lib/", "/lib64/" }

local known = {}
local by_alias = {}
local chosen = {} -- by setup: name -> path of the program

local RULES = {
  name = { type = "name" },
  aliases = { type = "strings" },
  extensions = { type = "strings" },
  programs = { type = "strings", least = 1 },
  arguments = { type = "function" },
  parts = { type = "name" },
  variable = { type = "name" },
  hint = { type = "name" },
  wire = { type = "choice", choices = { "pipes" } },
}

--- Add a language, or replace one.
---@param language table `name`, `programs` (names of its interpreters), `arguments` (function: path
---of the interpreter -> argv of a kernel), and optional `aliases`, `extensions`, `variable` (of the
---environment, which names another interpreter), `hint` (how to get it), `parts` (prefix of the
---embedded files that the kernel is sent first), `wire` ("pipes" where the interpreter cannot use a
---socket that it has inherited: descriptor 3 to read and 4 to write, to be opened by path)
function languages.register(language)
  options.check("languages.register", language, RULES)
  options.argument("languages.register", "name", language.name, "name")
  options.argument("languages.register", "programs", language.programs, "strings")
  known[language.name] = language
  by_alias[language.name] = language.name
  for _, alias in ipairs(language.aliases or {}) do
    by_alias[alias] = language.name
  end
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

local function named_program(language)
  return chosen[language.name] or language.variable and os.getenv(language.variable) or nil
end

--- Choose interpreters, as `codecell.setup{languages =}` does.
---@param programs table<string, {program: string}>
function languages.choose(programs)
  for name, choice in pairs(programs) do
    chosen[by_alias[name] or name] = choice.program
  end
end

local function names()
  local list = {}
  for name in pairs(known) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

--- What is known of a language.
---@param name string or an alias of it
---@return table? language
---@return codecell.Error? err kind "invalid_argument"
function languages.find(name)
  local language = known[by_alias[name]]
  if language then
    return language
  end
  local all = names()
  local near = nearest(name, all)
  return nil, errors.new("invalid_argument", ("unknown language %q; %s"):format(name,
    near and ("did you mean %q?"):format(near) or "known are " .. table.concat(all, ", ")))
end

local function is_shared(path)
  for _, folder in ipairs(SHARED) do
    if path:sub(1, #folder) == folder then
      return true
    end
  end
  return false
end

-- Below these a sandbox has something of its own.
local HIDDEN = { "/dev/", "/home/user/", "/proc/", "/sys/", "/tmp/", "/var/tmp/" }
-- Folders that hold more than an interpreter: to see one, a sandbox would see all of it.
local WIDE = { "/", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var" }

-- The folder outside the system's that an interpreter needs, "" for none; nil when that folder
-- holds the home of the user, is one of those that hold everything, or would not be seen.
local function prefix_of(path)
  if is_shared(path) then
    return ""
  end
  local prefix = path:match("^(/.+)/[^/]+/[^/]+$") or "/"
  for _, folder in ipairs(WIDE) do
    if prefix == folder then
      return nil
    end
  end
  for _, folder in ipairs(HIDDEN) do
    if prefix:sub(1, #folder) == folder then
      return nil
    end
  end
  local home = (os.getenv("HOME") or ""):gsub("/+$", "")
  if (home .. "/"):sub(1, #prefix + 1) == prefix .. "/" or prefix == home .. "/.local" then
    return nil
  end
  return prefix
end

--- The interpreter of a language.
---@param name string
---@return string? path
---@return codecell.Error? err kinds "invalid_argument" and "unsupported", with a hint
function languages.program(name)
  local language, err = languages.find(name)
  if not language then
    return nil, err
  end
  local path = named_program(language)
  if path then
    if path:sub(1, 1) == "/" and exists(path) then
      if prefix_of(path) then
        return path
      end
      return nil, errors.new("unsupported",
        ("%s: a sandbox cannot be given the folder two above %s"):format(language.name, path),
        "install the interpreter, or make a virtual environment, in a folder of its own, not in "
          .. "/tmp")
    end
    return nil, errors.new("unsupported",
      ("%s: there is no interpreter at %s, which %s names"):format(language.name, path,
        chosen[language.name] and "setup" or language.variable), "give an absolute path to one")
  end
  for _, folder in ipairs(FOLDERS) do
    for _, program in ipairs(language.programs) do
      if exists(folder .. program) then
        return folder .. program
      end
    end
  end
  local hint = language.hint or ("install %s"):format(language.name)
  return nil, errors.new("unsupported",
    ("%s: no %s in %s; %s"):format(language.name, table.concat(language.programs, " or "),
      table.concat(FOLDERS, " "), hint), hint)
end

--- The folders outside the system's that chosen interpreters live in: a sandbox must see them.
---@return string[] prefixes
function languages.prefixes()
  local list = {}
  for _, name in ipairs(names()) do
    local path = named_program(known[name])
    local prefix = path and prefix_of(path)
    if prefix and prefix ~= "" and exists(path) then
      list[#list + 1] = prefix
    end
  end
  return list
end

--- All languages, and whether this machine has them.
---@return {name: string, available: boolean, program: string?, reason: string?,
---extensions: string[]}[]
function languages.list()
  local list = {}
  for i, name in ipairs(names()) do
    local program, err = languages.program(name)
    list[i] = {
      name = name,
      available = program ~= nil,
      program = program,
      reason = err and err.message,
      extensions = known[name].extensions or {},
    }
  end
  return list
end

languages.register({
  name = "python",
  aliases = { "py", "python3" },
  extensions = { "py" },
  programs = { "python3" },
  variable = "CODECELL_PYTHON",
  hint = "install python3, or name an interpreter with CODECELL_PYTHON",
  parts = "python",
  arguments = function(program)
    return { program, "-I", "-S", "-c", core.kernel("python.boot") }
  end,
})

return languages
