-- Results of the Lua kernel (lua.lua): display, and the value of a cell.
local kernel = debug.getregistry().codecell

local error, pcall, select, tostring, type = error, pcall, select, tostring, type
local next, rawget, rawset, setmetatable = next, rawget, rawset, setmetatable
local _G = _G
local find, format = string.find, string.format
local concat = table.concat
local getmetatable = debug.getmetatable
local bounded, json, unquote = kernel.bounded, kernel.json, kernel.unquote

local RESULT, FINAL = 17, 20 -- src/wire/protocol.h
local TEXT_MAX, BLOB_MAX, FRAME_MAX = 4194304, 16777216, 67108864 -- bytes
local RESULTS_MAX = 1000 -- of a cell
local DEPTH_MAX = 100 -- of an answer
local PLAIN = { boolean = true, ["nil"] = true, number = true, string = true }

local FORMATS = {
  text = "text", html = "text", markdown = "text", svg = "text", latex = "text",
  javascript = "text", png = "bytes", jpeg = "bytes", pdf = "bytes",
  json = "json", data = "json", chart = "json",
}

local MIME_TYPES = {
  ["text/plain"] = "text", ["text/html"] = "html", ["text/markdown"] = "markdown",
  ["image/svg+xml"] = "svg", ["text/latex"] = "latex", ["application/javascript"] = "javascript",
  ["image/png"] = "png", ["image/jpeg"] = "jpeg", ["application/pdf"] = "pdf",
  ["application/json"] = "json", ["e2b/data"] = "data", ["e2b/chart"] = "chart",
}

-- Not between two cells, where a finalizer may run; nor once a cell has shown too many.
local function takes_results()
  local cell = kernel.cell
  return cell and cell.began and cell.results <= RESULTS_MAX
end

-- Results that are shown are told at once; the value of the cell goes with its end.
local function show(parts, is_main)
  local cell = kernel.cell
  cell.results = cell.results + 1
  if cell.results > RESULTS_MAX then
    kernel.truncated, is_main = true, false
    parts = { "text", format("[more than %d results: the rest is left out]", RESULTS_MAX) }
  end
  if is_main then
    parts[#parts + 1], parts[#parts + 2] = "main", "1"
  end
  local bytes = kernel.frame(RESULT, cell.request, parts)
  if #bytes > FRAME_MAX then
    kernel.truncated = true
    bytes = kernel.frame(RESULT, cell.request, { "text",
      format("[a result of %d bytes is left out]", #bytes) })
  end
  if is_main then
    cell.last = bytes
  else
    kernel.say(bytes)
  end
end

local function add_format(parts, name, value)
  name = MIME_TYPES[name] or name
  local sort_of = FORMATS[name] or type(value) == "table" and "json" or "bytes"
  if sort_of == "json" then
    value = json(value)
    name = FORMATS[name] and name or name .. " json"
  elseif type(value) ~= "string" then
    error(format("%s is a string, not a %s", name, type(value)), 0)
  elseif sort_of == "text" then
    value = bounded(value)
  elseif #value > BLOB_MAX then
    kernel.truncated = true
    name, value = "text", format("[%s of %d bytes is left out]", name, #value)
  end
  parts[#parts + 1], parts[#parts + 2] = name, value
end

-- Whether a table says in which formats it is to be shown: {html = "<b>x</b>", text = "x"}.
local function is_rich(value)
  if type(value) ~= "table" or next(value) == nil or getmetatable(value) then
    return false
  end
  for key in next, value do
    if type(key) ~= "string" or not (FORMATS[key] or find(key, "/", 1, true)) then
      return false
    end
  end
  return true
end

local function parts_of(bundle)
  local parts = {}
  for name, content in next, bundle do
    add_format(parts, name, content)
  end
  return parts
end

local function parts_for(value)
  if is_rich(value) then
    return parts_of(value)
  end
  local parts = { "text", unquote(bounded(tostring(value))) }
  if type(value) == "table" and not getmetatable(value) then
    local ok, text = pcall(json, value)
    if ok then
      parts[3], parts[4] = "json", text
    elseif find(text, "interrupted!", 1, true) then
      error(text, 0)
    end
  end
  return parts
end

-- What is wrong with an argument is the caller's, in his line.
local function parts_or_error(...)
  local ok, parts = pcall(...)
  if not ok then
    error(type(parts) == "string" and "display: " .. parts or parts, 3)
  end
  return parts
end

local function display(_, ...)
  for i = 1, select("#", ...) do
    if takes_results() then
      show(parts_or_error(parts_for, (select(i, ...))))
    end
  end
end

-- The function display(value, ...), one for each format: display.html("<b>x</b>"), and one for
-- several formats of the same: display.mime{html = "<b>x</b>", text = "x"}.
local function make_display()
  local functions = {}
  for name in next, FORMATS do
    functions[name] = function(value)
      local parts = {}
      if takes_results() then
        parts_or_error(add_format, parts, name, value)
        show(parts)
      end
    end
  end
  function functions.mime(bundle)
    if takes_results() then
      if not is_rich(bundle) then
        error("display: mime is a table of formats", 2)
      end
      show(parts_or_error(parts_of, bundle))
    end
  end
  return setmetatable(functions, { __call = display, __name = "display" })
end

-- The values of the cell, as the interactive interpreter prints them.
function kernel.show_values(values)
  local pieces, size = {}, 0
  for i = 2, values.n do
    local text = tostring(values[i])
    pieces[i - 1], size = text, size + #text + 1
    if size > TEXT_MAX then
      break
    end
  end
  if values.n > 1 and takes_results() then
    show({ "text", unquote(bounded(concat(pieces, "\t"))) }, true)
  end
end

_G.display = make_display()

-- ---- final_answer ----

-- Functions and the like would become text.
local function check_answer(value, depth)
  local kind = type(value)
  if kind == "table" and depth <= DEPTH_MAX then
    for key, item in next, value do
      check_answer(key, depth)
      check_answer(item, depth + 1)
    end
  elseif kind ~= "table" and not PLAIN[kind] then
    error(format("a value that JSON can hold expected, got a %s", kind), 0)
  end
end

local function answer_text(value)
  check_answer(value, 0)
  local text = json(value)
  if #text > TEXT_MAX then
    error("at most 4 MiB of JSON expected", 0)
  end
  return text
end

-- Told on the wire, apart from all that is printed or shown; the last one counts.
local function final_answer(value)
  local ok, text = pcall(answer_text, value)
  if not ok then
    error(type(text) == "string" and "final_answer: " .. text or text, 2)
  end
  local cell = kernel.cell
  if cell and cell.began and cell.final then
    kernel.say(kernel.frame(FINAL, cell.request, { "json", text }))
  end
end

--- Give a cell the function, if it may have an answer, or take it back.
function kernel.let_answer(cell)
  if cell and cell.final then
    rawset(_G, "final_answer", final_answer)
  elseif not cell and rawget(_G, "final_answer") == final_answer then
    rawset(_G, "final_answer", nil)
  end
end
