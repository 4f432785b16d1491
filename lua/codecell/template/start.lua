--- What a template starts in each of its sandboxes, and when that is ready.
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local start = {}

local READY_MOST = 300 -- seconds
local PAUSE = 0.1 -- before it is asked again

local function nothing() end

local function rest(till)
  local token = {}
  while reactor.now() < till do
    if not wait.key(token, till) and reactor.now() < till then
      return wait.failure("start", PAUSE)
    end
  end
end

local function failed(process)
  local result = process ~= true and process:try_wait()
  return result and result.exit_code ~= 0
    and errors.new("invalid_argument", ("the start command ended with exit status %d: %s"):format(
      result.exit_code, ((result.stderr .. result.stdout):sub(-400):gsub("%c+", " ")))) or nil
end

local function wait_ready(sandbox, process, given, cwd)
  local deadline = reactor.now() + (given.timeout or READY_MOST)
  while true do
    local result, err = sandbox.commands:run(given.ready, { cwd = cwd,
      timeout = math.max(deadline - reactor.now(), 1) })
    err = err or failed(process)
    if not err and result.exit_code == 0 then
      return true
    end
    if not err and reactor.now() >= deadline then
      err = errors.new("timeout", ("the ready command did not succeed within %d s: %s"):format(
        given.timeout or READY_MOST, given.ready))
    end
    err = err or rest(reactor.now() + PAUSE)
    if err then
      return nil, err
    end
  end
end

--- Start it, and wait until it is ready.
---@param sandbox codecell.Sandbox
---@param given {command: string?, ready: string?, timeout: number?} seconds that it may take to be
---ready, default 300
---@param cwd string?
---@param said fun(text: string)? hears what it prints
---@return codecell.Process|true|nil process to be held for as long as it is to run; true: there is
---no command
---@return codecell.Error? err
function start.begin(sandbox, given, cwd, said)
  local process, err = true, nil
  if given.command then
    process, err = sandbox.commands:run(given.command, { background = true, cwd = cwd,
      on_stdout = said or nothing, on_stderr = said or nothing })
  end
  if not process or not given.ready then
    return process, err
  end
  local ok
  ok, err = wait_ready(sandbox, process, given, cwd)
  if not ok then
    return nil, err
  end
  return process
end

return start
