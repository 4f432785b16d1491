--- A look at code before it is run: what it imports, whether that is there and may be had, whether
--- it can be parsed, and calls that are worth a second look.
---
---     local found = codecell.assert(codecell.analyze("import panda"))
---     print(found.imports[1], found.missing[1].suggestion)       --> panda	pandas
---
--- Nothing of the code is run: parsers look at it, inside a sandbox. This saves a round that would
--- fail. It is advice and no boundary: code that wants to hide a call can, and what holds it is the
--- sandbox.
local create = require "codecell.create"
local errors = require "codecell.errors"
local json = require "codecell.json"
local languages = require "codecell.languages"
local missing = require "codecell.analyze.missing"
local options = require "codecell.options"
local risks = require "codecell.analyze.risks"

local analyze = {}

---@class codecell.Analysis
---@field language string
---@field imports string[] modules or packages, in the order of the code, each once
---@field missing codecell.MissingImport[] those of them that are not there
---@field errors codecell.AnalysisNote[] why it cannot be parsed
---@field warnings codecell.AnalysisNote[] what is worth a second look
---@field is_complete boolean false: it ends in the middle of something, and more of it may mend it

---@class codecell.AnalysisNote
---@field message string
---@field line? integer
---@field column? integer
---@field call? string what is warned of: "os.system"

---@class codecell.MissingImport
---@field name string as the code has it
---@field line? integer
---@field package? string that has it in the index, where that is known
---@field suggestion? string what was probably meant, where the name is not known
---@field is_installed boolean what was probably meant is there
---@field is_allowed boolean `install` may have the package
---@field is_optional? boolean the code goes on without it
---@field message string what to do, in a sentence

local CODE_MOST = 8 * 2 ^ 20 -- bytes
local SUGGESTED_MOST = 10 -- imports that are compared with all that is installed

-- By languages; every other one is told as unsupported.
local LOOKS = {
  bash = "codecell.analyze.others", c = "codecell.analyze.others",
  cpp = "codecell.analyze.others", javascript = "codecell.analyze.javascript",
  lua = "codecell.analyze.lua_code", php = "codecell.analyze.others",
  python = "codecell.analyze.python", ruby = "codecell.analyze.others",
  typescript = "codecell.analyze.javascript",
}

local OPTIONS = {
  create = { type = "table" },
  sandbox = { type = "either", expected = "sandbox",
    rules = { table = { type = "table" }, userdata = { type = "userdata" } } },
}

local function look(sandbox, code, language, way)
  local found, err = require(LOOKS[language]).look(sandbox, code, language, way)
  if not found then
    return nil, err
  end
  for _, note in ipairs(risks.look(language, code, found.imports)) do
    table.insert(found.warnings, note)
  end
  local analysis = { language = language, imports = json.list(), missing = json.list(),
    errors = json.list(found.errors), warnings = json.list(found.warnings),
    is_complete = not found.is_unfinished }
  for i, import in ipairs(found.imports) do
    analysis.imports[i] = import.name
    if import.is_missing then
      table.insert(analysis.missing, missing.describe(sandbox, found.manager, import,
        #analysis.missing < SUGGESTED_MOST and found.installed or {}))
    end
  end
  return analysis
end

-- How the language is looked at; nil, err: it is not known, not here, or cannot be.
local function way_of(name, sandbox)
  local language, err = languages.find(name)
  if not language then
    return nil, err
  elseif not LOOKS[language.name] then
    return nil, errors.new("unsupported", ("analyze: there is no parser for %s that runs nothing "
      .. "of the code; run it in a sandbox of its own"):format(language.name))
  end
  if sandbox and sandbox.backend == "mock" then
    return nil, errors.unsupported("analyze", "mock", "nothing runs there, no parser either")
  elseif sandbox and sandbox.backend ~= "local" then -- what is there is found by its name
    return { name = language.name, program = language.programs[1], language = language }
  end
  return languages.way(name, true, sandbox and sandbox._root)
end

--- Look at code without running it. Python, JavaScript, TypeScript, Lua, bash, C, C++, Ruby and
--- PHP; imports are known of the first four, C and C++.
---@param code string
---@param language string? default "python"
---@param given {sandbox: codecell.Sandbox?, create: table?}? whose programs and packages count, and
---which packages may be had; default: a sandbox that is made for it by these options, and ended
---@return codecell.Analysis? analysis
---@return codecell.Error? err kinds "unsupported" (the language), "invalid_argument" (unknown
---language, too much code), and those of `create` and of commands
function analyze.analyze(code, language, given)
  options.argument("analyze", "code", code, "data")
  if language ~= nil then
    options.argument("analyze", "language", language, "name")
  end
  given = options.check("analyze", given, OPTIONS)
  if #code > CODE_MOST then
    return nil, errors.new("invalid_argument", ("analyze: the code has %d bytes, more than %d; "
      .. "give less of it"):format(#code, CODE_MOST))
  end
  local sandbox = given.sandbox and given.sandbox:_itself() -- nothing runs that needs a permit
  local way, err = way_of(language or "python", sandbox)
  if way and not sandbox then
    sandbox, err = create.create(given.create or {})
  end
  if not way or not sandbox then
    return nil, err
  end
  local analysis
  analysis, err = look(sandbox, code, way.name, way)
  if not given.sandbox then
    sandbox:close()
  end
  return analysis, err
end

return analyze
