--- A text as it can stand in a message: in one line, and not without end. What a caller or a
--- sandbox named stands in messages, and may hold line ends or a megabyte.

local MOST, HEAD, TAIL = 2000, 1200, 400 -- bytes
local CONTROL = "[%z\1-\31\127]"
local NAMED = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(control)
  return NAMED[control] or ("\\%d"):format(control:byte())
end

-- What is cut is cut between letters of UTF-8.
local function cut(text)
  local head = text:sub(1, HEAD):gsub("[\192-\255][\128-\191]*$", "")
  local tail = text:sub(-TAIL):gsub("^[\128-\191]+", "")
  return ("%s... (%d bytes left out) ...%s"):format(head, #text - #head - #tail, tail)
end

--- The text in one line.
---@param text string
---@return string
return function(text)
  if #text > MOST then
    text = cut(text)
  end
  if text:find(CONTROL) then
    -- A line end that `%q` has written is a backslash before it.
    text = text:gsub("\\\n", "\n"):gsub(CONTROL, escape)
  end
  return text
end
