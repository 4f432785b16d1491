--- codecell.interpret: a model's answer in, what its code did out.
local blocks = require "codecell.agent.blocks"
local create = require "codecell.create"
local languages = require "codecell.languages"
local options = require "codecell.options"
local wait = require "codecell.wait"

local interpret = {}

--- What blocks.scan asks of each language that it meets, for code that runs on this machine.
---@param name string
---@return boolean runs
---@return string? why
function interpret.can_run(name)
  local program, err = languages.program(name)
  return program ~= nil, err and err.message
end

--- Run the blocks that can be, in their order.
---@param sandbox codecell.Sandbox
---@param found codecell.Block[]
---@param begin fun(block: codecell.Block, number: integer): table options of its run_code
---@param finish fun(execution: codecell.Execution, block: codecell.Block)
---@param stops_at fun(execution: codecell.Execution): boolean whether the next ones are left out
---@return codecell.Execution? last nil where there was none, and on failure
---@return codecell.Error? err the block was not run, or nobody knows
function interpret.each(sandbox, found, begin, finish, stops_at)
  local execution, err
  for i, block in ipairs(found) do
    if block.runnable then
      local how = begin(block, i)
      how.language = block.language
      execution, err = sandbox:run_code(block.code, how)
      if not execution then
        return nil, err
      end
      finish(execution, block)
      if stops_at(execution) then
        break
      end
    end
  end
  return execution
end

local GIVEN = {
  create = { type = "table" },
  on_error = { type = "function" },
  on_result = { type = "function" },
  on_stderr = { type = "function" },
  on_stdout = { type = "function" },
  sandbox = { type = "either", expected = "sandbox",
    rules = { table = { type = "table" }, userdata = { type = "userdata" } } },
  timeout = { type = "number", above = 0, most = 86400 },
}
local PASSED = { "on_error", "on_result", "on_stderr", "on_stdout", "timeout" }

--- Whether there is something to run.
---@param found codecell.Block[]
---@return boolean
function interpret.has_code(found)
  for _, block in ipairs(found) do
    if block.runnable then
      return true
    end
  end
  return false
end

local function run(sandbox, given, found)
  local report = { ok = true, blocks = found, executions = {} }
  local function begin()
    local how = {}
    for _, name in ipairs(PASSED) do
      how[name] = given[name]
    end
    return how
  end
  local last, err = interpret.each(sandbox, found, begin, function(execution)
    report.executions[#report.executions + 1] = execution
  end, function(execution)
    return execution.error ~= nil
  end)
  if err then
    return nil, err
  end
  report.ok = not (last and last.error)
  report.error, report.text = last and last.error, last and last.text
  return report
end

--- Run the code blocks of a model's answer in one sandbox, so that later ones see what earlier ones
--- made, until one fails.
---@param text string the answer, Markdown
---@param given table? `sandbox` (that one, which stays), or `create` (options of the one that is
---made for it, and ended after it); `timeout` of a block, `on_stdout on_stderr on_result on_error`
---@return codecell.Interpretation? report
---@return codecell.Error? err the code was not run, or nobody knows
function interpret.interpret(text, given)
  options.argument("interpret", "text", text, "data")
  given = options.check("interpret", given, GIVEN)
  local asked = given.create or {}
  local backend = given.sandbox and given.sandbox.backend or asked.backend or "local"
  local found = blocks.scan(text, { languages = backend == "local" and interpret.can_run or nil })
  local sandbox, err = given.sandbox, nil
  if not interpret.has_code(found) then
    return { ok = true, blocks = found, executions = {} }
  elseif not sandbox then
    sandbox, err = create.create(asked)
  end
  if not sandbox then
    return nil, err
  end
  local ok, report
  ok, report, err = wait.call(run, sandbox, given, found)
  if not given.sandbox then
    sandbox:close()
  end
  if not ok then
    error(report, 0) -- of a callback
  end
  return report, err
end

return interpret
