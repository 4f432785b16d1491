--- Cassettes: what a sandbox was asked and what it answered, in a file that the backend mock plays.
---
--- One JSON object a line, written as it happens: the first names the backend that was recorded.
--- Bytes that are no UTF-8 are {"$base64": "..."}.
local base64 = require "codecell.base64"
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local secrets = require "codecell.secrets"

local cassette = {}

local VERSION = 1
local FILE_MOST = 1073741824 -- bytes of a cassette
local DATA_MOST = 1048576 -- bytes of a file that are recorded
local BYTES = "$base64"

-- ---- values ----

local function pack(value)
  if type(value) == "string" and json.repair(value) ~= value then
    return { [BYTES] = base64.encode(value) }
  elseif type(value) ~= "table" or value == json.null then
    return value
  end
  local packed = json.is_list(value) and json.list() or {}
  for key, item in pairs(value) do
    if type(key) == "string" or type(key) == "number" then
      packed[key] = pack(item)
    end
  end
  return packed
end

local function unpack(value)
  if type(value) ~= "table" or value == json.null then
    return value
  elseif type(value[BYTES]) == "string" then
    return base64.decode(value[BYTES]) or ""
  end
  for key, item in pairs(value) do
    value[key] = unpack(item)
  end
  return value
end

--- What tells one question from another.
---@param kind string "execute", "spawn", or the operation of a file
---@param asked table
---@return string
function cassette.key(kind, asked)
  return kind .. " " .. errors.assert(json.encode(pack(asked)))
end

-- ---- recording ----

---@class codecell.Tape
---@field package file file*
local Tape = {}
Tape.__index = Tape

local function write(self, record)
  local text = json.encode(pack(record))
  if text then
    self.file:write(text, "\n")
    self.file:flush()
  end
end

--- Note a question and its answer.
---@param kind string
---@param asked table
---@param answer any
---@param err codecell.Error?
function Tape:note(kind, asked, answer, err)
  write(self, { kind = kind, asked = asked, answer = answer,
    err = err and { kind = err.kind, message = err.message, hint = err.hint } })
end

local function asked_of(kernel, job)
  return { code = job.code, language = kernel.context.language, stdin = job.stdin }
end

cassette.asked_of = asked_of

-- Questions about files whose arguments and answers are plain values.
local FILES = { list = true, mkdir = true, read = true, remove = true, rename = true, stat = true,
  write = true }

local function plain(...)
  local list = json.list()
  for i = 1, math.min(select("#", ...), 4) do
    local value = (select(i, ...))
    local kind = type(value)
    if kind == "userdata" or kind == "string" and #value > DATA_MOST then
      return nil
    end
    list[i] = (kind == "string" or kind == "number" or kind == "boolean") and value or json.null
  end
  return list
end

cassette.plain = plain

local function note_end(tape, process, argv)
  local status = process:_state() == "exited" and process:_exit()
  if status then
    local outputs = {}
    for which = 0, 1 do
      local head, tail = process:_kept(which)
      outputs[which + 1] = head .. (tail or "")
    end
    tape:note("spawn", { argv = json.list(argv) }, { stdout = outputs[1], stderr = outputs[2],
      code = status.code, signal = status.signal, out_of_memory = status.out_of_memory })
  end
end

-- A backend that does what another one does, and writes it down.
local function recorder(tape, real)
  local backend = setmetatable({}, { __index = real })

  function backend.execute(sandbox, kernel, job)
    local done, err = real.execute(sandbox, kernel, job)
    local asked = asked_of(kernel, job)
    asked.code = secrets.hide(sandbox, asked.code)
    tape:note("execute", asked, done, err)
    return done, err
  end

  function backend.ask(sandbox, what, operation, ...)
    local answer, err = real.ask(sandbox, what, operation, ...)
    local asked = FILES[operation] and plain(...)
    if asked and type(answer) ~= "userdata" and not (type(answer) == "table" and answer.close) then
      tape:note(operation, asked, answer, err)
    end
    return answer, err
  end

  function backend.spawn(sandbox, options)
    local argv = {}
    for i, word in ipairs(options.argv) do
      argv[i] = secrets.hide(sandbox, word)
    end
    local process, err = real.spawn(sandbox, options)
    if process then
      process._recorded = function(self) note_end(tape, self, argv) end
    else
      tape:note("spawn", { argv = json.list(argv) }, nil, err)
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
  if not file then
    sandbox:close()
    return nil, errors.new("system", "create: record: " .. tostring(problem))
  end
  local tape = setmetatable({ file = file }, Tape)
  write(tape, { cassette = VERSION, backend = sandbox.backend })
  sandbox._backend = recorder(tape, sandbox._backend)
  return sandbox
end

-- ---- playing ----

---@class codecell.Recording what a cassette holds
---@field backend string that was recorded
---@field package answers table<string, table[]> by key, in their order
local Recording = {}
Recording.__index = Recording

local function malformed(path, number)
  return nil, errors.new("protocol", ("create: mock: %s: line %d is none of a cassette"):format(
    path, number))
end

--- Read a cassette.
---@param path string
---@return codecell.Recording? recording
---@return codecell.Error? err kinds "not_found", "protocol", "limit_exceeded"
function cassette.open(path)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, errors.new("not_found", "create: mock: " .. tostring(problem))
  end
  local self, number, size = setmetatable({ answers = {} }, Recording), 0, 0
  for line in file:lines() do
    number, size = number + 1, size + #line
    local record = json.decode(line)
    local is_first = number == 1
    if size > FILE_MOST then
      file:close()
      return nil, errors.new("limit_exceeded", "create: mock: the cassette is too large")
    elseif type(record) ~= "table" or is_first and record.cassette ~= VERSION
      or not is_first and (type(record.kind) ~= "string" or type(record.asked) ~= "table") then
      file:close()
      return malformed(path, number)
    elseif is_first then
      self.backend = tostring(record.backend)
    else
      local key = record.kind .. " " .. json.encode(record.asked)
      self.answers[key] = self.answers[key] or {}
      table.insert(self.answers[key], record)
    end
  end
  file:close()
  if number == 0 then
    return malformed(path, 1)
  end
  return self
end

--- The next answer to a question.
---@param kind string
---@param asked table
---@return any answer nil: none was recorded
---@return codecell.Error? err that was recorded
---@return boolean found
function Recording:take(kind, asked)
  local list = self.answers[cassette.key(kind, asked)]
  local record = list and table.remove(list, 1)
  if not record then
    return nil, nil, false
  end
  local err = record.err
  if type(err) == "table" and err ~= json.null then
    return nil, setmetatable({ kind = tostring(err.kind), message = tostring(err.message),
      hint = type(err.hint) == "string" and err.hint or nil }, core.error_metatable), true
  end
  return unpack(record.answer), nil, true
end

return cassette
