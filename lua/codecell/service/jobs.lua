--- How many pieces of code are run at the same time.
local options = require "codecell.options"
local merged = require "codecell.merged"
local rules = require "codecell.service.rules"
local task = require "codecell.task"
local wait = require "codecell.wait"

local jobs = {}

-- Code and options of each, checked before any of them is run.
local function read(list)
  options.argument("map", "jobs", list, "table", nil, 5)
  local found = {}
  for i, job in ipairs(list) do
    if type(job) ~= "string" and not (type(job) == "table" and type(job.code) == "string") then
      error(("map: jobs[%d]: a string, or a table with code, expected"):format(i), 4)
    end
    local about = type(job) == "table" and merged(job) or {}
    local code = about.code or job
    about.code = nil
    options.check(("map: jobs[%d]"):format(i), about, rules.execute, 5)
    found[i] = { code = code, about = about }
  end
  return found
end

-- One after the other, until none is left; others take theirs meanwhile.
local function work(service, list, state)
  while state.taken < #list do
    state.taken = state.taken + 1
    local mine = state.taken
    local reply, err = service:execute(list[mine].code, list[mine].about)
    state.outcomes[mine] = { reply = reply, err = err }
  end
end

-- Who waits was cancelled: what runs has to end, what was not begun does not begin.
local function give_up(list, state, workers, err)
  state.taken = #list
  for _, worker in ipairs(workers) do
    worker:cancel()
  end
  local outcomes = {}
  for i = 1, #list do
    outcomes[i] = state.outcomes[i] or { err = err }
  end
  return outcomes
end

--- See `Service:map`.
---@param service codecell.Service
---@param list table[]
---@param given table?
---@return table[] outcomes
function jobs.run(service, list, given)
  list = read(list)
  given = options.check("map", given, { concurrency = { type = "integer", least = 1,
    most = 10000 } }, 4)
  local at_once = given.concurrency or service.config.max_concurrent_executions
  local state, workers = { taken = 0, outcomes = {} }, {}
  for i = 1, math.min(at_once, #list) do
    workers[i] = task.async(work, service, list, state)
  end
  for _, worker in ipairs(workers) do
    worker:wait()
  end
  local refusal = wait.refusal("map")
  return refusal and give_up(list, state, workers, refusal) or state.outcomes
end

return jobs
