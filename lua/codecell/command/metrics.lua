--- `codecell metrics`: the counts of services, as OpenMetrics.
local command = require "codecell.command"
local history = require "codecell.command.history"
local numbers = require "codecell.service.numbers"

local metrics = {
  summary = "print the counts of services as OpenMetrics",
  usage = "codecell metrics [FILE] [--json]",
  description = "Reads the file that services write where usage_file (CODECELL_USAGE_FILE)\n"
    .. "says so, or FILE. A program that runs tells more: codecell.metrics.openmetrics(service).\n",
  takes = "file",
  example = "codecell metrics usage.jsonl",
  options = {
    { name = "json", help = "print them as JSON" },
  },
}

function metrics.run(options, arguments)
  local ledger, problem = history.read("metrics", arguments)
  if not ledger then
    return nil, problem
  elseif options.json then
    command.print_json(numbers.counts(ledger))
  else
    command.write(numbers.of_ledger(ledger))
  end
  return command.status.success
end

return metrics
