--- Cassettes: what a sandbox was asked and what it answered, in a file that the backend mock plays.
---
--- It is written as it happens. Its first record names the version and the backend; the others are
--- a question and its answer each. Secrets of the sandbox do not stand in it.
local core = require "codecell.core"
local errors = require "codecell.errors"
local format = require "codecell.cassette.format"
local json = require "codecell.json"

local cassette = {}

local VERSION = 1
local DATA_MOST = 1048576 -- bytes of a file that are recorded; longer ones are known by a digest
local CHUNK = 262144
local BRIEF = 300 -- bytes of a question in a message

-- What differs from run to run, and would be all that a diff shows.
local PASSING = { context = true, seconds = true, timings = true, usage = true }

-- ---- questions ----

local function digest_of(size, digest)
  return { sha256 = digest:finish(), size = size }
end

-- Of an open file, which is left as it was found: at its beginning.
local function digest_of_file(content)
  local digest, size = core.digest("sha256"), content:size()
  local piece = content:read(CHUNK)
  while piece do
    digest:update(piece)
    piece = content:read(CHUNK)
  end
  content:seek(0)
  return digest_of(size, digest)
end

local function plain(value)
  local kind = type(value)
  if kind == "userdata" and value ~= json.null then
    return digest_of_file(value)
  elseif kind == "string" and #value > DATA_MOST then
    return digest_of(#value, core.digest("sha256"):update(value))
  end
  return (kind == "string" or kind == "number" or kind == "boolean") and value or json.null
end

-- Questions about files; others a mock cannot be asked either.
local FILES = { list = true, mkdir = true, read = true, remove = true, rename = true, stat = true,
  write = true }

--- What a backend was asked of its files.
---@param operation string
---@param ... any as of `backend.ask`
---@return table? asked nil: that is not recorded
function cassette.of_files(operation, ...)
  if not FILES[operation] then
    return nil
  end
  local list = json.list()
  for i = 1, math.min(select("#", ...), 4) do
    list[i] = plain((select(i, ...)))
  end
  return list
end

--- What a backend was asked by code.
---@param kernel table
---@param job table
---@return table asked
function cassette.of_code(kernel, job)
  return { code = job.code, language = kernel.context.language, stdin = job.stdin }
end

--- What a backend was asked by a command.
---@param argv string[]
---@return table asked
function cassette.of_command(argv)
  return { argv = json.list(argv) }
end

-- ---- recording ----

---@class codecell.Tape
---@field package file file*
---@field package path string
---@field package sandbox table whose secrets are hidden
local Tape = {}
Tape.__index = Tape

local function write(self, record)
  local ok, problem = self.file:write(format.text(format.pack(record, self.sandbox._mask)))
  if ok then
    ok, problem = self.file:flush()
  end
  if not ok then
    return nil, errors.new("system", ("record %s: %s"):format(self.path, tostring(problem)))
  end
  return true
end

--- Note a question and its answer.
---@param kind string
---@param asked table
---@param answer any
---@param err codecell.Error?
---@return true? noted
---@return codecell.Error? problem kind "system": the file takes nothing
function Tape:note(kind, asked, answer, err)
  return write(self, { kind = kind, asked = asked, answer = answer,
    err = err and { kind = err.kind, message = err.message, hint = err.hint } })
end

local function lasting(done)
  local kept = {}
  for name, value in pairs(done or {}) do
    kept[name] = not PASSING[name] and value or nil
  end
  return done and kept
end

local function note_end(tape, process, asked)
  local status = process:_state() == "exited" and process:_exit()
  if not status then
    return tape:note("spawn", asked, nil, errors.new("cancelled",
      ("start %s: it had not ended when its recording did"):format(asked.argv[1])))
  end
  local outputs = {}
  for which = 0, 1 do
    local head, tail = process:_kept(which)
    outputs[which + 1] = head .. (tail or "")
  end
  return tape:note("spawn", asked, { stdout = outputs[1], stderr = outputs[2], code = status.code,
    signal = status.signal, out_of_memory = status.out_of_memory,
    timed_out = process._timed_out })
end

-- The bytes that were asked for, of a file that is not too long; false: it is.
local function bytes_of(content, offset, length)
  local size = content:size()
  local wanted = size and math.min(length or math.huge, math.max(size - offset, 0))
  if not wanted or wanted > DATA_MOST then
    return false
  end
  local pieces, err = {}, nil
  content:seek(offset)
  while wanted > 0 and not err do
    local piece
    piece, err = content:read(wanted)
    if not piece then
      break
    end
    pieces[#pieces + 1], wanted = piece, wanted - #piece
  end
  content:close()
  if err then
    return nil, err
  end
  return table.concat(pieces)
end

-- What was answered, and how it is noted.
local function readable(answer, offset, length)
  if type(answer) ~= "userdata" and not (type(answer) == "table" and answer.close) then
    return answer, nil, answer
  end
  local bytes, err = bytes_of(answer, offset or 0, length)
  if bytes == false then
    return answer, nil, { omitted = answer:size() or json.null }
  end
  return bytes, err, bytes
end

-- A backend that does what another one does, and writes it down.
local function recorder(tape, real)
  local backend = setmetatable({}, { __index = real })

  function backend.execute(sandbox, kernel, job)
    local done, err = real.execute(sandbox, kernel, job)
    local ok, problem = tape:note("execute", cassette.of_code(kernel, job), lasting(done), err)
    if not ok then
      return nil, problem
    end
    return done, err
  end

  function backend.ask(sandbox, what, operation, ...)
    local asked = cassette.of_files(operation, ...)
    local answer, err = real.ask(sandbox, what, operation, ...)
    if not asked then
      return answer, err
    end
    local noted = answer
    if operation == "read" and answer then
      answer, err, noted = readable(answer, select(2, ...))
    end
    local ok, problem = tape:note(operation, asked, noted, err)
    if not ok then
      return nil, problem
    end
    return answer, err
  end

  function backend.spawn(sandbox, options)
    local asked = cassette.of_command(options.argv)
    local process, err = real.spawn(sandbox, options)
    if process then
      process._recorded = function(self) return note_end(tape, self, asked) end
    else
      tape:note("spawn", asked, nil, err)
    end
    return process, err
  end

  return backend
end

--- Write down what a sandbox is asked from now on, until it is closed.
---@param sandbox codecell.Sandbox
---@param path string of a file of this machine, which is replaced
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err kind "system"
function cassette.record(sandbox, path)
  local file, problem = io.open(path, "wb")
  local tape, err = nil, not file and errors.new("system", "create: record: " .. tostring(problem))
  if file then
    tape = setmetatable({ file = file, path = path, sandbox = sandbox }, Tape)
    err = select(2, write(tape, { cassette = VERSION, backend = sandbox.backend }))
  end
  if err then
    sandbox:close()
    return nil, err
  end
  sandbox._backend = recorder(tape, sandbox._backend)
  return sandbox
end

-- ---- playing ----

---@class codecell.Recording what a cassette holds
---@field backend string that was recorded
---@field package path string
---@field package records table[] {kind, asked, answer, err, line, is_used}
---@field package answers table<string, table[]> those by their questions, in their order
local Recording = {}
Recording.__index = Recording

local function malformed(path, line, problem)
  return nil, errors.new("protocol", ("create: mock: %s: line %d is %s"):format(path, line,
    problem))
end

local function key_of(kind, packed)
  return kind .. " " .. errors.assert(json.encode(packed))
end

-- The error of a record that is none, or nil.
local function check(record, is_first)
  if not record then
    return "no record of a cassette"
  elseif is_first and record.cassette == nil then
    return "not the beginning of a cassette"
  elseif is_first and record.cassette ~= VERSION then
    return ("of a cassette of version %s; this codecell plays version %d: record it anew"):format(
      tostring(record.cassette), VERSION)
  elseif not is_first and (type(record.kind) ~= "string" or type(record.asked) ~= "table") then
    return "no question of a cassette"
  end
end

local function read(self, file)
  for record, line in format.records(file) do
    local problem = check(record, self.backend == nil)
    if problem then
      return malformed(self.path, line, problem)
    elseif not self.backend then
      self.backend = tostring(record.backend)
    else
      local key = key_of(record.kind, record.asked)
      self.answers[key] = self.answers[key] or {}
      record.line = line
      table.insert(self.answers[key], record)
      self.records[#self.records + 1] = record
    end
  end
  if not self.backend then
    return malformed(self.path, 1, "not the beginning of a cassette")
  end
  return self
end

--- Read a cassette.
---@param path string
---@return codecell.Recording? recording
---@return codecell.Error? err kinds "not_found", "protocol"
function cassette.open(path)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, errors.new("not_found", "create: mock: " .. tostring(problem))
  end
  local self = setmetatable({ path = path, records = {}, answers = {} }, Recording)
  local ok, err = read(self, file)
  file:close()
  return ok, err
end

-- Why there is no answer: what was asked, and what would have been the next.
local function deviation(self, what, kind, packed)
  local list = self.answers[key_of(kind, packed)]
  local wanted
  for _, record in ipairs(self.records) do
    if not record.is_used then
      wanted = record
      break
    end
  end
  return errors.new("protocol",
    ("%s: the cassette %s does not hold this: came %s %s%s; expected %s"):format(
      what, self.path, kind, format.brief(packed, BRIEF),
      list and (", which line %d has answered already"):format(list[#list].line) or "",
      wanted and ("%s %s, of line %d"):format(wanted.kind, format.brief(wanted.asked, BRIEF),
        wanted.line) or "nothing more"))
end

local function failure_of(record)
  local err = record.err
  if type(err) ~= "table" or err == json.null then
    return nil
  end
  local hint = format.unpack(err.hint)
  return setmetatable({ kind = tostring(err.kind), message = tostring(format.unpack(err.message)),
    hint = type(hint) == "string" and hint or nil }, core.error_metatable)
end

--- The next answer to a question; each answers once.
---@param what string begins the message of an error
---@param kind string
---@param asked table
---@param mask userdata? of the secrets that were hidden when it was recorded
---@return any answer
---@return codecell.Error? err after nil: as it was recorded, or kind "protocol": there is none
function Recording:take(what, kind, asked, mask)
  local packed = format.pack(asked, mask)
  for _, record in ipairs(self.answers[key_of(kind, packed)] or {}) do
    if not record.is_used then
      record.is_used = true
      local err = failure_of(record)
      local answer = not err and format.unpack(record.answer) or nil
      if type(answer) == "table" and answer.omitted ~= nil and kind == "read" then
        err = errors.new("unsupported", ("%s: the cassette %s keeps no file of more than %d bytes")
          :format(what, self.path, DATA_MOST))
      end
      return not err and answer or nil, err
    end
  end
  return nil, deviation(self, what, kind, packed)
end

return cassette
