--- codecell.log: what the service does, told to whoever wants to know.
---
---     codecell.log.sink = function(level, message, fields) ... end
---     codecell.log.level = "debug"
---
--- Without a sink and without a setting the library writes nothing, but for the one line by which
--- people look whether the service is there. CODECELL_LOG=text or json writes to standard error,
--- and so does DEBUG with a pattern that names a part: "e2b:*", "codecell:service".
local json = require "codecell.json"

local LEVELS = { debug = 1, info = 2, warning = 3, error = 4 }

---@class codecell.Log
---@field level "debug"|"info"|"warning"|"error"? what is less is left out; nil: as configured
---@field sink (fun(level: string, message: string, fields: table))? nil: standard error, if wanted
---@field format "text"|"json"|"none"? nil: as CODECELL_LOG says
local log = {}

local host -- of the attached host: where its programs log
local said = {} -- by the program or a file of variables, for services

--- Log as a configuration says. What the environment says is looked up at each line.
---@param found codecell.Config
function log.configure(found)
  local function of(name)
    return found.sources[name] ~= "environment" and found.sources[name] ~= "default"
      and found[name] or nil
  end
  said = { format = of("log"), level = of("log_level"), pattern = of("debug_pattern") }
end

--- Have a host's own log take what nobody else does.
---@param called (fun(level: string, message: string, fields: table))? nil: no more
function log.adopt(called)
  host = called
end

local function pattern_of(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*") .. "$"
end

-- "e2b:*,-e2b:wire": what begins with a minus is left out.
local function is_debugged(part)
  local wanted = false
  for glob in (said.pattern or os.getenv("DEBUG") or ""):gmatch("[^,%s]+") do
    local name = glob:match("^%-(.*)$")
    if part:find(pattern_of(name or glob)) then
      if name then
        return false
      end
      wanted = true
    end
  end
  return wanted
end

local function one_line(text)
  return (text:gsub("[%z\1-\31\127]", " "))
end

local function timestamp()
  return os.date("!%Y-%m-%dT%H:%M:%SZ")
end

local function written(format, level, part, message, fields)
  if format ~= "json" then
    return ("%s %s %s %s"):format(timestamp(), level:upper(), part, one_line(message))
  end
  local line = { time = timestamp(), level = level, part = part, message = message }
  for name, value in pairs(fields) do
    line[name] = line[name] == nil and value or line[name]
  end
  return json.encode(line) or ("{\"level\":%q}"):format(level)
end

local function configured()
  local format = log.format or said.format or os.getenv("CODECELL_LOG")
  if format == "json" or format == "text" or format == "none" then
    return format
  end
end

local function threshold()
  return LEVELS[log.level or said.level or os.getenv("CODECELL_LOG_LEVEL") or "info"] or LEVELS.info
end

--- Tell an event.
---@param level "debug"|"info"|"warning"|"error"
---@param part string whose: "e2b:service", ...
---@param message string one line
---@param fields table? `event` and what belongs to it, without keys and secrets
function log.write(level, part, message, fields)
  fields = fields or {}
  local debugged = is_debugged(part)
  if not debugged and LEVELS[level] < threshold() then
    return
  elseif log.sink then
    log.sink(level, message, fields)
    return
  end
  local format = configured()
  if format == "none" then
    return
  elseif host and not format then
    host(level, message, fields)
  elseif format or debugged or log.level or fields.event == "service.start" then
    io.stderr:write(written(format, level, part, message, fields), "\n")
  end
end

return log
