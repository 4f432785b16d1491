--- What the records of a sandbox's verbs hold: what it was asked for, and what it answered.
local base64 = require "codecell.base64"
local json = require "codecell.json"
local sorted = require "codecell.sorted"
local texts = require "codecell.audit.texts"

local contents = {}

local BINARY = { jpeg = true, pdf = true, png = true }
-- Of a result: what is no format of it.
local PLAIN = { is_main_result = true, main = true }

--- A time to the microsecond: more says nothing.
---@param seconds number
---@return number
function contents.time(seconds)
  return math.floor(seconds * 1e6 + 0.5) / 1e6
end

local function times_of(timings)
  local times = {}
  for name, seconds in pairs(timings or {}) do
    times[name] = seconds > 0 and contents.time(seconds) or nil
  end
  return times
end

local function names_of(values)
  local names = sorted(values)
  return #names > 0 and json.list(names) or nil
end

contents.names = names_of

--- What a sandbox is made with.
---@param given table options of create
---@param mask userdata? of its secrets
---@return table content
function contents.create(given, mask)
  local network = require("codecell.network").shown(given.network or "none")
  return {
    backend = given.backend or "local", template = given.template, timeout = given.timeout,
    limits = given.limits, network = texts.copy(network, mask),
    packages = texts.copy(given.packages, mask), mounts = texts.copy(given.mounts, mask),
    languages = given.languages, read_only = given.read_only, cwd = given.cwd, name = given.name,
    metadata = texts.copy(given.metadata, mask), envs = names_of(given.envs),
    secrets = names_of(given.secrets),
  }
end

--- Code that is to be run.
---@param sandbox codecell.Sandbox
---@param kernel codecell.Kernel
---@param job table
---@return table content
function contents.run(sandbox, kernel, job)
  local keep, mask = sandbox._audit.code, sandbox._mask
  return { language = kernel.context.language, context = kernel.context.id, timeout = job.timeout,
    code = texts.pack(job.code, keep, mask), envs = names_of(job.envs),
    stdin = type(job.stdin) == "string" and texts.pack(job.stdin, keep, mask) or nil }
end

local function log_of(pieces, keep)
  return texts.pack(table.concat(pieces), keep)
end

local function result_of(result, keep)
  local told = {}
  for name, value in pairs(result) do
    if PLAIN[name] then
      told[name] = value
    elseif BINARY[name] and type(value) == "string" then
      local packed = texts.pack(value, keep)
      told[name] = type(packed) == "string" and { base64 = base64.encode(packed) } or packed
    elseif type(value) == "string" then
      told[name] = texts.pack(value, keep)
    elseif type(value) ~= "function" then
      told[name] = keep and texts.copy(value)
        or texts.pack(json.encode(texts.copy(value)) or "", false)
    end
  end
  return told
end

-- What an error says may be what the code has read.
local function error_of(failure, keep)
  return { name = failure.name, value = texts.pack(failure.value or "", keep),
    traceback = texts.pack(failure.traceback or "", keep) }
end

-- A copy of a list that is not empty.
local function some(list)
  return list and next(list) ~= nil and texts.copy(list) or nil
end

local function status_of(execution)
  return execution.timed_out and "timed_out" or execution.out_of_memory and "out_of_memory"
    or execution.error and "error" or "ok"
end

--- What code has done. Secrets were masked where it was read.
---@param sandbox codecell.Sandbox
---@param execution codecell.Execution
---@return table content
function contents.execution(sandbox, execution)
  local keep = sandbox._audit.output
  local results = json.list()
  for i, result in ipairs(execution.results) do
    results[i] = result_of(result, keep)
  end
  return {
    status = status_of(execution), execution_count = execution.execution_count,
    stdout = log_of(execution.logs.stdout, keep), stderr = log_of(execution.logs.stderr, keep),
    results = results, error = execution.error and error_of(execution.error, keep),
    files_changed = some(execution.files_changed), refused = some(execution.refused),
    timings = times_of(execution.timings), truncated = execution.truncated,
    state_lost = execution.state_lost or nil,
  }
end

--- A command that is to be started.
---@param sandbox codecell.Sandbox
---@param details table of the spawn
---@return table content
function contents.command(sandbox, details)
  local keep, mask = sandbox._audit.code, sandbox._mask
  local argv = json.list()
  for i, word in ipairs(details.argv) do
    argv[i] = texts.pack(word, keep or i == 1, mask)
  end
  return { argv = argv, cwd = details.cwd, tag = details.tag, envs = names_of(details.envs),
    terminal = details.kind == "terminal" or nil, timeout = details.timeout,
    stdin = type(details.stdin) == "string" and texts.pack(details.stdin, keep, mask) or nil }
end

-- What one has printed until it was let go.
local function kept(process, which)
  if which == 1 and process._terminal then
    return ""
  end
  local head, tail = process:_kept(which)
  return head .. (tail or "")
end

--- What became of a command.
---@param sandbox codecell.Sandbox
---@param process codecell.Process
---@param result codecell.CommandResult? nil: it was let go before its end was known
---@return table content
function contents.ended(sandbox, process, result)
  local keep = sandbox._audit.output
  local state, err = process:_state()
  local done = result or {}
  return {
    status = not result and (state == "failed" and "failed" or "closed")
      or done.timed_out and "timed_out" or done.signal and "signal" or "exited",
    exit_code = result and not done.signal and done.exit_code or nil, signal = done.signal,
    stdout = texts.pack(done.stdout or kept(process, 0), keep),
    stderr = texts.pack(done.stderr or kept(process, 1), keep), truncated = done.truncated,
    err = err and { kind = err.kind, message = err.message } or nil,
  }
end

local files = {}

function files.write(sandbox, path, source, mode)
  local keep, mask = sandbox._audit.code, sandbox._mask
  return { path = path, mode = type(mode) == "number" and mode > 0 and mode or nil,
    data = type(source) == "string" and texts.pack(source, keep, mask)
      or texts.of_file(source, keep, mask) }
end

files.append = files.write

function files.link(_, path, target)
  return { path = path, to = target }
end

files.rename = files.link

function files.unpack(sandbox, path, stream)
  return { path = path, data = type(stream) == "userdata" and texts.of_file(stream, false,
    sandbox._mask) or nil }
end

function files.read(_, path, offset, length)
  return { path = path, offset = offset ~= 0 and offset or nil, length = length }
end

function files.mkdir(_, path)
  return { path = path }
end

files.remove = files.mkdir

function files.signal(_, pid, number)
  return { pid = pid, signal = number }
end

--- What is recorded of the questions to a backend, by their names.
contents.files = files

return contents
