--- Text of strangers, made safe for a terminal.
---
--- A terminal obeys what it is shown: titles, the clipboard (OSC 52), replies typed back as input,
--- text that reads backwards. So every control character but newline and tab is replaced by
--- something visible, whole colour sequences are dropped or, in a stream, kept where they are
--- harmless, and invalid UTF-8 becomes U+FFFD.
local unicode = require "codecell.agent.unicode"

local terminal = {}

-- Colours and weights. Not 5 and 6 (blink), not 8 (hidden text).
local HARMLESS = {}
for _, code in ipairs({ 0, 1, 2, 3, 4, 7, 9 }) do
  HARMLESS[code] = true
end
for code = 22, 29 do
  HARMLESS[code] = true
end
for code = 30, 49 do
  HARMLESS[code] = true
end
for code = 90, 107 do
  HARMLESS[code] = true
end

-- A sequence that was not complete after so many bytes is none.
local SEQUENCE_MAX = 64

-- C0 and DEL as their pictures U+2400 to U+2421.
local PICTURES = {}
for code = 0, 31 do
  PICTURES[string.char(code)] = "\226\144" .. string.char(128 + code)
end
PICTURES["\127"] = "\226\144\161"
PICTURES["\n"], PICTURES["\t"] = nil, nil

local function named(code)
  return ("<U+%04X>"):format(code)
end

-- Characters of several bytes that steer a terminal or turn the reading direction.
local STEERING = {}
for code = 0x80, 0x9F do
  STEERING["\194" .. string.char(code)] = named(code)
end
for code = 0x200E, 0x200F do
  STEERING["\226\128" .. string.char(0x80 + code - 0x2000)] = named(code)
end
for code = 0x2028, 0x202E do
  STEERING["\226\128" .. string.char(0x80 + code - 0x2000)] = named(code)
end
for code = 0x2066, 0x2069 do
  STEERING["\226\129" .. string.char(0x80 + code - 0x2040)] = named(code)
end
STEERING["\216\156"] = named(0x61C)

--- Replace every control character but newline and tab, and what turns the reading direction.
---@param text string
---@return string valid UTF-8 without control characters
function terminal.visible(text)
  text = unicode.repair(text)
  text = text:gsub("[%c\127]", PICTURES)
  if text:find("[\194\216\226]") then
    text = text:gsub("[\194\216][\128-\191]", STEERING)
    text = text:gsub("\226[\128\129][\128-\191]", STEERING)
  end
  return text
end

-- Colour sequences as a Lua pattern: CSI, parameters, "m".
local COLOUR = "\27%[[%d;:]*m"

--- Remove colours, and make every other control character visible.
---@param text string
---@return string
function terminal.clean(text)
  if text:find("\27", 1, true) then
    text = text:gsub(COLOUR, "")
  end
  return terminal.visible(text)
end

--- Remove whole escape sequences of every kind, as for a reader that is no terminal. What is not
--- a complete sequence becomes visible.
---@param text string
---@return string
function terminal.strip(text)
  if text:find("\27", 1, true) then
    text = text:gsub("\27%[[0-?]*[ -/]*[@-~]", "")
    text = text:gsub("\27[%]PX^_][^\7\27]*\7", ""):gsub("\27[%]PX^_][^\7\27]*\27\\", "")
    text = text:gsub("\27[ -/]+[0-~]", ""):gsub("\27[0-Z\\^-~]", "")
  end
  return terminal.visible(text)
end

-- The harmless part of a colour sequence, or nothing.
local function keep_colour(parameters)
  if parameters:find(":", 1, true) then
    return ""
  end
  local kept, codes = {}, {}
  for code in (parameters .. ";"):gmatch("(%d*);") do
    codes[#codes + 1] = tonumber(code) or 0
  end
  local i = 1
  while i <= #codes do
    local code = codes[i]
    if code == 38 or code == 48 then
      local count = codes[i + 1] == 5 and 2 or codes[i + 1] == 2 and 4
      if not count or i + count > #codes then
        break
      end
      for j = i, i + count do
        kept[#kept + 1] = ("%d"):format(math.min(codes[j], 255))
      end
      i = i + count
    elseif HARMLESS[code] then
      kept[#kept + 1] = ("%d"):format(code)
    end
    i = i + 1
  end
  return #kept > 0 and "\27[" .. table.concat(kept, ";") .. "m" or ""
end

-- How much of the end of a text may be the beginning of a sequence or of a character.
local function unfinished(text)
  local from = text:sub(-SEQUENCE_MAX):find("\27[%[%d;:]*$")
  if from then
    return math.min(#text, SEQUENCE_MAX) - from + 1
  end
  return text:byte(-1) == 13 and 1 or unicode.incomplete(text)
end

local function make_safe(text, colours)
  text = text:gsub("\r\n", "\n")
  local parts, at = {}, 1
  while true do
    local first, last, parameters = text:find("\27%[([%d;:]*)m", at)
    parts[#parts + 1] = terminal.visible(text:sub(at, first and first - 1))
    if not first then
      return table.concat(parts)
    end
    if colours == "keep" then
      parts[#parts + 1] = keep_colour(parameters)
    end
    at = last + 1
  end
end

--- A filter for a stream of text, cut anywhere. A line that is written over (progress bars) is
--- kept as it is: a lone carriage return passes, for it cannot leave its line.
---@param colours "keep"|"drop"? harmless colour sequences ("keep"); write "\27[0m" at the end
---@return fun(chunk: string?): string filter without a chunk it gives what it still holds
function terminal.filter(colours)
  colours = colours or "keep"
  local held = ""
  return function(chunk)
    local text = held .. (chunk or "")
    held = ""
    if chunk then
      local keep = unfinished(text)
      text, held = text:sub(1, #text - keep), text:sub(#text - keep + 1)
    end
    local lines = {}
    for line, eol in (text .. "\n"):gmatch("([^\n]*)(\n)") do
      lines[#lines + 1] = (line:gsub("\r$", ""):gsub("[^\r]+", function(part)
        return make_safe(part, colours)
      end)) .. eol
    end
    return (table.concat(lines):sub(1, -2))
  end
end

return terminal
