--- A process that never was: its answer was known before.
local core = require "codecell.core"
local errors = require "codecell.errors"
local output = require "codecell.process.output"
local verbs = require "codecell.verbs"
require "codecell.process" -- the verbs

local process = {}

local Process = {}
Process.__index = verbs.of(core.Process, Process)

local last = 0 -- number of the last one

--- One that has run.
---@param sandbox table
---@param answer table `stdout stderr code signal`
---@return table process
function process.new(sandbox, answer)
  last = last + 1
  local outputs = {}
  for which, name in pairs({ [0] = "stdout", "stderr" }) do
    outputs[which] = output.new(sandbox._limits.output, sandbox._mask)
    outputs[which]:add(answer[name] or "")
    outputs[which]:finish()
  end
  local status = { code = answer.code or 0, signal = answer.signal or 0,
    out_of_memory = answer.out_of_memory == true }
  return setmetatable({ _sandbox = sandbox, _outputs = outputs, _status = status, _number = last,
    _mock = true, _timed_out = answer.timed_out == true }, Process)
end

function Process:_closed()
  return self._outputs == nil
end

function Process:_token()
  return self._outputs
end

function Process:_state() -- luacheck: no self
  return "exited"
end

function Process:_pid()
  return self._number
end

function Process:_exit()
  return self._status
end

function Process:_finished() -- luacheck: no self
  return true
end

function Process:_read(which, size, as_text)
  return self._outputs[which]:read(size, as_text)
end

function Process:_hold() -- luacheck: no self
end

function Process:_kept(which)
  return self._outputs[which]:kept()
end

function Process:_write(data, from) -- luacheck: no self
  return #data - from
end

function Process:_close_input() -- luacheck: no self
end

function Process:_signal() -- luacheck: no self
  return nil, errors.new("not_found", "kill: nothing runs on the mock backend")
end

Process._resize = Process._signal

function Process:_release()
  self._outputs = nil
end

return process
