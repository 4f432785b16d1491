--- The languages that code can be in, and the interpreters that run them.
---
--- There are three sorts. A *session* keeps its variables from one cell to the next, and so does a
--- *jupyter* one, which is a Jupyter kernel of this machine. A language of the sort *once* is
--- compiled and run from the beginning each time: of its runs only files stay.
local errors = require "codecell.errors"
local interpreters = require "codecell.languages.interpreters"
local nearest = require "codecell.nearest"
local options = require "codecell.options"
local sorted = require "codecell.sorted"

local languages = {}

local known = {}
local by_alias = {}
local chosen = {} -- by setup: name -> path of the program
local versions = {} -- by name: what an interpreter that was started said
local available, available_at -- names, and when they were looked for
local generation = 0 -- raised at each change of what a language is

local RULES = {
  name = { type = "name" },
  aliases = { type = "strings" },
  arguments = { type = "function" },
  check = { type = "function" },
  compile = { type = "strings", least = 1 },
  envs = { type = "envs" },
  extensions = { type = "strings" },
  final_answer = { type = "boolean" },
  folders = { type = "strings" },
  hint = { type = "name" },
  jupyter = { type = "name" },
  out_of_memory = { type = "strings" },
  parts = { type = "name" },
  place = { type = "choice", choices = { "first", "last" } },
  prepare = { type = "function" },
  programs = { type = "strings", least = 1 },
  run = { type = "strings", least = 1 },
  source = { type = "either", expected = "name or function",
    rules = { string = { type = "name" }, ["function"] = { type = "function" } } },
  variable = { type = "name" },
  whole = { type = "name" },
}

-- ---- registering ----

-- As E2B reads the names of languages: " JS " is "js".
local function plain(name)
  return (name:lower():gsub("^%s+", ""):gsub("%s+$", ""))
end

local NAME = "^[%l%d][%w+#._-]*$"
local PLACES = { folder = true, memory = true, name = true, output = true, program = true,
  source = true }
local WRONG = "languages.register: %s of %q: %s"

local function check_places(language, field)
  for _, word in ipairs(language[field] or {}) do
    for place in word:gmatch("{(%a+)}") do
      if not PLACES[place] then
        local near = nearest(place, sorted(PLACES))
        error(WRONG:format(field, language.name, ("there is no {%s}; did you mean {%s}?")
          :format(place, near or "source")), 4)
      end
    end
  end
end

-- What the types of the fields do not say.
local function check_language(language)
  local name = language.name
  if not name:find(NAME) or name ~= plain(name) then
    error(("languages.register: name: lower-case letters and digits expected, got %q")
      :format(name), 3)
  end
  for i, alias in ipairs(language.aliases or {}) do
    if known[plain(alias)] and plain(alias) ~= name then
      error(WRONG:format(("aliases[%d]"):format(i), name,
        ("%q is a language itself; choose another alias"):format(alias)), 3)
    end
  end
  local once = language.run or language.compile
  if language.arguments and once then
    error(WRONG:format("arguments", name, "a kernel keeps a session, `run` runs it once: "
      .. "give one of them"), 3)
  elseif not language.arguments and not once and not language.jupyter then
    error(WRONG:format("run", name, 'missing; say how its code is run: run = {"{program}", '
      .. '"{source}"}, or compile = {"{program}", "-o", "{output}", "{source}"}'), 3)
  elseif not language.programs and (language.arguments or once) then
    error(WRONG:format("programs", name, ("missing; name its interpreters, for instance {%q}")
      :format(name)), 3)
  end
  check_places(language, "run")
  check_places(language, "compile")
end

local function forget(name)
  for alias, owner in pairs(by_alias) do
    if owner == name then
      by_alias[alias] = nil
    end
  end
end

