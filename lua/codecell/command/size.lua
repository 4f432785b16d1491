--- Sizes, counts and dates for people.
local size = {}

local UNITS = { { 1e9, "GB" }, { 1e6, "MB" }, { 1e3, "kB" } }

--- "3.0 MB".
---@param bytes number
---@return string
function size.text(bytes)
  for _, unit in ipairs(UNITS) do
    if bytes >= unit[1] then
      return ("%.1f %s"):format(bytes / unit[1], unit[2])
    end
  end
  return ("%d B"):format(bytes)
end

--- "1 record", "2 records".
---@param number integer
---@param noun string of one
---@return string
function size.count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

--- "2026-11-21 19:06", by the clock of this machine.
---@param seconds integer since 1970
---@return string
function size.date(seconds)
  return os.date("%Y-%m-%d %H:%M", seconds)
end

return size
