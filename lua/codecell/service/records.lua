--- What a service has counted, kept in a file that other programs read: a line of JSON for each run
--- and for each sandbox that has ended.
---
--- No code, no output and no metadata is in it. Each line is one write to the end of the file, so
--- that several programs can share one.
local append = require "codecell.append"
local errors = require "codecell.errors"
local json = require "codecell.json"

local records = {}

local LINE_MOST = 8192 -- bytes; more than any line that is written here
local TEXT_MOST = 256 -- bytes of a name; more is cut
local LATEST = 253402300799 -- seconds: the end of the year 9999

---@class codecell.UsageRecord
---@field event "run"|"sandbox"
---@field at integer seconds of os.time
---@field user string?
---@field backend string?
---@field language string? of a run
---@field kind string? of a run that failed: a word
---@field timings table? of a run: seconds by stage
---@field usage table? of a run: `memory_peak processes_peak disk_used`
---@field why string? of a sandbox
---@field seconds number? of a sandbox
---@field micro integer? of a sandbox: what it has cost, in millionths
---@field currency string? of a sandbox

local function cannot(verb, path, problem)
  return nil, errors.new("invalid_argument", ("%s: usage_file %s"):format(verb,
    problem:find(path, 1, true) and problem or path .. ": " .. problem))
end

local function cut(one)
  local copy = {}
  for name, value in pairs(one) do
    copy[name] = type(value) == "string" and value:sub(1, TEXT_MOST) or value
  end
  return copy
end

--- A writer of a file.
---@param path string
---@param failed fun(problem: string) told when a line cannot be written
---@return (fun(record: codecell.UsageRecord))? keep
---@return codecell.Error? err kind "invalid_argument": it cannot be written
function records.writer(path, failed)
  local ok, problem = append(path, "")
  if not ok then
    return cannot("service", path, problem)
  end
  return function(one)
    local text, err = json.encode(cut(one))
    if text then
      ok, problem = append(path, text .. "\n")
    end
    if not text or not ok then
      failed(text and problem or tostring(err))
    end
  end
end

local function is_amount(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 62
end

local function is_text(value)
  return type(value) == "string" and #value <= 3 * TEXT_MOST -- repaired UTF-8 is longer
end

local function are_amounts(values)
  for name, value in pairs(values) do
    if type(name) ~= "string" or not is_amount(value) then
      return false
    end
  end
  return true
end

local fits = {}

function fits.run(one)
  return is_text(one.language) and (one.kind == nil or is_text(one.kind))
    and type(one.timings) == "table" and are_amounts(one.timings)
    and (one.usage == nil or type(one.usage) == "table" and are_amounts(one.usage))
end

function fits.sandbox(one)
  return is_text(one.why) and is_amount(one.seconds) and is_amount(one.micro)
    and one.micro % 1 == 0 and is_text(one.currency)
end

local function parse(line)
  local one = #line <= LINE_MOST and json.decode(line)
  if type(one) ~= "table" or not fits[one.event] then
    return nil
  end
  for _, name in ipairs({ "user", "backend" }) do
    if one[name] ~= nil and not is_text(one[name]) then
      return nil
    end
  end
  return is_amount(one.at) and one.at % 1 == 0 and one.at <= LATEST and fits[one.event](one) and one
    or nil
end

--- Read a file.
---@param path string
---@param each fun(record: codecell.UsageRecord)
---@return integer? odd lines that are no record
---@return codecell.Error? err kind "invalid_argument"
function records.read(path, each)
  local file, problem = io.open(path, "rb")
  if not file then
    return cannot("usage", path, problem)
  end
  local odd = 0
  local line
  line, problem = file:read "*l"
  while line do
    local one = parse(line)
    if one then
      each(one)
    elseif line:find("%S") then
      odd = odd + 1
    end
    line, problem = file:read "*l"
  end
  file:close()
  if problem then
    return cannot("usage", path, problem)
  end
  return odd
end

return records
