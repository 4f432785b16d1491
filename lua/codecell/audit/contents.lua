--- What the records of a sandbox's verbs hold: what it was asked for, and what it answered.
local base64 = require "codecell.base64"
local json = require "codecell.json"
local signals = require "codecell.process.signals"
local sorted = require "codecell.sorted"
local texts = require "codecell.audit.texts"

local contents = {}

local RESULTS_MOST = 8 * 1024 * 1024 -- bytes of all formats of a run that are kept
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

-- Addresses of indexes may have a name and a password in them.
local function without_accounts(value)
  if type(value) == "string" then
    return (value:gsub("://[^/%s]*@", "://***@"))
  elseif type(value) ~= "table" then
    return value
  end
  local is_list = json.is_list(value)
  local copy = is_list and json.list() or {}
  for key, item in pairs(value) do
    copy[key] = without_accounts(item)
  end
  return copy
end

--- Which packages, and where from.
---@param wanted any
---@param mask userdata? of secrets
---@return any
function contents.packages(wanted, mask)
  return texts.copy(without_accounts(wanted), mask)
end

--- What a sandbox is made with.
---@param given table options of create
---@param mask userdata? of its secrets
---@return table content
function contents.create(given, mask)
  local network = require("codecell.network").shown(given.network or "none")
  return {
    backend = given.backend or "local", template = given.template, timeout = given.timeout,
    limits = given.limits, network = texts.copy(network, mask),
    packages = contents.packages(given.packages, mask), mounts = texts.copy(given.mounts, mask),
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

-- Whether a text is to be kept, and has room beside the others: what does not is known by its
-- digest, so that no result is too much for a record.
local function has_room(room, text)
  room.left = room.left - #text
  return room.keep and room.left >= 0
end

local function format_of(name, value, room)
  if type(value) == "string" then
    local packed = texts.pack(value, has_room(room, value))
    return BINARY[name] and type(packed) == "string" and { base64 = base64.encode(packed) }
      or packed
  end
  local copied = texts.copy(value)
  local text = json.encode(copied) or ""
  return has_room(room, text) and copied or texts.pack(text, false)
end

local function result_of(result, room)
  local told = {}
  for name, value in pairs(result) do
    if PLAIN[name] then
      told[name] = value
    elseif type(value) ~= "function" then
      told[name] = format_of(name, value, room)
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
  local results, room = json.list(), { keep = keep, left = RESULTS_MOST }
  for i, result in ipairs(execution.results) do
    results[i] = result_of(result, room)
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

-- A path, or another short text of what was asked for.
local function hidden(sandbox, text)
  return sandbox._mask and type(text) == "string" and sandbox._mask:hide(text) or text
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
  return { argv = argv, cwd = hidden(sandbox, details.cwd), tag = hidden(sandbox, details.tag),
    envs = names_of(details.envs),
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

-- Of one that has ended, and is let go without a word.
local function status_of_process(process)
  local status = process:_exit()
  return { exit_code = status.code, timed_out = process._timed_out,
    signal = status.signal ~= 0 and signals.name(status.signal) or nil }
end

--- What became of a command.
---@param sandbox codecell.Sandbox
---@param process codecell.Process
---@param result codecell.CommandResult? nil: nobody has asked for it
---@return table content
function contents.ended(sandbox, process, result)
  local keep = sandbox._audit.output
  local state, err = process:_state()
  local done = result or state == "exited" and status_of_process(process) or {}
  return {
    status = state == "failed" and "failed" or not done.exit_code and "closed"
      or done.timed_out and "timed_out" or done.signal and "signal" or "exited",
    exit_code = not done.signal and done.exit_code or nil, signal = done.signal,
    stdout = texts.pack(done.stdout or kept(process, 0), keep),
    stderr = texts.pack(done.stderr or kept(process, 1), keep), truncated = done.truncated,
    err = err and { kind = err.kind, message = hidden(sandbox, err.message) } or nil,
  }
end

local files = {}

function files.write(sandbox, path, source, mode)
  local keep, mask = sandbox._audit.code, sandbox._mask
  return { path = hidden(sandbox, path), mode = type(mode) == "number" and mode > 0 and mode or nil,
    data = type(source) == "string" and texts.pack(source, keep, mask)
      or texts.of_file(source, keep, mask) }
end

files.append = files.write

function files.link(sandbox, path, target)
  return { path = hidden(sandbox, path), to = hidden(sandbox, target) }
end

files.rename = files.link

function files.unpack(sandbox, path, stream)
  return { path = hidden(sandbox, path), data = type(stream) == "userdata"
    and texts.of_file(stream, false, sandbox._mask) or nil }
end

function files.read(sandbox, path, offset, length)
  return { path = hidden(sandbox, path), offset = offset ~= 0 and offset or nil, length = length }
end

function files.mkdir(sandbox, path)
  return { path = hidden(sandbox, path) }
end

files.remove = files.mkdir

function files.signal(_, pid, number)
  return { pid = pid, signal = number }
end

--- What is recorded of the questions to a backend, by their names.
contents.files = files

return contents
