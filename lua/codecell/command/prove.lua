--- `codecell doctor --prove`: attacks sandboxes that are made for it, as hostile code would, and
--- says of every attack what has stopped it.
local afterwards = require "codecell.command.prove.afterwards"
local codecell = require "codecell"
local core = require "codecell.core"
local hunger = require "codecell.command.prove.hunger"
local judge = require "codecell.command.prove.judge"
local program = require "codecell.command.prove.program"
local victim = require "codecell.command.prove.victim"
local wait = require "codecell.wait"

local prove = {}

--- Every attack that is a program, in the order in which they are made.
---@return table[]
function prove.attacks()
  local all = {}
  for _, part in ipairs { "attacks", "kernel", "known" } do
    for _, attack in ipairs(require("codecell.command.prove." .. part)) do
      all[#all + 1] = attack
    end
  end
  for _, attack in ipairs(hunger.attacks) do
    all[#all + 1] = attack
  end
  return all
end

local SECONDS = 20 -- that an attack may take which has no time of its own

-- One attack, in a sandbox.
local function attempt(sandbox, attack, about)
  local argv, envs = program.of(attack, about.python, about.given)
  if not argv then
    return judge.skipped(attack, "there is no Python here to try it with")
  elseif attack.machine and not about.machine:find(attack.machine, 1, true) then
    return judge.skipped(attack, "only a machine of " .. attack.machine .. " has it")
  elseif attack.is_visit and about.deaf then
    return judge.skipped(attack, "there is no listener to reach: " .. tostring(about.deaf))
  end
  local result, err = sandbox.commands:run(argv,
    { envs = envs, timeout = attack.timeout or SECONDS })
  if not result then
    return judge.failed(attack, "it could not be tried: " .. tostring(err))
  end
  return judge.of(attack, result, about)
end

-- Whether there is such a program inside, and what the machine is.
local function examine(sandbox, about)
  local asked = sandbox.commands:run({ about.python, "-I", "-S", "-c", "print(1)" })
  if not asked or asked.exit_code ~= 0 then
    about.python = nil
  end
  asked = sandbox.commands:run("uname -m")
  about.machine = asked and asked.stdout or ""
  about.limits = sandbox:get_info().limits
end

local VICTIM = {
  name = "what was attacked is unharmed", group = "afterwards",
  tried = "the files of the host and what lies beside them, looked at by the host",
  blocked = { unharmed = "all of the above" },
}

local function look_at_victim(harm)
  if harm[1] then
    return judge.failed(VICTIM, table.concat(harm, "; "))
  end
  return judge.of(VICTIM, { stdout = "victim unharmed\n", stderr = "" }, { token = "\0" })
end

local function settings_of(options, about)
  local settings = { timeout = 120, limits = hunger.limits,
    secrets = { CODECELL_CANARY_SECRET = about.secret } }
  for key, value in pairs(options) do
    settings[key] = value
  end
  return settings
end

-- A bomb may end the whole sandbox; the next attack then has another one.
local function sandbox_for(sandbox, settings, watch)
  if sandbox and sandbox:is_running() then
    return sandbox
  elseif sandbox then
    sandbox:close()
  end
  local made, err = codecell.create(settings)
  if made then
    afterwards.remember(watch, made)
  end
  return made, err
end

local function attack_all(rows, about, options, on_progress)
  local settings, attacks = settings_of(options, about), prove.attacks()
  local sandbox, err
  for i, attack in ipairs(attacks) do
    on_progress(i, #attacks + 2, attack.name)
    sandbox, err = sandbox_for(sandbox, settings, about.watch)
    if not sandbox then
      return nil, err
    elseif i == 1 then
      examine(sandbox, about)
    end
    rows[i] = attempt(sandbox, attack, about)
  end
  sandbox:close()
  on_progress(#attacks + 1, #attacks + 2, "outlive the deadline")
  rows[#rows + 1] = afterwards.outlive(about.python, options)
  on_progress(#attacks + 2, #attacks + 2, "leave something behind")
  rows[#rows + 1] = afterwards.leftovers(about.watch)
  return true
end

local function report_of(rows)
  local counts = { ok = 0, failed = 0, skipped = 0 }
  for _, row in ipairs(rows) do
    counts[row.status] = counts[row.status] + 1
  end
  return { ok = counts.failed == 0, attacks = rows, counts = counts }
end

-- What is made once for all sandboxes is no leftover of these.
local function warm_up(options)
  local sandbox, err = codecell.create(options)
  if not sandbox then
    return nil, err
  end
  local done
  done, err = sandbox.commands:run "true"
  sandbox:close()
  return done, err
end

--- Make all attacks.
---@param options? table of the sandboxes that are attacked
---@param on_progress? fun(number: integer, count: integer, name: string)
---@return table? report {ok, attacks, counts}
---@return codecell.Error? err when no sandbox could be made
function prove.run(options, on_progress)
  options, on_progress = options or {}, on_progress or function() end
  local ready, err = warm_up(options)
  local canary
  if ready then
    canary, err = victim.make()
  end
  if not canary then
    return nil, err
  end
  local about = { python = os.getenv "CODECELL_PYTHON" or "python3", deaf = canary.deaf,
    token = canary.token, given = canary.given, secret = core.random_id(24),
    watch = afterwards.watch() }
  local rows = {}
  local ok
  -- Whatever interrupts it: no canary stays.
  ok, ready, err = wait.call(attack_all, rows, about, options, on_progress)
  rows[#rows + 1] = look_at_victim(victim.finish(canary))
  if not ok then
    error(ready, 0)
  elseif not ready then
    return nil, err
  end
  return report_of(rows)
end

return prove
