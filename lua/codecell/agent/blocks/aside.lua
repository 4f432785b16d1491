--- Elements around what a reply only shows, or only thinks: code in them is not said to be run.
local aside = {}

-- What a model thinks before it answers; the first tag is often in its prompt, not in its reply.
local THOUGHTS = { reasoning = true, think = true, thinking = true, thought = true }
local SHOWN = { blockquote = true, example = true, examples = true, output = true, quote = true }

--- The element that a line opens and does not close. That of what is shown stands alone in its
--- line: in the middle of one it is a word like others.
---@param line string
---@return string? name "!--" of a comment
function aside.opens(line)
  local name, past = line:match("^ ? ? ?<(%a+)[^<>]*>()")
  if name then
    name = name:lower()
    local is_one = THOUGHTS[name] or SHOWN[name] and not line:find("%S", past)
    return is_one and not aside.closes(name, line) and name or nil
  end
  return line:find("^ ? ? ?<!%-%-") and not line:find("-->", 1, true) and "!--" or nil
end

--- Whether a line has the end of an element.
---@param name string as of `opens`
---@param line string
---@return boolean
function aside.closes(name, line)
  if name == "!--" then
    return line:find("-->", 1, true) ~= nil
  end
  return line:lower():find("</" .. name .. ">", 1, true) ~= nil
end

--- Whether a line is the end of an element and nothing else.
---@param name string as of `opens`
---@param line string
---@return boolean
function aside.is_end(name, line)
  return line:lower():match("^ ? ? ?</(%a+)>%s*$") == name
end

--- Whether a line begins with the end of thoughts.
---@param line string
---@return boolean
function aside.ends_thoughts(line)
  local name = line:match("^ ? ? ?</(%a+)>")
  return name ~= nil and THOUGHTS[name:lower()] == true
end

return aside