--- Add a language, or replace one.
---
---     codecell.languages.register({
---       name = "awk", extensions = { "awk" }, programs = { "gawk", "awk" },
---       run = { "{program}", "-f", "{source}" },
---     })
---@param language table `name`, `programs` (names of its interpreters or compilers, looked for in
---/usr/bin, /bin, /usr/local/bin, and in `folders`: a sandbox sees the folder above such a one),
---and one of: `run` (argv of one run) with or without `compile` (argv before it; `run` is then
---{"{output}"}); `arguments` (function: path of the interpreter -> argv of a kernel); `jupyter`
---(name of a kernelspec). In `run` and `compile` stand {program}, {source} (the file with the
---code), {folder} (private, with the source in it), {output} (an executable to make there), {name}
---(the source without its extension), {memory} (MiB, half of the sandbox's). Optional: `aliases`,
---`extensions`, `variable` (of the environment, which names another interpreter), `hint` (how to
---get it), `envs` (of the compiler, without one of the interpreter), `source` (name of the file),
---`prepare` (function: code -> what is written there), `whole` (a word that every program has),
---`place` ("first", "last": which of the places in the source that it prints when it fails is the
---error's), `check` (function: path of the interpreter -> true, or nil, why it will not do, how to
---mend it), `parts` (prefix of the embedded files that a kernel is sent first), `out_of_memory`
---(texts: a kernel that ends itself for want of memory prints one of them), `final_answer` (true:
---its kernel knows that part of a cell)
function languages.register(language)
  options.argument("languages.register", "language", language, "table")
  options.check("languages.register", language, RULES)
  options.argument("languages.register", "name", language.name, "name")
  check_language(language)
  local copy = {}
  for field, value in pairs(language) do
    copy[field] = value
  end
  copy.aliases, copy.extensions, copy.folders = {}, {}, {}
  for i, alias in ipairs(language.aliases or {}) do
    copy.aliases[i] = plain(alias)
  end
  for i, extension in ipairs(language.extensions or {}) do
    copy.extensions[i] = (plain(extension):gsub("^%.", ""))
  end
  for i, folder in ipairs(language.folders or {}) do
    copy.folders[i] = folder:gsub("/*$", "/", 1)
  end
  if copy.compile and not copy.run then
    copy.run = { "{output}" }
  end
  copy.source = copy.source or "main" .. (copy.extensions[1] and "." .. copy.extensions[1] or "")
  forget(copy.name)
  available, generation = nil, generation + 1
  known[copy.name], by_alias[copy.name], versions[copy.name] = copy, copy.name, nil
  for _, alias in ipairs(copy.aliases) do
    by_alias[alias] = copy.name
  end
end

--- Choose interpreters, as `codecell.setup{languages =}` does.
---@param programs table<string, {program: string}>
function languages.choose(programs)
  available, generation = nil, generation + 1
  for name, choice in pairs(programs) do
    chosen[by_alias[plain(name)] or name] = choice.program
  end
end

--- A number that is another one after each `register` and `choose`.
---@return integer
function languages.generation()
  return generation
end

-- ---- finding ----

-- It asks this module for the folders of interpreters.
local function jupyter()
  return require "codecell.languages.jupyter"
end

local NAME_MOST = 64 -- bytes; longer ones are not looked at

local function unknown(name)
  if #name > NAME_MOST then
    return errors.new("invalid_argument", ("unknown language: a name of %d bytes"):format(#name))
  end
  local near = nearest(plain(name), sorted(by_alias))
  return errors.new("invalid_argument", ("unknown language %q; %s"):format(name, near
    and ("did you mean %q?"):format(by_alias[near])
    or "known are " .. table.concat(sorted(known), ", ")))
end

--- What is known of a language.
---@param name string of it, an alias, or of a kernelspec; in capitals too. "" is Python
---@return table? language
---@return codecell.Error? err kind "invalid_argument"
function languages.find(name)
  if #name > NAME_MOST then
    return nil, unknown(name)
  end
  local word = plain(name)
  local language = known[by_alias[word ~= "" and word or "python"]]
  if language then
    return language
  end
  local spec, reason = jupyter().find(word)
  if (spec or reason) and word:find(NAME) then
    languages.register({ name = word, jupyter = word, hint = "install its Jupyter kernel" })
    return known[word]
  end
  return nil, unknown(name)
end

-- Kernels of this machine whose language is none of those that are known.
local function find_others()
  for _, spec in ipairs(jupyter().list()) do
    if not by_alias[spec.name] and not by_alias[spec.language] then
      languages.find(spec.language:find(NAME) and spec.language or spec.name)
    end
  end
end

--- The language of a file, by its name.
---@param path string
---@return string? name
function languages.of_file(path)
  local extension = path:match("%.([%w+_-]+)$")
  for _, name in ipairs(extension and sorted(known) or {}) do
    for _, one in ipairs(known[name].extensions) do
      if one == extension:lower() then
        return name
      end
    end
  end
end

--- The language of a program, by its first line: "#!/usr/bin/env python3".
---@param code string
---@return string? name
function languages.of_code(code)
  local line = code:match("^#!%s*([^\r\n]*)")
  for word in (line or ""):gmatch("%S+") do
    local program = word:match("([^/]+)$") or ""
    local name = by_alias[program] or by_alias[program:match("^%a+") or ""]
    if name then
      return name
    end
  end
end

local function named_program(language)
  return chosen[language.name] or language.variable and os.getenv(language.variable) or nil
end

local function check_seen(language, path)
  if interpreters.prefix(path) then
    return path
  end
  return nil, errors.new("unsupported",
    ("%s: a sandbox cannot be given the folder two above %s"):format(language.name, path),
    "install the interpreter, or make a virtual environment, in a folder of its own, not in /tmp")
end

-- The interpreter that setup or a variable names.
local function check_named(language, path)
  if path:sub(1, 1) ~= "/" or not interpreters.exists(path) then
    return nil, errors.new("unsupported",
      ("%s: there is no interpreter at %s, which %s names"):format(language.name, path,
        chosen[language.name] and "setup" or language.variable), "give an absolute path to one")
  end
  return check_seen(language, path)
end

-- What a template has does not depend on what was chosen for this machine.
local function find_in(language, root)
  local path = language.programs and interpreters.find(language.programs, nil, root)
  if path then
    return path
  end
  return nil, errors.new("unsupported", ("%s: no %s in %s of the template %s"):format(
    language.name, language.programs and table.concat(language.programs, " or ")
      or ("Jupyter kernel %s"):format(language.jupyter),
    table.concat(interpreters.folders, " "), root),
    "use a template that has it, or none: then the programs are those of this machine")
end

local function find_program(language)
  local path = named_program(language)
  if path then
    return check_named(language, path)
  end
  path = language.programs and interpreters.find(language.programs, language.folders)
  if path then
    return check_seen(language, path)
  end
  local hint = language.hint or ("install %s"):format(language.name)
  local wanted = language.programs and table.concat(language.programs, " or ")
    or ("Jupyter kernel %s"):format(language.jupyter)
  return nil, errors.new("unsupported", ("%s: no %s in %s; %s"):format(language.name, wanted,
    language.programs and table.concat(interpreters.folders, " ") or "this machine", hint), hint)
end

--- How a language runs here and now.
---@param name string
---@param unchecked boolean? leave out `check`: a kernel that is started says itself what it lacks
---@param root string? the folder of a template that has its own programs
---@return {name: string, sort: string, program: string, language: table}? way with what a kernel
---is started by: `arguments parts`
---@return codecell.Error? err kinds "invalid_argument" and "unsupported", with a hint
---@return string? sort of the language, whether it is available or not
function languages.way(name, unchecked, root)
  local language, err = languages.find(name)
  if not language then
    return nil, err
  end
  local spec, reason, hint
  if language.jupyter and not root then
    spec, reason, hint = jupyter().find(language.jupyter)
  end
  if spec then
    return { name = language.name, sort = "jupyter", program = spec.program, language = language,
      arguments = spec.arguments, parts = spec.parts }, nil, "jupyter"
  end
  local sort = language.run and "once" or language.jupyter and "jupyter" or "session"
  if sort == "jupyter" and reason then
    return nil, errors.new("unsupported", ("%s: %s"):format(language.name, reason), hint), sort
  end
  local program
  if root then
    program, err = find_in(language, root)
  else
    program, err = find_program(language)
  end
  if program and language.check and not root and not (unchecked and language.arguments) then
    local ok
    ok, reason, hint = language.check(program)
    if not ok then
      program, err = nil, errors.new("unsupported", ("%s: %s"):format(language.name, reason), hint)
    end
  end
  if not program then
    return nil, err, sort
  end
  return { name = language.name, sort = sort, program = program, language = language,
    arguments = language.arguments, parts = language.parts }, nil, sort
end

--- The interpreter of a language.
---@param name string
---@return string? path
---@return codecell.Error? err kinds "invalid_argument" and "unsupported", with a hint
function languages.program(name)
  local way, err = languages.way(name)
  if not way then
    return nil, err
  end
  return way.program
end

--- Note the version that a started interpreter says it has.
---@param name string
---@param version string
function languages.note_version(name, version)
  versions[name] = version
end

--- The folders outside the system's that interpreters live in: a sandbox must see them.
---@return string[] prefixes
function languages.prefixes()
  local list, seen = {}, {}
  for _, name in ipairs(sorted(known)) do
    local language = known[name]
    local path = named_program(language)
      or language.folders[1] and interpreters.find(language.programs or {}, language.folders)
    local prefix = path and interpreters.prefix(path)
    if prefix and prefix ~= "" and not seen[prefix] and interpreters.exists(path) then
      list[#list + 1], seen[prefix] = prefix, true
    end
  end
  return list
end

--- All languages, and whether this machine has them. Nothing is run to find out.
---@return codecell.Language[]
function languages.list()
  find_others()
  local list = {}
  for i, name in ipairs(sorted(known)) do
    local way, err, sort = languages.way(name)
    list[i] = {
      name = name,
      sort = sort,
      available = way ~= nil,
      program = way and way.program,
      reason = err and err.message,
      hint = err and err.hint,
      version = versions[name],
      aliases = known[name].aliases,
      extensions = known[name].extensions,
    }
  end
  return list
end

local function available_in(root)
  local names = {}
  for _, name in ipairs(sorted(known)) do
    names[#names + 1] = languages.way(name, true, root) and name or nil
  end
  return names
end

--- The names of those that this machine has, as it was within this second.
---@param root string? the folder of a template: those that it has
---@return string[] names
function languages.available(root)
  if root then
    return available_in(root)
  end
  local now = os.time()
  if not available or now ~= available_at then
    available, available_at = {}, now
    for _, language in ipairs(languages.list()) do
      available[#available + 1] = language.available and language.name or nil
    end
  end
  local names = {}
  for i, name in ipairs(available) do
    names[i] = name
  end
  return names
end

-- ---- what there is ----

for _, module in ipairs({ "codecell.languages.sessions", "codecell.languages.once" }) do
  for _, language in ipairs(require(module)) do
    languages.register(language)
  end
end

return languages
