--- Addresses as text: what is written in percent signs, and where a reference leads.
local url = {}

--- Percent-encode what stands in a path or a query.
---@param text string
---@param besides string? characters that stay as they are, too; default: none
---@return string
function url.encode(text, besides)
  return (text:gsub("[^%w%-._~" .. (besides or "") .. "]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

--- A text without its percent signs; what is no byte in hexadecimal stays.
---@param text string
---@return string
function url.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- A path without "." and "..", which lead to where they say and not above the root.
local function plain_path(path)
  local before, rest = path:match("^([^?]*)(.*)$")
  local parts = {}
  for part in (before:sub(2) .. "/"):gmatch("(.-)/") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  if before:find("/%.%.?$") then
    parts[#parts + 1] = ""
  end
  return "/" .. table.concat(parts, "/") .. rest
end

--- An address that a document at `base` names, without its fragment; nil: none that can be asked.
---@param base string address of the document
---@param text string
---@return string? url
function url.resolve(base, text)
  local origin, path, query = base:match("^(%a+://[^/?#]+)([^?#]*)([^#]*)")
  text = text:gsub("#.*$", "")
  local whole
  if text:find("^%a[%w+.-]*:") then
    whole = text
  elseif text:sub(1, 2) == "//" then
    whole = origin:match("^%a+:") .. text
  elseif text:sub(1, 1) == "/" then
    whole = origin .. text
  elseif text == "" then
    whole = origin .. path .. query
  elseif text:sub(1, 1) == "?" then
    whole = origin .. path .. text
  else
    whole = origin .. (path:match("^(.*/)") or "/") .. text
  end
  local authority = whole:lower():match("^https?://([^/?#]+)")
  if not authority or authority:find("@", 1, true) or whole:find("[%c%s\127-\255]") then
    return nil
  end
  local where, rest = whole:match("^(%a+://[^/?]+)(.*)$")
  return where .. (rest:sub(1, 1) == "/" and plain_path(rest) or "/" .. rest)
end

return url
