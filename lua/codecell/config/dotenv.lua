--- Files of variables, one a line: NAME=value, with comments.
---
--- There is no standard; this is what the parsers in use have in common: `export` before a name,
--- single quotes around what is taken as it is, double quotes with \n, \r, \t, \" and \\ in them,
--- both over several lines, and a comment after a value where white space is before its #.
local dotenv = {}

local ESCAPED = { n = "\n", r = "\r", t = "\t" }

local function line_at(text, place)
  local _, count = text:sub(1, place):gsub("\n", "")
  return count + (text:sub(place, place) == "\n" and 0 or 1)
end

-- Where the closing quote stands, which no backslash is before.
local function closing(text, first, quote)
  local place = first
  while true do
    local found = text:find(quote == "'" and "'" or '[\\"]', place)
    if not found then
      return nil
    elseif text:sub(found, found) == quote then
      return found
    end
    place = found + 2
  end
end

local function quoted(text, first)
  local quote = text:sub(first, first)
  local last = closing(text, first + 1, quote)
  if not last then
    return nil, nil, "the quote is not closed"
  end
  local value = text:sub(first + 1, last - 1)
  if quote == '"' then
    value = value:gsub("\\(.)", function(letter) return ESCAPED[letter] or letter end)
  end
  local stop = text:find("\n", last, true) or #text + 1
  local rest = text:sub(last + 1, stop - 1)
  if not rest:find("^%s*$") and not rest:find("^%s+#") then
    return nil, nil, "there is text after the closing quote"
  end
  return value, math.min(stop, #text) + 1
end

local function plain(text, first)
  local stop = text:find("\n", first, true) or #text + 1
  local value = text:sub(first, stop - 1)
  local comment = value:find("^#") or value:find("%s#")
  if comment then
    value = value:sub(1, comment - 1)
  end
  return value:match("^%s*(.-)%s*$"), math.min(stop, #text) + 1
end

local function next_pair(text, place)
  local name, after = text:match("^([%a_][%w_]*)[ \t]*=[ \t]*()", place)
  if not name then
    return nil, nil, nil, "NAME=value expected"
  end
  local mark = text:sub(after, after)
  if mark == '"' or mark == "'" then
    local value, following, problem = quoted(text, after)
    return name, value, following, problem
  end
  return name, plain(text, after)
end

--- Read such a text.
---@param text string
---@return table<string, string>? values the last of a name counts
---@return string? problem with its line
function dotenv.parse(text)
  text = text:gsub("^\239\187\191", ""):gsub("\r\n?", "\n")
  if text:find("%z") then
    return nil, "NUL is not allowed"
  end
  local values, place = {}, 1
  while true do
    place = text:match("^[%s]*()", place)
    if place > #text then
      return values
    elseif text:sub(place, place) == "#" then
      place = (text:find("\n", place, true) or #text) + 1
    else
      local start = text:match("^export[ \t]+()", place) or place
      local name, value, following, problem = next_pair(text, start)
      if problem then
        return nil, ("line %d: %s"):format(line_at(text, place), problem)
      end
      values[name], place = value, following
    end
  end
end

return dotenv
