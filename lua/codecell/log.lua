--- codecell.log: what the service does, told to whoever wants to know.
---
---     codecell.log.sink = function(level, message, fields) ... end
---     codecell.log.level = "debug"
---
--- Without a sink and without a setting the library writes nothing, but for the one line by which
--- people look whether the service is there. CODECELL_LOG=text or json writes to standard error,
--- CODECELL_LOG=syslog to the system's log, and DEBUG with a pattern that names a part ("e2b:*",
--- "codecell:service") to standard error.
local line = require "codecell.log.line"

local LEVELS = { debug = 1, info = 2, warning = 3, error = 4 }

---@class codecell.Log
---@field level "debug"|"info"|"warning"|"error"? what is less is left out; nil: as configured
---@field sink (fun(level: string, message: string, fields: table, part: string))? nil: standard
---error, if wanted
---@field format "text"|"json"|"syslog"|"none"? nil: as CODECELL_LOG says
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

local function configured()
  local format = log.format or said.format or os.getenv("CODECELL_LOG")
  if format == "json" or format == "text" or format == "syslog" or format == "none" then
    return format
  end
end

--- A sink that adds lines of JSON to a file, which several programs may share. What cannot be
--- written is lost, and the next that can be says how many were.
---@param path string
---@return (fun(level: string, message: string, fields: table, part: string))? sink
---@return codecell.Error? err kind "invalid_argument": it cannot be written
function log.file(path)
  return require("codecell.log.sinks").file(path)
end

--- A sink that sends each event to the system's log, and never waits. What the log
--- does not take is lost, and the next that it takes says how many were.
---@param given {path: string?, name: string?, facility: string?}? path of its socket (/dev/log);
---name of this program ("codecell"); facility "user" (default), "daemon", "local0" to "local7"
---@return fun(level: string, message: string, fields: table, part: string): true?, any
function log.syslog(given)
  return require("codecell.log.sinks").syslog(given)
end

local system -- the sink of CODECELL_LOG=syslog

-- What the system's log does not take is not lost: it goes where it would without.
local function write_out(format, level, message, fields, part)
  if format == "syslog" then
    system = system or log.syslog()
    if system(level, message, fields, part) then
      return
    end
  end
  local text = format == "json" and line.json(level, message, fields, part)
    or line.text(level, part, message)
  io.stderr:write(text, "\n")
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
    log.sink(level, message, fields, part)
    return
  end
  local format = configured()
  if format == "none" then
    return
  elseif host and not format then
    host(level, message, fields)
  elseif format or debugged or log.level or fields.event == "service.start" then
    write_out(format, level, message, fields, part)
  end
end

return log
