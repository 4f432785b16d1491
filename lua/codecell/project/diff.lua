--- Unified diffs of two texts.
---
--- By the algorithm of Myers, up to a bound of edits: beyond it what lies between the first and the
--- last difference is told as replaced, which is as true, and no text makes it slow.
local diff = {}

local CONTEXT = 3 -- lines around a change
local EDITS_MOST = 500

local function split(text)
  local lines = {}
  for line in text:gmatch("[^\n]*\n?") do
    if line ~= "" then
      lines[#lines + 1] = line
    end
  end
  return lines
end

-- How many lines both begin with, and end with after that.
local function common(old, new)
  local first, last = 0, 0
  local most = math.min(#old, #new)
  while first < most and old[first + 1] == new[first + 1] do
    first = first + 1
  end
  while last < most - first and old[#old - last] == new[#new - last] do
    last = last + 1
  end
  return first, last
end

-- Where a path of so many edits comes from on diagonal `k`, and how far along `old` it is then.
local function step(reach, edits, k)
  if k == -edits or k ~= edits and reach[k - 1] < reach[k + 1] then
    return k + 1, reach[k + 1]
  end
  return k - 1, reach[k - 1] + 1
end

-- How far each number of edits reaches on each diagonal, up to the number that is enough; nil: more
-- than there may be.
local function search(old, new, from, old_to, new_to)
  local height, width = old_to - from, new_to - from
  local reach, rounds = { [1] = 0 }, {}
  for edits = 0, EDITS_MOST do
    local now = {}
    for k = -edits - 1, edits + 1 do
      now[k] = reach[k]
    end
    rounds[edits] = reach
    for k = -edits, edits, 2 do
      local _, x = step(reach, edits, k)
      local y = x - k
      while x < height and y < width and old[from + x + 1] == new[from + y + 1] do
        x, y = x + 1, y + 1
      end
      now[k] = x
      if x >= height and y >= width then
        return rounds, edits
      end
    end
    reach = now
  end
end
-- Marks what was removed and what was added, walking back the way that was found.
local function mark(rounds, edits, height, width, from, removed, added)
  local x, y = height, width
  for count = edits, 1, -1 do
    local reach = rounds[count]
    local k = x - y
    local came, at = step(reach, count, k)
    if came == k + 1 then
      added[from + (at - k)] = true
      x, y = at, at - came
    else
      removed[from + at] = true
      x, y = at - 1, at - 1 - came
    end
  end
end

local function mark_all(from, to, marks)
  for i = from + 1, to do
    marks[i] = true
  end
end

-- Sets of lines of `old` that are gone and of lines of `new` that came.
local function compare(old, new)
  local first, last = common(old, new)
  local old_to, new_to = #old - last, #new - last
  local removed, added = {}, {}
  local rounds, edits = search(old, new, first, old_to, new_to)
  if rounds then
    mark(rounds, edits, old_to - first, new_to - first, first, removed, added)
  else
    mark_all(first, old_to, removed)
    mark_all(first, new_to, added)
  end
  return removed, added
end

-- All lines in order: {sign, line, number in old, number in new}.
local function script(old, new, removed, added)
  local list = {}
  local i, j = 1, 1
  while i <= #old or j <= #new do
    if i <= #old and removed[i] then
      list[#list + 1] = { "-", old[i], i, j }
      i = i + 1
    elseif j <= #new and added[j] then
      list[#list + 1] = { "+", new[j], i, j }
      j = j + 1
    else
      list[#list + 1] = { " ", old[i], i, j }
      i, j = i + 1, j + 1
    end
  end
  return list
end

-- First and last place of each run of changes with the lines around it.
local function hunks(list)
  local found = {}
  for place, entry in ipairs(list) do
    if entry[1] ~= " " then
      local current = found[#found]
      if current and place - CONTEXT <= current.to + 1 then
        current.to = math.min(place + CONTEXT, #list)
      else
        found[#found + 1] = { from = math.max(place - CONTEXT, 1),
          to = math.min(place + CONTEXT, #list) }
      end
    end
  end
  return found
end

local function range(start, count)
  if count == 0 then
    start = start - 1
  end
  return count == 1 and tostring(start) or ("%d,%d"):format(start, count)
end

local function write_hunk(out, list, hunk)
  local old_count, new_count = 0, 0
  for place = hunk.from, hunk.to do
    local sign = list[place][1]
    old_count = old_count + (sign == "+" and 0 or 1)
    new_count = new_count + (sign == "-" and 0 or 1)
  end
  local first = list[hunk.from]
  out[#out + 1] = ("@@ -%s +%s @@\n"):format(range(first[3], old_count), range(first[4], new_count))
  for place = hunk.from, hunk.to do
    local sign, line = list[place][1], list[place][2]
    out[#out + 1] = sign .. line
    if line:sub(-1) ~= "\n" then
      out[#out + 1] = "\n\\ No newline at end of file\n"
    end
  end
end

local ESCAPES = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

-- A name can hold anything but NUL: it must not look like a line of the diff.
local function quoted(name)
  if not name:find('[%c"\\]') then
    return name
  end
  return '"' .. name:gsub('[%c"\\]', function(byte)
    return ESCAPES[byte] or ("\\%03o"):format(byte:byte())
  end) .. '"'
end

--- The difference of two texts.
---@param old string? nil: there was no such file
---@param new string? nil: there is none any more
---@param name string of the file
---@return string text "" when they are the same
function diff.unified(old, new, name)
  local before, after = split(old or ""), split(new or "")
  local removed, added = compare(before, after)
  local list = script(before, after, removed, added)
  local out = {}
  for _, hunk in ipairs(hunks(list)) do
    write_hunk(out, list, hunk)
  end
  if #out == 0 then
    return ""
  end
  return ("--- %s\n+++ %s\n"):format(old and quoted("a/" .. name) or "/dev/null",
    new and quoted("b/" .. name) or "/dev/null") .. table.concat(out)
end

--- Whether a diff of this would be of use to a reader.
---@param text string
---@return boolean
function diff.is_text(text)
  return not text:find("%z")
end

return diff
