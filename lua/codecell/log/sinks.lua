--- Where the log can go besides a function of the program and standard error.
local append = require "codecell.append"
local core = require "codecell.core"
local errors = require "codecell.errors"
local line = require "codecell.log.line"
local options = require "codecell.options"

local sinks = {}

local SOCKET = "/dev/log"
local FACILITIES, NUMBERS = { "user", "daemon" }, { user = 1, daemon = 3 }
for i = 0, 7 do
  FACILITIES[i + 3], NUMBERS["local" .. i] = "local" .. i, 16 + i
end

-- What is not taken just then is lost: whoever logs is never held up, and never fails for it. The
-- next that is taken says how many were lost.
local function counting(deliver)
  local lost = 0
  return function(level, message, fields, part)
    local text = lost > 0 and ("%s (%d before it were not taken)"):format(message, lost) or message
    local ok, err = deliver(level, text, fields, part)
    lost = ok and 0 or lost + 1
    return ok, err
  end
end

--- See `codecell.log.file`.
---@param path string
---@return (fun(level: string, message: string, fields: table, part: string))? sink
---@return codecell.Error? err
function sinks.file(path)
  options.argument("log.file", "path", path, "text")
  local ok, problem = append(path, "")
  if not ok then
    return nil, errors.new("invalid_argument", "log.file: " .. problem)
  end
  return counting(function(...)
    return append(path, line.json(...) .. "\n")
  end)
end

--- See `codecell.log.syslog`.
---@param given {path: string?, name: string?, facility: string?}?
---@return fun(level: string, message: string, fields: table, part: string): true?, any
function sinks.syslog(given)
  given = options.check("log.syslog", given, { path = { type = "text" }, name = { type = "name" },
    facility = { type = "choice", choices = FACILITIES } })
  local about = { facility = NUMBERS[given.facility or "user"],
    name = ((given.name or "codecell"):gsub("[^%w%-_.]", "_")) }
  return counting(function(level, message, fields, part)
    return core.host_datagram(given.path or SOCKET,
      line.syslog(level, message, fields, part, about))
  end)
end

return sinks
