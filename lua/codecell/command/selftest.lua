--- `codecell selftest`: the shortest proof that code runs here.
local command = require "codecell.command"
local launch = require "codecell.command.launch"
local run = require "codecell.command.run"
local show = require "codecell.command.show"

local selftest = {
  summary = "run print(\"Hello World\") in a sandbox",
  usage = "codecell selftest [OPTIONS]",
  description = "Runs print(\"Hello World\") in a sandbox; status 0 when it was printed.\n",
  statuses = launch.statuses,
  example = "codecell selftest --mode mock",
  options = launch.options_without("changes", "apply"),
}
table.insert(selftest.options, 1, { name = "json", help = "print the whole Execution" })

function selftest.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local sandbox, status, message = launch.create("selftest", options)
  if not sandbox then
    return status, message
  end
  local view = show.open(sandbox)
  local execution, err = sandbox:run_code('print("Hello World")',
    not options.json and show.stream(view) or nil)
  if not execution then
    return launch.fail("selftest", err)
  elseif options.json then
    command.print_json(show.as_table(execution))
  else
    show.finish(view, execution)
  end
  sandbox:close()
  return run.status(execution)
end

return selftest
