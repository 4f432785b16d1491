--- What came of an attack. Nothing is believed that was not reported: an attack that says nothing
--- has not been stopped, and what the victim alone knows must not come out.
local program = require "codecell.command.prove.program"

local judge = {}

---@class codecell.ProvedAttack
---@field name string
---@field group string
---@field tried string
---@field status "ok"|"failed"|"skipped"
---@field by string what has stopped it, or why it was skipped, or what got through
---@field tries {name: string, outcome: string}[]

local LIMIT_BY = {
  cgroup2 = "control group", cgroup1 = "control group", rlimit = "resource limit (setrlimit)",
  watchdog = "watchdog of the host (memory of processes only)", tmpfs = "size of its file systems",
  host = "the host, which keeps no more",
}

-- The mechanism that keeps a limit on this machine, and nil where none does.
local function mechanism(attack, limits)
  local limit = attack.limit and limits[attack.limit]
  return limit and LIMIT_BY[limit.by], limit and limit.by
end

local function row(attack, status, by, tries)
  return { name = attack.name, group = attack.group, tried = attack.tried, status = status, by = by,
    tries = tries or {} }
end

--- An attack that could not be tried here.
---@param attack table
---@param why string
---@return codecell.ProvedAttack
function judge.skipped(attack, why)
  return row(attack, "skipped", why)
end

--- An attack that was made, or has come to nothing.
---@param attack table
---@param why string
---@return codecell.ProvedAttack
function judge.failed(attack, why)
  return row(attack, "failed", why)
end

-- "EPERM, ENOSYS: the filter; ENOENT: ..." in the order in which they came.
local function explain(tries, blocked, limit)
  local order, outcomes = {}, {}
  for _, try in ipairs(tries) do
    local by = blocked[try.outcome]
    by = by == true and limit or by
    if not outcomes[by] then
      order[#order + 1] = by
      outcomes[by] = { seen = {} }
    end
    local list = outcomes[by]
    if not list.seen[try.outcome] then
      list.seen[try.outcome] = true
      list[#list + 1] = try.outcome
    end
  end
  for i, by in ipairs(order) do
    order[i] = table.concat(outcomes[by], ", ") .. ": " .. by
  end
  return table.concat(order, "; ")
end

local function brief(text)
  return (text:gsub("%s+$", ""):match "[^\n]*$" or ""):sub(1, 120)
end

-- A program that a signal has ended reported nothing of it itself.
local function all_tries(attack, result, about)
  local tries = program.outcomes(result.stdout)
  if result.signal and result.signal == attack.signal then
    tries[#tries + 1] = { name = "ended", outcome = result.signal }
  end
  for _, try in ipairs(attack.look and attack.look(result, about) or {}) do
    tries[#tries + 1] = try
  end
  return tries
end

--- What came of it.
---@param attack table
---@param result codecell.CommandResult
---@param about table `token` that only the victim knows, `limits` of the sandbox
---@return codecell.ProvedAttack
function judge.of(attack, result, about)
  local limit, kept_by = mechanism(attack, about.limits or {})
  local tries = all_tries(attack, result, about)
  if (result.stdout .. result.stderr):find(about.token, 1, true) then
    return row(attack, "failed", "what only the host knows came out", tries)
  elseif not tries[1] then
    return row(attack, "failed", "it reported nothing: " .. brief(result.stderr), tries)
  elseif attack.limit and not limit then
    return row(attack, "skipped", ("nothing keeps the limit of %s here (%s); see 'codecell doctor'")
      :format(attack.limit, tostring(kept_by)), tries)
  end
  local through = {}
  for _, try in ipairs(tries) do
    if not attack.blocked[try.outcome] then
      through[#through + 1] = try.name .. " " .. try.outcome
    end
  end
  if through[1] then
    local more = #through > 3 and (" and %d more"):format(#through - 3) or ""
    return row(attack, "failed", "got through: " .. table.concat(through, ", ", 1,
      math.min(3, #through)) .. more, tries)
  end
  return row(attack, "ok", explain(tries, attack.blocked, limit), tries)
end

return judge
