--- `codecell bench load`: many sandboxes at once, and what they leave behind.
local codecell = require "codecell"
local core = require "codecell.core"

local LIFETIME = 600 -- seconds
local GONE_WITHIN = 20 -- seconds until nothing is left
local POLL = 0.05

local load = {}

local function now()
  return codecell.reactor():now()
end

local function count_lines(path)
  local count = 0
  for _ in io.lines(path) do
    count = count + 1
  end
  return count
end

-- What a sandbox that is over may not leave: descriptors of this program, and mounts.
local function look()
  return { descriptors = #(core.host_list("/proc/self/fd") or {}),
    mounts = count_lines("/proc/self/mountinfo") }
end

-- How many of our sandboxes live.
local function living(ids)
  local count = 0
  for _, one in ipairs(core.sandboxes() or {}) do
    count = count + (ids[one.id] and 1 or 0)
  end
  return count
end

local function one_life(figures, ids, asked)
  local began = now()
  local sandbox, err = codecell.create({ timeout = LIFETIME, backend = asked.backend })
  if not sandbox then
    return err
  end
  ids[sandbox.id] = true
  local created = now()
  local done, command
  done, err = sandbox:run_code(asked.code, { language = asked.language })
  local answered = now()
  if done and not done.error then
    command, err = sandbox.commands:run("cat > note && cat note", { stdin = "kept" })
  end
  sandbox:close()
  if command and command.stdout == "kept" then
    figures.create[#figures.create + 1] = created - began
    figures.first_cell[#figures.first_cell + 1] = answered - began
    return nil
  end
  return err or done and done.error and done.error.name or "a wrong answer"
end

-- Sandboxes and their stem go by themselves, soon after the last one.
local function left_over(before, ids)
  local deadline = now() + GONE_WITHIN
  while true do
    local after = look()
    local left = { processes = living(ids), descriptors = after.descriptors - before.descriptors,
      mounts = after.mounts - before.mounts }
    local is_clean = left.processes <= 0 and left.descriptors <= 0 and left.mounts <= 0
    if is_clean or now() >= deadline then
      return left
    end
    codecell.step(POLL)
  end
end

--- Have so many sandboxes live at the same time.
---@param count integer
---@param asked {language: string, code: string, backend: string}
---@param summary fun(seconds: number[]): table
---@return table figures count, failed, problem, wall, create, first_cell, left
function load.measure(count, asked, summary)
  codecell.reactor()
  local ids, tasks, unused = {}, {}, look()
  -- What the first one has loaded stays, and is not counted.
  local problem = one_life({ create = {}, first_cell = {} }, {}, asked)
  left_over(unused, {})
  local before = look()
  local figures = { count = count, language = asked.language, failed = 0, create = {},
    first_cell = {}, problem = problem and tostring(problem) }
  local began = now()
  for i = 1, count do
    tasks[i] = codecell.async(one_life, figures, ids, asked)
  end
  for i = 1, count do
    local failure, err = tasks[i]:wait()
    failure = failure or err
    if failure then
      figures.failed, figures.problem = figures.failed + 1, tostring(failure)
    end
  end
  figures.wall = now() - began
  for _, name in ipairs({ "create", "first_cell" }) do
    figures[name] = figures[name][1] and summary(figures[name]) or nil
  end
  figures.left = left_over(before, ids)
  return figures
end

return load
