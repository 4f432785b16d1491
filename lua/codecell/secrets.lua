--- Secrets: values that code can use, and that nothing of it shows.
---
--- The engine replaces them in whatever a process prints; here they are replaced in what kernels
--- say. Only the value itself is found, and how programs commonly write it: its lines, quoted, as a
--- part of a URL or of HTML, in base64 (wherever it stands in what was encoded) and in hexadecimal.
--- Code that wants to show it can.
local base64 = require "codecell.base64"
local core = require "codecell.core"
local urls = require "codecell.http.url"

local LEAST = 4 -- bytes; src/bytes/mask.h
local LINE_LEAST = 8 -- bytes of a line that is masked by itself, characters of a piece in base64
local MOST = 65536 -- bytes of all values
local HIDDEN = "***"
local DIGITS = 2 ^ 53 -- whole numbers below are exact

local secrets = {}

--- The rule of the option, for `options.check`.
secrets.rule = { type = "envs", least = LEAST, most = MOST }

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local MARKUP = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function marked_up(value, specials, apostrophe)
  return (value:gsub("[" .. specials .. "]", MARKUP):gsub("'", apostrophe))
end

-- As JSON has it whose writer stays within ASCII.
local function in_ascii(text)
  return (text:gsub("[\194-\244][\128-\191]+", function(bytes)
    local point = bytes:byte() % (#bytes == 2 and 32 or #bytes == 3 and 16 or 8)
    for i = 2, #bytes do
      point = point * 64 + bytes:byte(i) % 64
    end
    if point < 65536 then
      return ("\\u%04x"):format(point)
    end
    point = point - 65536
    return ("\\u%04x\\u%04x"):format(55296 + math.floor(point / 1024) % 1024, 56320 + point % 1024)
  end))
end

local function in_bytes(text)
  return (text:gsub("[\128-\255]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

-- The lines of a text that is wrapped at so many characters.
local function wrapped(list, text, width)
  for at = 1, #text > width and #text or 0, width do
    local line = text:sub(at, at + width - 1)
    if #line >= LINE_LEAST then
      list[#list + 1] = line
    end
  end
end

-- In base64 (RFC 4648) a byte lies in one of three ways, by how many stand before it: what the
-- neighbours have no part in is the same whatever they are.
local function in_base64(list, value)
  local whole = base64.encode(value)
  local found = { whole }
  if #whole > LINE_LEAST then
    found[2] = whole:gsub("=+$", "")
  end
  for before = 0, 2 do
    local first = math.ceil(before * 8 / 6)
    local last = math.floor((before + #value) * 8 / 6)
    if last - first >= LINE_LEAST then
      found[#found + 1] = base64.encode(("\0"):rep(before) .. value):sub(first + 1, last)
    end
  end
  wrapped(found, whole, 76) -- RFC 2045
  wrapped(found, whole, 64) -- RFC 7468
  for _, text in ipairs(found) do
    list[#list + 1] = text
    list[#list + 1] = text:gsub("[+/]", { ["+"] = "-", ["/"] = "_" })
  end
end

local function in_digits(list, value)
  for _, format in ipairs { "%02x", "%02X" } do
    local text = value:gsub(".", function(byte) return format:format(byte:byte()) end)
    list[#list + 1] = text
    wrapped(list, text, 60) -- as xxd does
  end
end

-- How a value is written by programs that mean no harm.
local function forms(value)
  local quoted = value:gsub("\\", "\\\\"):gsub("[\n\r\t]", ESCAPES)
  local double = quoted:gsub('"', '\\"')
  local single = quoted:gsub("'", "\\'")
  local in_url = urls.encode(value)
  local list = {
    value, quoted, double, single, in_ascii(double), in_bytes(quoted), in_bytes(single),
    in_url, (in_url:gsub("%%20", "+")), urls.encode(value, "/"),
    marked_up(value, "&<>", "'"), marked_up(value, '&<>"', "&#x27;"),
    marked_up(value, '&<>"', "&#39;"),
  }
  for line in value:gmatch("[^\r\n]+") do
    if #line >= LINE_LEAST then
      list[#list + 1] = line
    end
  end
  in_base64(list, value)
  in_digits(list, value)
  return list
end

--- What hides these values.
---@param values table<string, string> checked by the rule
---@return userdata? mask
---@return codecell.Error? err kind "out_of_memory"
function secrets.mask(values)
  local list, seen = {}, {}
  for _, value in pairs(values) do
    for _, form in ipairs(forms(value)) do
      if not seen[form] then
        seen[form] = true
        list[#list + 1] = form
      end
    end
  end
  return core.mask(list)
end

--- Let a sandbox know secrets, before any code of its user runs: its environment has them, and what
--- its processes print is masked from now on.
---@param sandbox codecell.Sandbox
---@param values table<string, string>? checked by the rule
---@param processes codecell.Process[]? that run in it already
---@return true? done
---@return codecell.Error? err kind "out_of_memory"
function secrets.give(sandbox, values, processes)
  if not values or next(values) == nil then
    return true
  end
  local mask, err = secrets.mask(values)
  if not mask then
    return nil, err
  end
  sandbox._mask = mask
  sandbox._environment:add(values)
  local ok = true
  for _, process in ipairs(processes or {}) do
    if ok then
      ok, err = secrets.cover(sandbox, process)
    end
  end
  return ok, err
end

--- Mask what a process prints, if its sandbox has secrets.
---@param sandbox codecell.Sandbox
---@param process codecell.Process that has printed nothing yet
---@return true? done
---@return codecell.Error? err kind "out_of_memory"; the process is closed
function secrets.cover(sandbox, process)
  local mask = sandbox._mask
  if not mask then
    return true
  end
  local ok, err = process:_mask(mask)
  if not ok then
    process:close()
  end
  return ok, err
end

--- A text without the secrets of a sandbox.
---@param sandbox codecell.Sandbox
---@param text string
---@return string
function secrets.hide(sandbox, text)
  local mask = sandbox._mask
  return mask and mask:hide(text) or text
end

local hide_value

local function hide_table(mask, value)
  local renamed = {}
  for key, item in pairs(value) do
    value[key] = hide_value(mask, item)
    local name = type(key) == "string" and mask:hide(key)
    if name and name ~= key then
      renamed[key] = name
    end
  end
  for key, name in pairs(renamed) do
    value[name], value[key] = value[key], nil
  end
  return value
end

-- What JSON has become in Lua.
function hide_value(mask, value)
  local kind = type(value)
  if kind == "string" then
    return mask:hide(value)
  elseif kind == "table" then
    return hide_table(mask, value)
  elseif kind == "number" then
    local text = (value % 1 == 0 and math.abs(value) < DIGITS and "%.0f" or "%.17g"):format(value)
    return mask:hide(text) == text and value or HIDDEN
  end
  return value
end

local BINARY = { jpeg = true, pdf = true, png = true }

--- What is told of a cell, without the secrets of its sandbox. PNG, JPEG and PDF stay as they are.
---@generic T
---@param mask userdata? nil: there are none
---@param told T codecell.Result, codecell.ExecutionError or codecell.Refusal
---@return T told the same object
function secrets.hide_all(mask, told)
  for name, value in pairs(mask and told or {}) do
    if not BINARY[name] and type(value) ~= "number" then
      told[name] = hide_value(mask, value)
    end
  end
  return told
end

return secrets
