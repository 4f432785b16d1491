--- `codecell doctor`: what this machine can do, what is missing, what to type.
local codecell = require "codecell"
local checks = require "codecell.command.checks"
local command = require "codecell.command"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local terminal = require "codecell.command.terminal"

local doctor = {
  summary = "say what this machine can do, what is missing and how to mend it",
  usage = "codecell doctor [--probe] [--e2b] [--json] | --prove [--json] | --why FILE",
  description = "Makes a sandbox and looks at what it stands on. Status 0 when code can run.\n"
    .. "With --prove it attacks sandboxes of its own with hostile code: files, processes,\n"
    .. "network, kernel, secrets, bombs, deadlines. Status 0 when nothing got through.\n",
  statuses = { [1] = "code cannot run here, a check failed, or an attack got through" },
  example = "codecell doctor --json",
  options = {
    { name = "e2b", help = "ask E2B whether it takes the key as well" },
    { name = "json", help = "print {ok, isolation, checks, limits} as JSON" },
    { name = "prove", help = "attack sandboxes made for it, and show what stopped each attack" },
    { name = "probe", help = "time create, run and kill as well" },
    { name = "backend", value = "BACKEND", help = "what to look at (default local)" },
    { name = "mode", value = "MODE", help = "the same by its mode; E2B_MODE is the default" },
    { name = "why", value = "FILE", help = "say of each block of an answer whether it would run" },
  },
}

local function append(list, more)
  for _, item in ipairs(more) do
    list[#list + 1] = item
  end
end

-- "missing" and "failed" stand in the way; "optional" does not.
local function is_well(found)
  for _, check in ipairs(found) do
    if check.status == "missing" or check.status == "failed" then
      return false
    end
  end
  return true
end

-- What runs elsewhere stands on nothing here.
local function examine_cloud()
  local account, isolation = checks.e2b()
  local report = { isolation = isolation, checks = { account }, limits = {} }
  report.ok = is_well(report.checks)
  return report
end

--- Every check, and the sandbox's own account of itself.
---@param backend string
---@param asks_cloud boolean? whether the account of E2B is to be looked at
---@return table report {ok, isolation, checks, limits}
function doctor.examine(backend, asks_cloud)
  if backend == "e2b" then
    return examine_cloud()
  end
  local report = { isolation = "none", checks = checks.host(), limits = {} }
  -- Without a limit of processors there is nothing that keeps one.
  local sandbox, err = codecell.create {
    backend = backend, timeout = 60, limits = { cpu = 1 },
  }
  append(report.checks, { checks.isolation(sandbox, err) })
  if sandbox then
    local info = sandbox:get_info()
    report.isolation, report.limits = info.isolation, info.limits
    append(report.checks, checks.walls(sandbox))
    append(report.checks, checks.limits(sandbox))
    append(report.checks, { checks.overlay() })
    append(report.checks, checks.inside(sandbox))
    append(report.checks, checks.languages())
    sandbox:close()
  end
  append(report.checks, checks.others(asks_cloud and checks.e2b()))
  report.ok = is_well(report.checks)
  return report
end

local function timed(work)
  local reactor = codecell.reactor()
  local before = reactor:now()
  local value, err = work()
  return value, err, reactor:now() - before
end

--- How long the life of a sandbox takes here, step by step.
---@param backend string
---@return table? probe {create, run, kill} in seconds
---@return codecell.Error? err
function doctor.probe(backend)
  local probe = {}
  local sandbox, execution, err
  sandbox, err, probe.create = timed(function()
    return codecell.create { backend = backend, timeout = 60 }
  end)
  if not sandbox then
    return nil, err
  end
  execution, err, probe.run = timed(function()
    return sandbox:run_code "1 + 1"
  end)
  if not execution then
    return nil, err
  elseif execution.text ~= "2" then
    return nil, codecell.errors.new("system", "1 + 1 gave " .. tostring(execution.text))
  end
  local killed
  killed, err, probe.kill = timed(function()
    return sandbox:kill()
  end)
  if killed == nil then
    return nil, err
  end
  return probe
end

local COLOURS = { ok = "green", missing = "red", failed = "red", optional = "yellow" }

local function print_report(report, out)
  for _, check in ipairs(report.checks) do
    out:write(out:style(COLOURS[check.status], ("%-8s"):format(check.status)), " ",
      ("%-16s"):format(check.name), " ", check.detail, "\n")
    if check.remedy and check.remedy ~= "" then
      out:write((" "):rep(26), "-> ", (check.remedy:gsub("\n", "\n" .. (" "):rep(29))), "\n")
    end
  end
  for _, step in ipairs { "create", "run", "kill" } do
    if report.probe then
      out:write(("%-8s %-16s %.1f ms\n"):format("time", step, report.probe[step] * 1000))
    end
  end
  local verdict = report.ok and report.isolation
    and "Code can run here, isolated by the " .. report.isolation .. "."
    or report.ok and "Code can run there; each sandbox tells how it is isolated."
    or report.isolation == "none" and "Code cannot run here until what is named above is mended."
    or "Mend what is missing or failed above."
  out:write("\n", out:style("bold", verdict), "\n")
end

-- Whether each block of a model's answer would run, and why not.
local function explain_blocks(path, as_json)
  local answer, message = require("codecell.command.run").read_all(path)
  if not answer then
    return nil, "--why: " .. message
  end
  return require("codecell.command.interpret").list(codecell.blocks.scan(answer,
    { languages = require("codecell.agent.interpret").can_run }), as_json)
end

-- The attacks are made for the walls of this machine.
local function prove(backend, as_json)
  if backend ~= "local" then
    return nil, "--prove attacks the sandboxes of this machine; the backend is " .. backend
  end
  return require("codecell.command.prove.show").run(as_json)
end

function doctor.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  elseif options.why then
    return explain_blocks(options.why, options.json)
  end
  local backend, message = launch.backend(options)
  if not backend and (options.backend or options.mode) then
    return nil, message
  end
  if options.prove then
    return prove(backend or "local", options.json)
  end
  backend = backend or "local" -- what is wrong with the configuration is in the report
  local report = doctor.examine(backend, options.e2b)
  if options.probe and report.ok then
    local probe, err = doctor.probe(backend)
    if not probe then
      return launch.fail("doctor", err)
    end
    report.probe = probe
  end
  if options.json then
    report.checks = json.list(report.checks)
    command.print_json(report)
  else
    print_report(report, terminal.open(io.stdout, 1))
  end
  return report.ok and command.status.success or command.status.code_failed
end

return doctor
