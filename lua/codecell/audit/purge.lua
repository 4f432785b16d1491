--- Emptying records: their contents go, their heads stay, and the chain with them. A record tells
--- which were emptied, and not whose they were; it comes first, so that none is ever found empty
--- that no record tells of.
local chain = require "codecell.audit.chain"
local core = require "codecell.core"
local errors = require "codecell.errors"
local journal = require "codecell.audit.journal"
local json = require "codecell.json"
local lines = require "codecell.audit.lines"
local ranges = require "codecell.audit.ranges"
local wait = require "codecell.wait"

local purge = {}

local IN_A_ROW = 500
-- What tells of the file itself, and of nobody.
local KEPT = { begin = true, continue = true, purge = true, recovered = true }

---@class codecell.AuditMeant which records are to be emptied
---@field head fun(head: codecell.AuditHead): boolean|nil nil: neither this one nor any later one
---@field content (fun(content: table): boolean)? nil: whatever it is

-- The head of a line that is to be emptied; false: it is not; nil: nor any later one.
local function examine(line, meant)
  local head = chain.ending(line)
  if not head or KEPT[head.event] then
    return false
  end
  local wanted = meant.head(head)
  if not wanted then
    return wanted
  end
  local _, content, _, problem = chain.parse(line)
  if not content or content == chain.EMPTY or problem then
    return false -- what is broken stays, for verify to tell of
  elseif meant.content then
    local decoded = json.decode(content)
    return type(decoded) == "table" and meant.content(decoded) and head
  end
  return head
end

local function turn(number)
  if number % IN_A_ROW == 0 then
    wait.turn()
  end
end

-- Why the lines have ended before the file has: a part of it is not taken for all of it.
local function failure_of(line, whole)
  if line == false then
    return errors.new("system",
      "audit: a line is longer than any record; see 'codecell audit verify'")
  end
  return line == nil and whole or nil
end

-- Note the numbers of what is to be emptied in a file.
local function search(path, meant, found)
  local from, err = lines.open(path)
  if not from then
    return err.kind == "not_found" or nil, err
  end
  local line, whole = from:next()
  while line do
    local head = whole and examine(line, meant)
    if head == nil then
      break
    elseif head then
      ranges.add(found, head.number)
    end
    turn(from.number)
    line, whole = from:next()
  end
  from:close()
  err = failure_of(line, whole)
  return not err or nil, err
end

local function search_all(path, meant)
  local found = {}
  for _, one in ipairs(lines.files(path)) do
    local ok, err = search(one, meant, found)
    if not ok then
      return nil, err
    end
  end
  return found
end

-- Copy the lines of a file, those of some numbers without their contents. Tells whether there were
-- any.
local function copy(from, to, numbers)
  local line, whole = from:next()
  local size, found = 0, false
  while line do
    local head = whole and chain.ending(line)
    local is_meant = head and not KEPT[head.event] and ranges.cover(numbers, head.number)
    local text = is_meant and chain.emptied(line) or line .. (whole and "\n" or "")
    local ok, err = core.journal_append(to, size, text)
    if not ok then
      return nil, err
    end
    size, found = size + #text, found or is_meant == true
    turn(from.number)
    line, whole = from:next()
  end
  local ok, err = nil, failure_of(line, whole)
  if not err then
    ok, err = to:flush()
  end
  if not ok then
    return nil, err
  end
  return found
end

-- Put a file without those contents in the place of one, whose lock is ours.
local function rewrite(path, numbers)
  local from, err = lines.open(path)
  if not from then
    return nil, err
  end
  local draft = path .. ".purging"
  os.remove(draft) -- of one that was killed
  local to, done
  to, err = core.journal(draft)
  if to then
    done, err = copy(from, to, numbers)
    to:close()
  end
  from:close()
  if done then
    local renamed, problem = os.rename(draft, path)
    done, err = renamed, not renamed and errors.new("system", tostring(problem)) or nil
  end
  if not done then
    os.remove(draft)
  end
  return done ~= nil or nil, err
end

-- A call while we have the lock of a file: others wait for as long.
local function locked(path, called, ...)
  local lock, err = journal.lock(path)
  if not lock then
    return nil, err
  end
  local ok, done
  ok, done, err = wait.call(called, ...)
  lock:close()
  if not ok then
    error(done, 0)
  end
  return done, err
end

-- The first file that was not done; one that is put aside meanwhile has another name then.
local function next_file(path, done)
  for _, one in ipairs(lines.files(path)) do
    if not done[one] then
      done[one] = true
      return one
    end
  end
end

local function rewrite_all(path, numbers)
  local done, ok, err = {}, true, nil
  local one = next_file(path, done)
  while one and ok do
    ok, err = locked(one, rewrite, one, numbers)
    one = next_file(path, done)
  end
  return ok, err
end

local function with_text(err)
  err.message = err.message:find("^audit: ") and err.message or "audit: " .. err.message
  return err
end

---@param audit codecell.Audit
---@param meant codecell.AuditMeant
---@param reason string
---@return integer? count
---@return codecell.Error? err
local function run(audit, meant, reason)
  local path = audit.path
  local found, err = locked(path, search_all, path, meant)
  if found and #found == 0 then
    return 0
  end
  local ok = found
  if ok then
    ok, err = audit.journal:add({ event = "purge" }, { salt = core.random_id(32),
      records = found, reason = reason })
  end
  if ok then
    ok, err = rewrite_all(path, found)
  end
  if not ok then
    return nil, with_text(err)
  end
  return ranges.count(found)
end

--- Empty the records of somebody.
---@param audit codecell.Audit
---@param subject string
---@return integer? count
---@return codecell.Error? err
function purge.subject(audit, subject)
  return run(audit, {
    head = function() return true end,
    content = function(content) return content.subject == subject end,
  }, "subject")
end

--- Empty what was recorded before a time.
---@param audit codecell.Audit
---@param before number seconds since 1970
---@return integer? count
---@return codecell.Error? err
function purge.older(audit, before)
  return run(audit, { head = function(head) return head.at < before or nil end }, "retention")
end

return purge
