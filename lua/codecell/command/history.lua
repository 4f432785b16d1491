--- The file that services have kept their counts in, for the commands that read it.
local config = require "codecell.config"
local cost = require "codecell.cost"
local ledger = require "codecell.service.ledger"
local records = require "codecell.service.records"

local history = {}

--- Its counts.
---@param name string of the command
---@param arguments string[] its words: a path, or none
---@return codecell.Ledger?
---@return string? problem
function history.read(name, arguments)
  if arguments[2] then
    return nil, "takes one file"
  end
  local path = arguments[1]
  if not path then
    local found, err = config.get({})
    if not found then
      return nil, tostring(err)
    end
    path = found.usage_file
  end
  if not path then
    return nil, "give the file of a service, or set CODECELL_USAGE_FILE"
  end
  local counts = ledger.new(os.time, cost.prices())
  local odd, err = records.read(path, function(record)
    counts:count(record)
  end)
  if not odd then
    return nil, tostring(err)
  elseif odd > 0 then
    io.stderr:write(("codecell %s: %d lines of %s are no records, and were left out\n"):format(name,
      odd, path))
  end
  return counts
end

return history
