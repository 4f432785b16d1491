--- The documented lines of the log about code that is run, without keys and secrets.
local keys = require "codecell.keys"
local languages = require "codecell.languages"
local log = require "codecell.log"
local unicode = require "codecell.agent.unicode"

local runs = {}

local PART = "e2b:service"
local SHOWN, VALUE_SHOWN = 100, 1000 -- characters of code, and of an error
local LOOKED_AT = 16384 -- bytes of a text, in which keys and secrets are looked for
local NAMES = { python = "Python", javascript = "JavaScript", typescript = "TypeScript",
  bash = "shell", lua = "Lua" }

-- Hidden before it is cut: a part of a key is no key any more by its shape.
local function shown(sandbox, text, most)
  text = unicode.repair(text:sub(1, LOOKED_AT))
  text = sandbox._mask and sandbox._mask:hide(text) or text
  return unicode.head(keys.hide(text), most)
end

--- Code begins.
---@param sandbox codecell.Sandbox
---@param language string? a name or an alias; nil: python
---@param code string
function runs.start(sandbox, language, code)
  local found = languages.find(language or "python")
  language = found and found.name or language
  log.write("info", PART, ("Executing %s code in E2B sandbox: %s..."):format(
    NAMES[language] or language, shown(sandbox, code, SHOWN)), { event = "run.start",
    sandbox = sandbox.id, language = language, bytes = #code })
end

--- It has ended.
---@param sandbox codecell.Sandbox
---@param execution codecell.Execution
function runs.finish(sandbox, execution)
  local failed = execution.error
  if failed then
    log.write("error", PART, ("Code execution error: %s: %s"):format(failed.name,
      shown(sandbox, failed.value or "", VALUE_SHOWN)),
      { event = "run.end", sandbox = sandbox.id, success = false })
  else
    log.write("info", PART, ("Code execution completed successfully. Sandbox ID: %s"):format(
      sandbox.id), { event = "run.end", sandbox = sandbox.id, success = true })
  end
end

return runs
