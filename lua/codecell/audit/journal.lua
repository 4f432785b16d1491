--- Adding records to an audit file, which other programs may do at the same time: each time its
--- end is looked at anew, under its lock, and nothing is kept open in between.
local chain = require "codecell.audit.chain"
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local lines = require "codecell.audit.lines"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local journal = {}

local FORMAT = 1
local PATIENCE = 30 -- seconds for others to let go of the lock: a purge writes the whole file
local LOOK = 0.002
local ATTEMPTS = 8 -- while others put full files aside
local BLOCK = 65536
local OPENING = '{"content":'
local ANCHOR = "^(%d+) (%x+)%s*$"

---@class codecell.Journal
---@field path string
---@field most number bytes of a file, before it is put aside
---@field is_synced boolean each record is on the disk before anything is done
---@field package last string? digest of the record that was written last, here
---@field package number integer? of the record behind it
local Journal = {}
Journal.__index = Journal

---@param path string
---@param most number
---@param is_synced boolean
---@return codecell.Journal
function journal.new(path, most, is_synced)
  return setmetatable({ path = path, most = most, is_synced = is_synced }, Journal)
end

local HINTS = {
  no_space = "make room there, or give the audit another path",
  permission_denied = "give the audit a file of your own in a folder of your own",
}

-- Any other kind would be taken for one of the verb that is refused.
local KINDS = { cancelled = true, limit_exceeded = true, no_space = true,
  permission_denied = true }

local function explain(err)
  err.kind = KINDS[err.kind] and err.kind or "system"
  local hint = HINTS[err.kind] or "give the audit another path"
  if not err.message:find("audit: ", 1, true) then
    err.message = "audit: " .. err.message
  end
  err.message, err.hint = err.message .. "; nothing is done unrecorded: " .. hint, hint
  return err
end

local function broken(path, problem)
  return errors.new("system", ("audit: %s %s; see 'codecell audit verify %s'"):format(path, problem,
    path))
end

-- ---- the lock ----

--- Open the file for oneself alone, waiting for others that write to it.
---@param path string
---@return userdata? file
---@return codecell.Error? err
function journal.lock(path)
  local file, err = core.journal(path)
  local deadline = not file and wait.deadline(PATIENCE) -- which a host may forbid
  while not file and err.kind == "unavailable" and reactor.now() < deadline do
    wait.key(nil, wait.earlier(reactor.now() + LOOK, deadline))
    local refusal = wait.refusal("audit")
    if refusal then
      return nil, refusal
    end
    file, err = core.journal(path)
  end
  return file, err
end

-- ---- the anchor ----

--- What is known of the last record beside the file.
---@param path string
---@return integer? number nil: nothing
---@return string? digest
function journal.anchor(path)
  local file = core.host_file(path .. ".anchor")
  if not file then
    return nil
  end
  local number, digest = (file:read(128) or ""):match(ANCHOR)
  file:close()
  return tonumber(number), digest
end

--- What an anchor is written as.
---@param number integer
---@param digest string
---@return string
function journal.anchor_text(number, digest)
  return ("%.0f %s"):format(number, digest)
end

-- Always as long: a writer that dies leaves the old one or the new one.
local function note(path, number, digest)
  return core.journal_note(path .. ".anchor",
    ("%-81s\n"):format(journal.anchor_text(number, digest)))
end

-- ---- the end of the file ----

