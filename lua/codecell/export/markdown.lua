--- Markdown: each cell a fenced block, with what it showed below it. `codecell doctest` runs it
--- again and compares.
local base64 = require "codecell.base64"
local media = require "codecell.agent.media"
local shown = require "codecell.export.shown"

local markdown = {}

--- A fenced block, whose fence is longer than any inside.
---@param info string
---@param text string
---@return string ends with a newline
function markdown.fenced(info, text)
  local longest = 2
  for run in text:gmatch("`+") do
    longest = math.max(longest, #run)
  end
  local fence = ("`"):rep(longest + 1)
  return fence .. info .. "\n" .. text .. ((text == "" or text:sub(-1) == "\n") and "" or "\n")
    .. fence .. "\n"
end

local function pictures(execution)
  local list = {}
  for _, picture in ipairs(media.images(execution)) do
    if picture.format ~= "pdf" then
      list[#list + 1] = ("![%s](data:%s;base64,%s)\n"):format(media.describe(picture),
        picture.type, base64.encode(picture.data))
    end
  end
  return table.concat(list, "\n")
end

local function info_of(cell)
  return cell.language .. (cell.number > 1 and (" session=%d"):format(cell.number) or "")
    .. (cell.failure and " expect-error" or "")
end

--- One cell.
---@param cell table see codecell.export
---@param number integer of it in the document
---@return string
function markdown.cell(cell, number)
  local execution = cell.execution
  local parts = { ("<!-- cell %d%s -->\n"):format(number, cell.at and ", " .. shown.time(cell.at)
    or "") .. markdown.fenced(info_of(cell), cell.code) }
  local text = execution and shown.text(execution) or ""
  if text ~= "" then
    parts[2] = markdown.fenced("output", text)
  end
  local images = execution and pictures(execution) or ""
  if images ~= "" then
    parts[#parts + 1] = images
  end
  return table.concat(parts, "\n")
end

--- The document.
---@param cells table[] see codecell.export
---@param about {title: string?, forgotten: integer}
---@return string
function markdown.write(cells, about)
  local parts = {}
  parts[#parts + 1] = about.title and "# " .. shown.line(about.title) .. "\n"
  local missing = shown.forgotten(about)
  parts[#parts + 1] = missing and missing .. ".\n"
  for i, cell in ipairs(cells) do
    parts[#parts + 1] = markdown.cell(cell, i)
  end
  return table.concat(parts, "\n")
end

return markdown
