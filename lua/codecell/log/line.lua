--- One event of the log as a line: for people, for programs, and for the system's log.
local core = require "codecell.core"
local json = require "codecell.json"
local terminal = require "codecell.agent.terminal"

local line = {}

local SEVERITIES = { debug = 7, info = 6, warning = 4, error = 3 } -- of RFC 3164
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
  "Dec" }
local MESSAGE_MOST, LINE_MOST = 1000, 2000 -- bytes; the system's log may cut at 2048

local function one_line(text)
  return (text:gsub("[%z\1-\31\127]", " "))
end

local function timestamp()
  return os.date("!%Y-%m-%dT%H:%M:%SZ")
end

--- For people, at a terminal that is to obey nothing of what models and their code say.
---@param level string
---@param part string
---@param message string
---@return string
function line.text(level, part, message)
  return ("%s %s %s %s"):format(timestamp(), level:upper(), part,
    terminal.visible(one_line(message)))
end

--- For programs: an object of JSON.
---@param level string
---@param message string
---@param fields table
---@param part string
---@return string
function line.json(level, message, fields, part)
  local one = { time = timestamp(), level = level, part = part, message = message }
  for name, value in pairs(fields) do
    if one[name] == nil then
      one[name] = value
    end
  end
  return json.encode(one) or ("{\"level\":%q}"):format(level)
end

-- As the C library writes it, whatever the locale: "Jan  2 03:04:05", in local time.
local function syslog_time()
  local now = os.date("*t")
  return ("%s %2d %02d:%02d:%02d"):format(MONTHS[now.month], now.day, now.hour, now.min, now.sec)
end

--- For the system's log, as its daemons take it from programs of this machine (RFC 3164 without a
--- name of the host), with the fields as JSON behind the message.
---@param level string
---@param message string
---@param fields table
---@param part string
---@param about {facility: integer, name: string}
---@return string
function line.syslog(level, message, fields, part, about)
  local text = one_line(message):sub(1, MESSAGE_MOST)
  local object = next(fields) ~= nil and json.encode(fields)
  if object and #text + #object < LINE_MOST then
    text = text .. " " .. object -- whole, or not at all
  end
  return ("<%d>%s %s[%d]: %s %s"):format(about.facility * 8 + SEVERITIES[level], syslog_time(),
    about.name, core.getpid(), part, text)
end

return line