local function read_at(file, from, count)
  local pieces = {}
  file:seek(from)
  while count > 0 do
    local piece, err = file:read(count)
    if not piece then
      return nil, err
    end
    pieces[#pieces + 1], count = piece, count - #piece
  end
  return table.concat(pieces)
end

-- Where the last line that has an end ends; 0: there is none.
local function whole_lines(file, size)
  local till = size
  while till > 0 do
    local from = math.max(till - BLOCK, 0)
    local text, err = read_at(file, from, till - from)
    if not text then
      return nil, err
    end
    local behind = text:reverse():find("\n", 1, true)
    if behind then
      return till - behind + 1
    end
    till = from
  end
  return 0
end

-- The end of a file, with all of its last head.
local function read_tail(file, size)
  return read_at(file, math.max(size - chain.tail, 0), math.min(size, chain.tail))
end

-- ---- one visit ----

-- Whether something is where it was left: the end may have been cut off, or all of it.
local function check(self, state)
  local number, digest = journal.anchor(self.path)
  if number and (number >= state.number
    or number == state.number - 1 and digest ~= state.previous) then
    return nil, broken(self.path, ("does not hold what %s.anchor tells: it ends at record %d, and "
      .. "%d were there: it was cut or replaced"):format(self.path, state.number - 1, number))
  end
  return true
end

-- Where the chain stands when its file is new: at its beginning, or behind the part before.
local function begin(self, state)
  local parts = lines.parts(self.path)
  local before = parts[#parts] and ("%s.%d"):format(self.path, parts[#parts])
  if not before then
    state.number, state.previous = 0, chain.digest(core.random_id(40))
    state.opening = "begin"
    return check(self, state)
  end
  local file, err = core.host_file(before)
  if not file then
    return nil, err
  end
  local tail
  tail, err = read_tail(file, file:size())
  file:close()
  local head, _, digest = chain.ending(tail and tail:sub(1, -2) or "")
  if not head then
    return nil, err or broken(before, "does not end with a record")
  end
  state.number, state.previous, state.opening = head.number + 1, digest, "continue"
  return check(self, state)
end

-- What was not written whole is no record: whoever wrote it has done nothing since.
local function mend(self, state)
  local size, err = whole_lines(state.file, state.size)
  if not size then
    return nil, err
  end
  local rest = read_at(state.file, size, math.min(state.size - size, BLOCK)) or ""
  if size == 0 and rest:sub(1, #OPENING) ~= OPENING:sub(1, #rest) then
    return nil, broken(self.path, "is no audit file")
  end
  local ok
  ok, err = core.journal_cut(state.file, size)
  if not ok then
    return nil, err
  end
  state.lost, state.size = state.size - size, size
  return true
end

-- Where the chain stands, by the end of its file.
local function look(self, state)
  local tail, err = "", nil
  if state.size > 0 then
    tail, err = read_tail(state.file, state.size)
  end
  local ok = tail
  if ok and tail ~= "" and tail:sub(-1) ~= "\n" then
    ok, err = mend(self, state)
    tail = ok and state.size > 0 and read_tail(state.file, state.size) or ""
  end
  if not ok then
    return nil, err
  elseif state.size == 0 then
    return begin(self, state)
  elseif self.last and tail:sub(-#self.last - 3) == self.last .. '"}\n' then
    state.number, state.previous = self.number, self.last -- nobody else was here
    return true
  end
  local head, _, digest = chain.ending(tail:sub(1, -2))
  if not head then
    return nil, broken(self.path, "does not end with a record")
  end
  state.number, state.previous = head.number + 1, digest
  return check(self, state)
end

-- Open the file and find the end of the chain.
local function enter(self)
  local file, err = journal.lock(self.path)
  if not file then
    return nil, err
  end
  local state, ok = { file = file, size = file:size() }
  ok, err = look(self, state)
  if not ok then
    file:close()
    return nil, err
  end
  return state
end

local function put(self, state, record, content)
  local text, err = json.encode(content)
  if not text then
    return nil, err
  end
  local line, digest = chain.line({ at = core.time(), event = record.event, phase = record.phase,
    of = record.of, number = state.number, previous = state.previous, content = text })
  if #line > chain.LINE_MOST then
    return nil, errors.new("limit_exceeded", ("audit: a record of %d bytes is more than %d; keep "
      .. "less by code = false"):format(#line, chain.LINE_MOST))
  end
  local ok
  ok, err = core.journal_append(state.file, state.size, line)
  if not ok then
    err.message = ("%s: %s"):format(self.path, err.message)
    return nil, err
  end
  state.size, state.number, state.previous = state.size + #line, state.number + 1, digest
  return state.number - 1
end

-- The records of the file itself that come before any other.
local function open_chain(self, state)
  local about = { salt = core.random_id(32), pid = core.getpid() }
  local ok, err = true, nil
  if state.opening then
    about.format = FORMAT
    ok, err = put(self, state, { event = state.opening }, about)
  end
  if ok and state.lost then
    about.lost = state.lost
    ok, err = put(self, state, { event = "recovered" }, about)
  end
  return ok, err
end

local function put_aside(self)
  local parts = lines.parts(self.path)
  local to = ("%s.%d"):format(self.path, (parts[#parts] or 0) + 1)
  local ok, problem = os.rename(self.path, to)
  if not ok then
    return nil, errors.new("system", "audit: " .. tostring(problem))
  end
  return true
end

local function leave(self, state)
  local ok, err = true, nil
  if self.is_synced then
    ok, err = state.file:flush()
  end
  if ok then
    ok, err = note(self.path, state.number - 1, state.previous)
  end
  self.last, self.number = state.previous, state.number
  state.file:close()
  return ok, err
end

local function visit(self, record, content)
  local state, err = enter(self)
  if not state then
    return nil, err
  elseif state.size >= self.most then
    local ok
    ok, err = put_aside(self)
    state.file:close()
    return ok and false, err
  end
  local ok, number
  ok, err = open_chain(self, state)
  if ok then
    number, err = put(self, state, record, content)
  end
  if not number then
    if state.number > 0 then
      note(self.path, state.number - 1, state.previous)
    end
    state.file:close()
    return nil, err
  end
  ok, err = leave(self, state)
  return ok and number, err
end

--- Add a record.
---@param record {event: string, phase: string?, of: integer?}
---@param content table what JSON can say
---@return integer? number of the record
---@return codecell.Error? err it was not added: kinds "no_space", "permission_denied", "system"
function Journal:add(record, content)
  local number, err = false, nil
  for _ = 1, ATTEMPTS do
    number, err = visit(self, record, content)
    if number ~= false then
      break
    end
  end
  if not number then
    return nil, explain(err or errors.new("unavailable", "audit: others replace " .. self.path))
  end
  return number
end

return journal
