--- The records of an audit file, as tables.
local audit = require "codecell.audit"
local chain = require "codecell.audit.chain"
local json = require "codecell.json"
local lines = require "codecell.audit.lines"
local options = require "codecell.options"

local records = {}

---@class codecell.AuditRecord
---@field number integer
---@field at number seconds since 1970
---@field event string
---@field phase "before"|"after"|nil
---@field of integer? of an outcome
---@field content table? nil: it was emptied
---@field file string path of the file that it stands in
---@field line integer

-- The record in a line, or nil and what is wrong with it.
local function record_of(line, is_whole)
  local head, content, _, problem
  if line and is_whole then
    head, content, _, problem = chain.parse(line)
  end
  if not head or problem then
    return nil, problem or not line and "longer than any record"
      or not is_whole and "it was not written whole" or "no record of an audit"
  end
  local decoded
  if content ~= chain.EMPTY then
    decoded = json.decode(content)
    if type(decoded) ~= "table" or json.is_list(decoded) then
      return nil, "its content is no JSON object"
    end
  end
  return { number = head.number, at = head.at, event = head.event, phase = head.phase,
    of = head.of, content = decoded }
end

local function read_file(path, each)
  local from, err = lines.open(path)
  if not from then
    return nil, err
  end
  local line, whole = from:next()
  while line ~= nil do
    local one, problem = record_of(line, whole)
    if one then
      one.file, one.line = path, from.number
      each(one)
    elseif whole or line == false then -- else a writer is at it
      err = lines.malformed(path, from.number, problem)
      break
    end
    line, whole = from:next()
  end
  from:close()
  err = err or line == nil and whole or nil
  return not err or nil, err
end

--- Read all of them. The lines are compared with their digests; that they follow on each other is
--- for `verify`.
---@param path string?
---@param each fun(record: codecell.AuditRecord)
---@return true? done
---@return codecell.Error? err
function records.each(path, each)
  if path ~= nil then
    options.argument("read", "path", path, "text", nil, 4)
  end
  local place, err = audit.place(path)
  if not place then
    return nil, err
  end
  for _, one in ipairs(lines.files(place)) do
    local ok
    ok, err = read_file(one, each)
    if not ok then
      return nil, err
    end
  end
  return true
end

return records
