--- One cell: the code that a kernel runs now, what it says, and the callbacks that hear of it.
local core = require "codecell.core"
local execution = require "codecell.execution"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"

-- src/wire/protocol.h: what a kernel is asked for
local EXECUTE = 2
local REQUESTS = { rehearsal = 4, completion = 7 }
local READY, RESULT, ERROR, DONE, FINAL = 16, 17, 18, 19, 20
local CHUNK = 65536
local FRAMES_MOST = 2000 -- in a row; a kernel has a thousand results and a few more for a cell
local CHUNKS_MOST = 256 -- in a row, to a callback
local RESULTS_MOST = 2000 -- of a cell
local RESULT_BYTES_MOST = 134217728 -- of all results of a cell
local VALUES_MOST = 4194304 -- of JSON, of all results of a cell
local ANSWER_MOST = 4194304 -- bytes of a final answer
local TURN_MOST = 0.05 -- seconds of reading frames in a row

---@class codecell.Cell
---@field id number random: any other in a frame was made up by the code
---@field execution codecell.Execution
---@field callbacks table the job, as of `Kernel:execute`
---@field deadline number
---@field problem? table holds what a callback raised: the cell is to be stopped
---@field greeted? fun(parts: string[]): string? hears a new kernel: why it cannot run any code
---@field refusal? string what that answered
---@field prepare? fun(code: string): string what the kernel is sent in place of the code
---@field mask? userdata of the secrets of the sandbox
---@field is_stopping? boolean it is, and followed to its end all the same
local Cell = {}
Cell.__index = Cell

local cell = {}

--- A cell that has not been sent yet.
---@param context codecell.Context
---@param job table
---@param kept integer bytes of output that are kept of a stream
---@param deadline number
---@return codecell.Cell
function cell.new(context, job, kept, deadline)
  return setmetatable({
    id = core.random(), callbacks = job, kept = kept, deadline = deadline,
    execution = execution.new(context.language, context.id), results_seen = 0, result_bytes = 0,
    allowance = { values = VALUES_MOST }, answer_allowance = { values = VALUES_MOST },
  }, Cell)
end

--- Send the code to a kernel.
---@param process codecell.Process
---@return boolean? sent
---@return codecell.Error? err
function Cell:send(process)
  local job = self.callbacks
  local code = self.prepare and self.prepare(job.code) or job.code
  local parts, count = { "code", code }, 2
  if job.stdin then
    parts[3], parts[4], count = "stdin", job.stdin, 4
  end
  if job.final_answer then
    parts[count + 1], parts[count + 2] = "final", "1"
    count = count + 2
  end
  for name, value in pairs(job.envs or {}) do
    parts[count + 1], parts[count + 2] = "env", name .. "=" .. value
    count = count + 2
  end
  return process:_send(REQUESTS[job.sort] or EXECUTE, self.id, parts)
end

-- ---- output to callbacks ----

local function call(self, called, value)
  local ok, problem = self.callbacks.call(called, value)
  if not ok then
    self.problem = { problem }
  end
end

--- Hand on what was printed. What is called may wait, and so take the news that the cell waits for:
--- look again before the next wait. Code may print faster than it is called: there is an end to it,
--- by the deadline of the cell, and once that is over by the size of what can be kept.
---@param process codecell.Process
---@param all integer? bytes at most, half characters too: nothing more will come
---@return boolean any whether anything was called
function Cell:hand_over(process, all)
  local callbacks, any = self.callbacks, false
  local left = all or CHUNKS_MOST * CHUNK
  for which = 0, 1 do
    local called = which == 0 and callbacks.on_stdout or callbacks.on_stderr
    local chunk
    if called and not process:_closed() then
      process:_hold(which, not all and not self.problem)
      chunk = process:_read(which, CHUNK, not all)
    end
    while chunk and not self.problem do
      any = true
      left = left - #chunk
      call(self, called, chunk)
      if left <= 0 or not all and reactor.now() >= self.deadline then
        break
      end
      chunk = not process:_closed() and process:_read(which, CHUNK, not all)
    end
  end
  return any
end

-- ---- what the kernel says ----

