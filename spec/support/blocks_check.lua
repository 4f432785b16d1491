--- What must hold of every text, whatever is in it. Used by the specification and by the fuzzer.
local blocks = require "codecell.agent.blocks"
local unicode = require "codecell.agent.unicode"

local check = {}

local function same(left, right, path)
  if left == right then
    return true
  elseif type(left) ~= "table" or type(right) ~= "table" then
    return false, ("%s: %s and %s"):format(path, tostring(left), tostring(right))
  end
  for key, value in pairs(left) do
    local ok, where = same(value, right[key], path .. "." .. tostring(key))
    if not ok then
      return false, where
    end
  end
  for key in pairs(right) do
    if left[key] == nil then
      return false, ("%s.%s is new"):format(path, tostring(key))
    end
  end
  return true
end

-- LuaJIT 2.1.0-beta3 miscompiles hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(same)
end

--- Fail unless two lists of blocks are the same.
function check.same(left, right)
  local ok, where = same(left, right, "blocks")
  if not ok then
    error("blocks differ at " .. where, 2)
  end
end

--- Fail unless the byte ranges of blocks are in order and inside the text.
function check.ranges(text, found)
  local past = 0
  for i, block in ipairs(found) do
    local range = ("block %d at %d-%d"):format(i, block.first, block.last)
    assert(block.first > past, range .. " overlaps the one before")
    assert(block.last >= block.first and block.last <= #text, range .. " is out of the text")
    assert(block.first_line <= block.last_line, range .. " ends before its line")
    assert(block.runnable == (block.why == nil), range .. " has no reason, or one too many")
    assert(not block.runnable or block.language, range .. " runs in no language")
    for _, inner in ipairs(block.nested or {}) do
      local is_held = inner.first > block.first and inner.last <= block.last
      assert(is_held, range .. " does not hold its own")
    end
    past = block.last
  end
end

local function add_code(open, event)
  open.code = open.code .. event.text
end

-- Put the source together again from events.
local function replay(text, events)
  local parts, open = {}, nil
  local is_valid = not unicode.invalid(text)
  for _, event in ipairs(events) do
    if event.text and is_valid then
      assert(not unicode.invalid(event.text), "an event splits a character")
    end
    if event.type == "text" then
      assert(not open, "text inside a block")
      parts[#parts + 1] = event.text
    elseif event.type == "open" then
      assert(not open, "a block inside a block")
      open = { block = event.block, code = "" }
    elseif event.type == "code" then
      assert(open and event.block == open.block, "code outside of its block")
      add_code(open, event)
    else
      local block = event.block
      assert(open and block == open.block, "close without open")
      local code = block.form ~= "call" and block.raw or block.code
      assert(open.code == code, "code events are not the code")
      parts[#parts + 1] = text:sub(block.first, block.last)
      open = nil
    end
  end
  assert(not open, "a block stays open")
  assert(table.concat(parts) == text, "events and blocks are not the text")
end

--- Stream a text cut at given positions; fail unless it gives what one piece gives.
---@param text string
---@param cuts integer[] ascending; a piece ends at each
---@param opts table?
---@param whole table[] blocks of the text in one piece
function check.stream(text, cuts, opts, whole)
  local parser, events, from = blocks.parser(opts), {}, 1
  local function take(list)
    for _, event in ipairs(list) do
      events[#events + 1] = event
    end
  end
  for _, cut in ipairs(cuts) do
    take(parser:feed(text:sub(from, cut)))
    from = cut + 1
  end
  take(parser:feed(text:sub(from)))
  take(parser:finish())
  check.same(whole, parser.blocks)
  replay(text, events)
end

return check
