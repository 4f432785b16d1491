--- Whether an audit file is as it was written: no byte changed, no record removed, moved or added,
--- none cut off at the end.
local audit = require "codecell.audit"
local chain = require "codecell.audit.chain"
local errors = require "codecell.errors"
local journal = require "codecell.audit.journal"
local json = require "codecell.json"
local lines = require "codecell.audit.lines"
local options = require "codecell.options"
local ranges = require "codecell.audit.ranges"
local wait = require "codecell.wait"

local verify = {}

local PROBLEMS_MOST = 100
local IN_A_ROW = 2000 -- lines, until others have their turn
local ATTEMPTS = 4 -- while files are put aside

---@class codecell.AuditReport
---@field ok boolean
---@field records integer
---@field emptied integer of them without their contents
---@field problems {file: string, line: integer, problem: string}[] at most 100
---@field anchor string? "NUMBER DIGEST" of the last record: keep it elsewhere
---@field first integer? number of the first record: more than 0 where the files before it are gone
---@field is_torn boolean? the last line is not whole: a writer is at it, or was stopped
---@field last_at number? seconds since 1970 of the last record

local VERIFY = { anchor = { type = "name" } }

local function complain(self, line, problem)
  self.ok = false
  if #self.problems < PROBLEMS_MOST then
    self.problems[#self.problems + 1] = { file = self.file, line = line, problem = problem }
  end
end

local function note_emptied(self, head, line)
  self.emptied = self.emptied + 1
  local range = ranges.add(self.empty, head.number)
  if range then
    range.line, range.file = line, self.file
  end
end

local function note_purge(self, content)
  local decoded = json.decode(content)
  for _, range in ipairs(type(decoded) == "table" and type(decoded.records) == "table"
    and decoded.records or {}) do
    if type(range) == "table" and type(range[1]) == "number" and type(range[2]) == "number" then
      self.purged[#self.purged + 1] = { range[1], range[2] }
    end
  end
end

-- Whether a record follows on the one before.
local function follow(self, head, digest, line)
  if not self.previous then
    self.first = head.number
    if head.event ~= "begin" or head.number ~= 0 then
      complain(self, line, ("the records before number %d are missing"):format(head.number))
    end
  elseif head.number ~= self.number + 1 then
    complain(self, line, ("record %d stands where %d belongs"):format(head.number,
      self.number + 1))
  elseif head.previous ~= self.previous then
    complain(self, line, ("it does not follow on record %d as that stands there"):format(
      self.number))
  end
  self.previous, self.number, self.last_at = digest, head.number, head.at
  if self.wanted and self.wanted.number == head.number then
    self.wanted.is_met = self.wanted.digest == digest
    self.wanted.line, self.wanted.file = line, self.file
  end
end

local function check_line(self, line, number)
  local head, content, digest, problem = chain.parse(line)
  if not head then
    complain(self, number, "it is no record")
    self.is_lost = true
    return
  end
  self.records, self.line = self.records + 1, number
  if problem then
    complain(self, number, problem)
  end
  if self.is_lost then -- one complaint is enough for what a broken line has broken
    self.previous, self.number = head.previous, head.number - 1
  end
  self.is_lost = problem ~= nil
  follow(self, head, digest, number)
  if content == chain.EMPTY then
    note_emptied(self, head, number)
  elseif head.event == "purge" then
    note_purge(self, content)
  end
end

local function check_file(self, path, is_last)
  local from, err = lines.open(path)
  if not from then
    return nil, err
  end
  self.file = path
  local line, whole = from:next()
  while line do
    if whole then
      check_line(self, line, from.number)
    elseif is_last then
      self.is_torn = true
    else
      complain(self, from.number, "it is cut off")
    end
    if from.number % IN_A_ROW == 0 then
      wait.turn()
    end
    line, whole = from:next()
  end
  if line == false then
    complain(self, from.number, "it is longer than any record")
  end
  from:close()
  return line ~= nil or not whole or nil, line == nil and whole or nil
end

local function by_start(one, other)
  return one[1] < other[1]
end

-- What was emptied, and no purge tells of it.
local function check_empty(self)
  table.sort(self.purged, by_start)
  local place, covered = 1, {}
  for _, range in ipairs(self.purged) do -- joined where they meet
    local last = covered[#covered]
    if last and range[1] <= last[2] + 1 then
      last[2] = math.max(last[2], range[2])
    else
      covered[#covered + 1] = { range[1], range[2] }
    end
  end
  table.sort(self.empty, by_start)
  for _, range in ipairs(self.empty) do
    while covered[place] and covered[place][2] < range[1] do
      place = place + 1
    end
    local by = covered[place]
    local from = by and by[1] <= range[1] and by[2] + 1 or range[1]
    if from <= range[2] then
      self.file = range.file
      complain(self, range.line + from - range[1], ("the content of record %d is gone, and no "
        .. "purge tells of it"):format(from))
    end
  end
end

local function check_end(self, path)
  local wanted = self.wanted
  self.file = wanted and wanted.file or path
  if not self.previous then
    complain(self, 0, wanted and "all records are gone" or "there is no record")
  elseif wanted and wanted.is_met == nil then
    complain(self, self.line, ("it ends at record %d, and the anchor knows of %d: the rest "
      .. "was cut off"):format(self.number, wanted.number))
  elseif wanted and not wanted.is_met then
    complain(self, wanted.line, ("record %d is not the one that the anchor knows"):format(
      wanted.number))
  end
end

local function check_files(files, wanted)
  local self = { ok = true, records = 0, emptied = 0, problems = {}, empty = {}, purged = {},
    wanted = wanted and { number = wanted.number, digest = wanted.digest } }
  for i, one in ipairs(files) do
    local ok, err = check_file(self, one, i == #files)
    if not ok and err.kind == "not_found" and i == #files and i > 1 then
      break -- put aside, and nothing was recorded since
    elseif not ok then
      return nil, err
    end
  end
  return self
end

local function anchor_of(path, given)
  local number, digest
  if given then
    number, digest = given:match("^%s*(%d+)%s+(%x+)%s*$")
    if not number or #digest ~= 64 then
      return nil, errors.new("invalid_argument", "audit: an anchor is a number and 64 hexadecimal "
        .. "digits, as 'codecell audit anchor' prints it")
    end
  else
    number, digest = journal.anchor(path)
  end
  return number and { number = tonumber(number), digest = digest:lower() } or false
end

--- See `audit.verify`.
---@param path string?
---@param given table?
---@return codecell.AuditReport?
---@return codecell.Error?
function verify.verify(path, given)
  given = options.check("verify", given, VERIFY, 4)
  local place, err = audit.place(path)
  local wanted
  if place then
    wanted, err = anchor_of(place, given.anchor)
  end
  if wanted == nil then
    return nil, err
  end
  local self
  for _ = 1, ATTEMPTS do
    local files = lines.files(place)
    self, err = check_files(files, wanted)
    if not self then
      return nil, err
    elseif #lines.parts(place) + 1 == #files then
      break
    end -- else one was put aside meanwhile
  end
  check_empty(self)
  check_end(self, place)
  return { ok = self.ok, records = self.records, emptied = self.emptied,
    problems = self.problems, first = self.first, is_torn = self.is_torn, last_at = self.last_at,
    anchor = self.previous and journal.anchor_text(self.number, self.previous) or nil }
end

return verify
