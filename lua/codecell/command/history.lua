--- The file that services have kept their counts in, or their audit, for the commands that read it.
local config = require "codecell.config"
local cost = require "codecell.cost"
local ledger = require "codecell.service.ledger"
local records = require "codecell.service.records"
local size = require "codecell.command.size"

local history = {}

local LINE = 65536

-- Whether a file is an audit: its records begin so, and no others do.
local function is_audit(path)
  local file = io.open(path, "rb")
  if not file then
    return false
  end
  local start = file:read(LINE)
  file:close()
  return start ~= nil and start:find('^{"content":') ~= nil
end

-- The runs that an audit tells of: counts of them, without what their sandboxes have cost.
local function count_runs(path, counts)
  local asked = {}
  return require("codecell.audit").read(path, function(record)
    local content = record.content
    if record.event ~= "run" or not content then
      return
    elseif record.phase == "before" then
      asked[record.number] = content
      return
    end
    local before = asked[record.of] or {}
    asked[record.of or 0] = nil
    counts:count({ event = "run", at = math.floor(record.at), user = content.subject,
      language = tostring(before.language or ""), kind = content.status ~= "ok"
        and tostring(content.status or "refused") or nil,
      timings = { run = type(content.seconds) == "number" and content.seconds or 0 } })
  end)
end

local function read_file(name, path, counts)
  if is_audit(path) then
    local ok, err = count_runs(path, counts)
    return ok, err and tostring(err)
  end
  local odd, err = records.read(path, function(record)
    counts:count(record)
  end)
  if odd and odd > 0 then
    io.stderr:write(("codecell %s: %s: left out as no records: %s\n"):format(name, path,
      size.count(odd, "line")))
  end
  return odd, err and tostring(err)
end

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
    path = found.usage_file or found.audit
  end
  if not path then
    return nil, "give the file of a service, or set CODECELL_USAGE_FILE or CODECELL_AUDIT"
  end
  path = require("codecell.audit").place(path) -- a folder is that of an audit
  local counts = ledger.new(os.time, cost.prices())
  local ok, problem = read_file(name, path, counts)
  return ok and counts, problem
end

return history
