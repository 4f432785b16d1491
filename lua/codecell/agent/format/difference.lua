--- What is different from the run before, where that is shorter to read than all of it.
local cut = require "codecell.agent.format.cut"
local diff = require "codecell.project.diff"

local LEAST = 200 -- bytes of a text that is worth comparing
local MOST = 262144 -- bytes of one that is compared
local SHARE = 0.6 -- of the text that its difference may have

local COMPARED = { chart = true, output = true, result = true, stderr = true, table = true }

local function count_lines(text)
  local _, count = text:gsub("\n", "")
  return text:sub(-1) == "\n" and count or count + 1
end

-- The parts of a kind in their order: the second table of one run is compared with the second of
-- the other.
local function by_kind(list)
  local kinds = {}
  for _, part in ipairs(list) do
    kinds[part.kind] = kinds[part.kind] or {}
    table.insert(kinds[part.kind], part)
  end
  return kinds
end

local function compare(part, before)
  local text = part.text
  if #text < LEAST or #text > MOST or #before > MOST then
    return
  elseif text == before then
    part.raw = text
    part.text = ("[the same as in the run before, %s lines]"):format(
      cut.number(count_lines(text)))
    return
  end
  local changes = diff.unified(before, text, "output"):gsub("^[^\n]*\n[^\n]*\n", "")
  if #changes < #text * SHARE then
    part.title, part.raw = part.title .. ", what has changed since the run before", text
    part.text = changes
  end
end

--- Replace the texts of parts by what has changed.
---@param list codecell.format.Part[]
---@param before codecell.format.Part[] of the run before
return function(list, before)
  local now, then_ = by_kind(list), by_kind(before)
  for kind in pairs(COMPARED) do
    for i, part in ipairs(now[kind] or {}) do
      local other = then_[kind] and then_[kind][i]
      if other and other.text and part.text then
        compare(part, other.text)
      end
    end
  end
end
