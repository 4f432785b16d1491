--- Requests of a program, a line each, from standard input. While none comes, whatever runs in the
--- background goes on: commands are read, ports are served, what nobody uses is ended.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local lines = require "codecell.mcp.lines"
local settings = require "codecell.config.settings"
local wait = require "codecell.wait"

local requests = {}

local STANDARD_INPUT = 0
local LINE_MOST = 16 * 1024 * 1024
local TOO_LONG = "The request is longer than 16 MiB; send less at once."

--- Where the service of such a command runs code.
requests.option = { name = "mode", value = "MODE", choices = settings.by_name.mode.choices,
  help = "where code runs; default as codecell config says" }

requests.note = "Without --mode, E2B_MODE and E2B_API_KEY nothing is executed: every reply of the\n"
  .. "mock says so. --mode local runs code here.\n"

--- Choose that place.
---@param options table as options.parse gave them
function requests.choose_mode(options)
  if options.mode then
    codecell.setup({ mode = options.mode })
  end
end

local function hear(reader, heard)
  local whole = lines.new(LINE_MOST)
  local piece, err
  repeat
    piece, err = reader:try_read()
    if piece then
      whole:add(piece, heard)
    elseif piece == false then
      wait.wait(reader)
    end
  until piece == nil
  local rest = whole:rest()
  if rest ~= nil then
    heard(rest)
  end
  return not err or nil, err
end

--- Answer every request until the input ends, then end the service.
---@param what string the command
---@param answer fun(line: string): string the reply of a line that is not empty
---@return integer status
function requests.serve(what, answer)
  local reader, err = core.reader(codecell.reactor(), STANDARD_INPUT)
  if not reader then
    return launch.fail(what, err)
  end
  local ok
  ok, err = hear(reader, function(line)
    if not line or line:find("%S") then
      command.write(line and answer(line) or json.encode({ success = false, error = TOO_LONG,
        kind = "invalid", text = TOO_LONG }), "\n")
      command.flush()
    end
  end)
  reader:close()
  local service = require("codecell.service").default
  if service then
    service:close()
  end
  return ok and command.status.success or launch.fail(what, err)
end

return requests
