--- A program: how a context runs code of a language that keeps nothing from one run to the next.
---
--- The code is written into a private folder of the sandbox, compiled there if the language is,
--- and run in the folder of the context. What it writes there stays; its variables do not.
local changes = require "codecell.context.changes"
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local failure = require "codecell.context.failure"
local languages = require "codecell.languages"
local process = require "codecell.process"
local reactor = require "codecell.reactor"
local turns = require "codecell.context.turns"

local FOLDER = "/tmp/.codecell"
local INTERRUPT = 2 -- SIGINT

---@class codecell.Program
local Program = {}
Program.__index = Program

local program = {}

--- What runs the programs of a context.
---@param sandbox codecell.Sandbox
---@param context codecell.Context
---@return codecell.Program
function program.new(sandbox, context)
  return setmetatable({ sandbox = sandbox, context = context, cwd = context.cwd, line = {},
    count = 0 }, Program)
end

--- Whether it can take a run: there is no process that could have ended.
---@return boolean
function Program.is_alive()
  return true
end

--- Whether it could run: there is nothing to start before the code is there.
---@return boolean? ok
---@return codecell.Error? err kind "unsupported"
function Program:start()
  local way, err = languages.way(self.context.language, nil, self.sandbox._root)
  return way and true, err
end

--- End what runs, and count from one again.
function Program:stop()
  local running = self.process
  self.process, self.job, self.count = nil, nil, 0
  if running then
    running:close()
  end
end

--- Ask what runs to stop.
function Program:interrupt()
  if self.job then
    self:signal(self.job, INTERRUPT)
  end
end

--- Send a signal to what runs for that job now.
---@param job table
---@param number integer
---@return boolean? sent nil: the program still waits for its turn; false: it is about to end
function Program:signal(job, number)
  if self.job ~= job then
    return nil
  end
  return turns.signal(self, number)
end

-- ---- one run ----

-- The words of a command line, with what its places stand for.
local function fill(words, places)
  local argv = {}
  for i, word in ipairs(words) do
    argv[i] = word:gsub("{(%a+)}", places)
  end
  return argv
end

-- What one run is made of; its `places` are those of command lines.
local function plan(self, way, job)
  local sandbox, name = self.sandbox, way.language.source
  sandbox._programs = (sandbox._programs or 0) + 1
  local folder = ("%s/%d"):format(FOLDER, sandbox._programs)
  if type(name) == "function" then
    name = name(job.code)
  end
  return {
    language = way.language, job = job, folder = folder, file = name,
    execution = execution.new(self.context.language, self.context.id),
    places = { folder = folder, program = way.program, source = folder .. "/" .. name,
      output = folder .. "/program", name = name:gsub("%.[^./]*$", ""),
      memory = ("%d"):format(sandbox._limits.memory / 2 ^ 21) },
  }
end

local function merged(one, other)
  local all = {}
  for _, envs in ipairs({ one or {}, other or {} }) do
    for name, value in pairs(envs) do
      all[name] = value
    end
  end
  return all
end

-- Why a run that has waited must not go on, if it must not.
local function ended(self, run)
  if self.sandbox:_closed() then
    return errors.new("cancelled", "run_code: the sandbox was closed")
  elseif self.job ~= run.job then
    return errors.new("cancelled", "run_code: the context was restarted or removed")
  end
end

-- Start a program and follow it to its end: the process, still open, and its result, which is nil
-- if a callback has raised; or nil, err.
local function follow(self, run, details, job)
  local started
  local err = ended(self, run)
  if err then
    return nil, err
  end
  details.kind, details.input = "command", job.stdin ~= nil
  started, err = process.start(self.sandbox, details)
  if not started then
    return nil, err
  end
  self.process = started
  local result, raised
  result, err, raised = process.run(started, {
    call = job.call, stdin = job.stdin, on_stdout = job.on_stdout, on_stderr = job.on_stderr,
    timeout = math.max(run.job.clock() - reactor.now(), 0.001), is_awaited = run.job.is_awaited,
    whole = run.job,
  })
  local stopped = ended(self, run)
  if stopped then
    return nil, stopped
  end
  self.process = nil
  if result or raised then
    run.raised = raised
    return started, result
  end
  started:close()
  return nil, err
end

