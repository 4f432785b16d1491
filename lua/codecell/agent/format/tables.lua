--- Data frames and other values as text.
local json = require "codecell.json"

local tables = {}

-- What a reader of a table takes in; the rest is counted.
local ROWS_MAX = 20
local COLUMNS_MAX = 16
local CELL_MAX = 60

---@class codecell.format.Table
---@field columns string[]
---@field rows string[][] at most 20 of them
---@field row_count integer
---@field column_count integer

-- Tables in Lua have no order; the text of a data frame has its columns in theirs.
local function order_columns(names, text)
  local header = type(text) == "string" and text:match("^[^\n]*") or ""
  local position = {}
  for _, name in ipairs(names) do
    position[name] = header:find(name, 1, true) or math.huge
  end
  table.sort(names, function(left, right)
    if position[left] == position[right] then
      return left < right
    end
    return position[left] < position[right]
  end)
end

local function is_null(value)
  return value == nil or type(value) == "table" and next(value) == nil
    or type(value) == "userdata"
end

local function cell(value)
  if is_null(value) then
    return ""
  elseif type(value) == "number" then
    return ("%.10g"):format(value)
  end
  local text = type(value) == "table" and (json.encode(value) or "") or tostring(value)
  text = text:gsub("%s+", " ")
  return #text > CELL_MAX and text:sub(1, CELL_MAX):gsub("[\192-\255]?[\128-\191]*$", "") .. "..."
    or text
end

-- Whether the rows have names: a table's `data` has none, so that only its text is complete.
local function has_labels(text)
  local first = type(text) == "string" and text:match("^[^\n]*\n([^\n]*)")
  return first and not first:find("^0%s") or false
end

--- Read a result's table: column to values.
---@param result codecell.Result
---@return codecell.format.Table? nil when its `data` is something else, or its rows have names
function tables.read(result)
  local names, count = {}, 0
  if has_labels(result.text) then
    return nil
  end
  for name, values in pairs(result.data) do
    if type(name) ~= "string" or type(values) ~= "table" then
      return nil
    end
    names[#names + 1] = name
    count = math.max(count, #values)
  end
  if #names == 0 then
    return nil
  end
  order_columns(names, result.text)
  local rows, columns = {}, {}
  for i = 1, math.min(#names, COLUMNS_MAX) do
    columns[i] = names[i]
  end
  for row = 1, math.min(count, ROWS_MAX) do
    rows[row] = {}
    for i, name in ipairs(columns) do
      rows[row][i] = cell(result.data[name][row])
    end
  end
  return { columns = columns, rows = rows, row_count = count, column_count = #names }
end

local function markdown_row(cells)
  local out = {}
  for i, text in ipairs(cells) do
    out[i] = text:gsub("\\", "\\\\"):gsub("|", "\\|"):gsub("[\r\n]", " "):gsub("`", "\\`")
  end
  return "| " .. table.concat(out, " | ") .. " |"
end

--- What a table leaves out, or nil.
---@param data codecell.format.Table
---@return string?
function tables.rest(data)
  if data.row_count > #data.rows or data.column_count > #data.columns then
    return ("[%d of %d rows, %d of %d columns]"):format(#data.rows, data.row_count, #data.columns,
      data.column_count)
  end
  return nil
end

--- A table in Markdown.
---@param data codecell.format.Table
---@return string
function tables.markdown(data)
  local lines = { markdown_row(data.columns), (("| --- "):rep(#data.columns)) .. "|" }
  for _, row in ipairs(data.rows) do
    lines[#lines + 1] = markdown_row(row)
  end
  lines[#lines + 1] = tables.rest(data)
  return table.concat(lines, "\n")
end

-- LuaJIT 2.1.0-beta3 miscompiles hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(tables.read)
end

return tables
