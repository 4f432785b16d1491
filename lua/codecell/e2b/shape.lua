--- What stands in the JSON of E2B: values of the type that is expected, or nothing.
local json = require "codecell.json"

local shape = {}

local TEXT_MOST = 65536

---@param value any
---@return string? text nil: it is none
function shape.text(value)
  return type(value) == "string" and #value <= TEXT_MOST and value or nil
end

--- A number; those of 64 bits come as text.
---@param value any
---@return number?
function shape.number(value)
  if type(value) == "string" and #value <= 20 and value:find("^-?%d+$") then
    value = tonumber(value)
  end
  return type(value) == "number" and value == value and value or nil
end

---@param value any
---@return boolean? flag
function shape.flag(value)
  if type(value) == "boolean" then
    return value
  end
end

---@param value any
---@return table? value an object or a list; nil for null and all else
function shape.table(value)
  return type(value) == "table" and value ~= json.null and value or nil
end

--- The entries of an object that are text.
---@param value any
---@return table<string, string>
function shape.texts(value)
  local texts = {}
  for name, text in pairs(shape.table(value) or {}) do
    if type(name) == "string" and type(text) == "string" then
      texts[name] = text
    end
  end
  return texts
end

--- The elements of a list that are text.
---@param value any
---@return string[]
function shape.list_of_texts(value)
  local texts = {}
  for _, text in ipairs(shape.table(value) or {}) do
    texts[#texts + 1] = type(text) == "string" and text or nil
  end
  return texts
end

-- Days from 1970 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
local function days(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100)
    + of_year - 719468
end

--- The seconds since 1970 of a time as RFC 3339 writes it.
---@param value any
---@return number?
function shape.time(value)
  local text = shape.text(value) or ""
  local year, month, day, hour, minute, second, rest =
    text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$")
  if not year then
    return nil
  end
  local fraction, zone = rest:match("^%.(%d+)(.*)$")
  zone = zone or rest
  local sign, hours, minutes = zone:match("^([+-])(%d%d):(%d%d)$")
  if not sign and zone ~= "Z" and zone ~= "z" then
    return nil
  end
  local shift = sign and (hours * 3600 + minutes * 60) * (sign == "-" and -1 or 1) or 0
  local parts = fraction and tonumber(fraction:sub(1, 9)) / 10 ^ #fraction:sub(1, 9) or 0
  return days(tonumber(year), tonumber(month), tonumber(day)) * 86400 + hour * 3600
    + minute * 60 + second - shift + parts
end

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9,
  Oct = 10, Nov = 11, Dec = 12 }

--- The seconds since 1970 of a date as HTTP writes it: "Sun, 06 Nov 1994 08:49:37 GMT".
---@param value any
---@return number?
function shape.http_date(value)
  local text = shape.text(value) or ""
  local day, month, year, hour, minute, second =
    text:match("^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  month = MONTHS[month]
  return month and days(tonumber(year), month, tonumber(day)) * 86400 + hour * 3600 + minute * 60
    + second or nil
end

--- A time as RFC 3339 writes it.
---@param seconds number since 1970
---@return string
function shape.timestamp(seconds)
  local whole = math.floor(seconds)
  return ("%s.%06dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", whole),
    math.floor((seconds - whole) * 1e6))
end

--- A version as a number that can be compared: "0.6.13".
---@param text any
---@return number
function shape.version(text)
  local major, minor, patch = (shape.text(text) or ""):match("^v?(%d+)%.(%d+)%.?(%d*)")
  if not major then
    return 0
  end
  return tonumber(major) * 1e6 + tonumber(minor) * 1e3 + (tonumber(patch) or 0)
end

return shape