local function size_of(parts)
  local size = 0
  for i = 1, #parts do
    size = size + #parts[i]
  end
  return size
end

-- by_kernel: it has left out or shortened some, and does not say how many.
local function say_truncated(self, by_kernel)
  local done = self.execution
  done.truncated = done.truncated or {}
  done.truncated.results = { kept = #done.results, total = self.results_seen,
    unknown = by_kernel or nil }
end

-- Whether another result is kept. A kernel keeps within its own limits; code that speaks in its
-- place need not.
local function takes_result(self, parts)
  local results, size = self.execution.results, size_of(parts)
  self.results_seen = self.results_seen + 1
  if #results < RESULTS_MOST and self.result_bytes + size <= RESULT_BYTES_MOST then
    self.result_bytes = self.result_bytes + size
    return true
  end
  say_truncated(self)
  return false
end

-- Call with what a frame says, after what was printed before it.
local function tell(self, process, called, value)
  local job = self.callbacks
  if job.on_stdout or job.on_stderr then
    process:_drain()
    self:hand_over(process)
  end
  if not self.problem then
    call(self, called, value)
  end
end

local heard = {}

heard[RESULT] = function(self, process, parts)
  if not takes_result(self, parts) then
    return
  end
  local job, done = self.callbacks, self.execution
  local result = secrets.hide_all(self.mask, execution.result(parts, self.allowance))
  done.results[#done.results + 1] = result
  if result.is_main_result and not self.has_main then
    self.has_main, done.text = true, result.text
  end
  if job.on_result and not self.problem then
    tell(self, process, job.on_result, result)
  end
end

heard[ERROR] = function(self, process, parts)
  local job, done = self.callbacks, self.execution
  done.error = secrets.hide_all(self.mask, execution.failure(parts))
  if job.on_error and not self.problem and not self.is_stopping then -- else see Cell:fail
    tell(self, process, job.on_error, done.error)
  end
end

heard[DONE] = function(self, _, parts)
  for i = 1, #parts, 2 do
    if parts[i] == "execution_count" then
      self.execution.execution_count = execution.number(parts[i + 1]) or 0
    elseif parts[i] == "truncated" and parts[i + 1] == "1" then
      say_truncated(self, true)
    end
  end
end

-- The last one counts. Code can write such a frame itself, as it can call the function.
heard[FINAL] = function(self, _, parts)
  local text = self.callbacks.final_answer and parts[1] == "json" and parts[2]
  if text and #text <= ANSWER_MOST then
    local answer, err = json.decode_within(text, self.answer_allowance)
    if not err then
      self.execution.final = secrets.hide_all(self.mask, { answer })[1]
    end
  end
end

--- Read frames until the cell is done.
---@param process codecell.Process
---@return string|false outcome "done", "dead", "problem", "refused" (the kernel can run no code),
---false (not yet), or "more": the code can write frames faster than they are read, and its deadline
---must come all the same
function Cell:receive(process)
  local kind, id, parts = process:_receive()
  local count, till = 0, math.min(self.deadline, reactor.now() + TURN_MOST)
  while kind do
    count = count + 1
    if id == self.id and heard[kind] then
      heard[kind](self, process, parts)
      if kind == DONE then
        return "done"
      end
    elseif kind == READY and id == 0 and self.greeted then
      self.refusal = self.greeted(parts)
      if self.refusal then
        return "refused"
      end
    end
    if self.problem and not self.is_stopping then
      return "problem"
    elseif process:_closed() then -- by a callback
      return false
    elseif count >= FRAMES_MOST or reactor.now() >= till then
      return "more"
    end
    kind, id, parts = process:_receive()
  end
  return kind == nil and "dead" or false
end

--- Say what became of the code, in place of what it says itself.
---@param failure codecell.ExecutionError
function Cell:fail(failure)
  self.execution.error = failure
  if self.callbacks.on_error and not self.problem then
    call(self, self.callbacks.on_error, failure)
  end
end

--- Take what is still in the pipes: it belongs to this cell.
---@param process codecell.Process
function Cell:finish(process)
  execution.take_output(self.execution, process)
  self:hand_over(process, self.kept + CHUNK)
end

return cell