-- What the machine did to a program, if it did.
local function take_mishap(run, result)
  local done = run.execution
  if result.timed_out then
    done.timed_out, done.error = true, execution.late(run.job.timeout)
  elseif result.out_of_memory then
    done.out_of_memory, done.error = true, execution.hog()
  end
  return done.error ~= nil
end

-- Compile: whether there is something to run then; or nil, err.
local function compile(self, run)
  local language = run.language
  local compiler, result = follow(self, run, {
    argv = fill(language.compile, run.places), cwd = run.folder, envs = language.envs,
  }, { call = run.job.call })
  if not compiler then
    return nil, result
  end
  local text = failure.relative(result.stdout .. result.stderr, run.folder)
  compiler:close()
  if take_mishap(run, result) then
    return false
  elseif result.exit_code ~= 0 then
    run.execution.error = failure.of_compiler(text, run.file, language, run.job.code)
    return false
  end
  run.warnings = text ~= "" and text or nil
  return true
end

-- What the compiler warned of comes before what the program prints.
local function hand_over_warnings(run)
  local job = run.job
  if run.warnings and job.on_stderr then
    local ok, problem = job.call(job.on_stderr, run.warnings)
    run.raised = not ok and { problem } or nil
  end
  return not run.raised
end

local function start_program(self, run)
  local program_started, result = follow(self, run, {
    argv = fill(run.language.run, run.places), cwd = self.cwd,
    envs = merged(not run.language.compile and run.language.envs or nil, run.job.envs),
  }, run.job)
  if not program_started then
    return nil, result
  end
  local done = run.execution
  execution.take_output(done, program_started)
  program_started:close()
  if run.warnings then
    table.insert(done.logs.stderr, 1, run.warnings)
  end
  if result and not take_mishap(run, result) then
    done.error = failure.of_program(result, run.file, run.folder, run.language.place)
  end
  return true
end

-- Not the doing of what was run here before.
local FINAL = { cancelled = true, no_space = true, out_of_memory = true, sandbox_gone = true,
  timeout = true }

-- What was run before may have put anything in the place of the folder.
local function write_source(self, run)
  local language, files = run.language, self.sandbox.files
  local text = language.prepare and language.prepare(run.job.code) or run.job.code
  local written
  local err = ended(self, run)
  if not err then
    written, err = files:write(run.places.source, text)
  end
  if not written and not FINAL[err.kind] then
    files:remove(FOLDER)
    err = ended(self, run)
    if not err then
      written, err = files:write(run.places.source, text)
    end
  end
  return written, err
end

-- Write, compile and run: true, or nil, err.
local function work(self, run)
  local language = run.language
  local written, err = write_source(self, run)
  if not written then
    return nil, err
  end
  if language.compile then
    local compiled
    compiled, err = compile(self, run)
    if not compiled then
      return compiled == false or nil, err
    end
  end
  run.compiled_at = reactor.now()
  if hand_over_warnings(run) then
    return start_program(self, run)
  end
  return true
end

local function run_cell(self, job, began)
  local locked = reactor.now()
  local way, err = languages.way(self.context.language, nil, self.sandbox._root)
  if not way then
    return nil, err
  end
  local run = plan(self, way, job)
  self.job, job.changes = job, changes.begin(self.sandbox)
  job.measure:look(true)
  local ok
  ok, err = work(self, run)
  self.job = nil
  if not self.sandbox:_closed() then
    self.sandbox.files:remove(run.folder) -- where it cannot be, the sandbox is about to end
  end
  if not ok then
    return nil, err
  end
  local done, now = run.execution, reactor.now()
  done.execution_count = self.count + 1
  if done.error and job.on_error and not run.raised then
    local called, problem = job.call(job.on_error, done.error)
    run.raised = not called and { problem } or nil
  end
  self.count = done.execution_count -- as with kernels, after all callbacks
  local timings, compiled_at = done.timings, run.compiled_at or now
  timings.queue, timings.create = locked - began, compiled_at - locked
  timings.run, done.seconds = now - compiled_at, now - began
  return done, run.raised
end

--- Run a program.
---@param job table code, timeout, `call` (how callbacks are called), and the options of run_code
---@return codecell.Execution? execution
---@return codecell.Error? err
function Program:execute(job)
  return turns.execute(self, job, run_cell)
end

return program
