--- What an execution has to say, in order, as plain parts that every style lays out.
local chart = require "codecell.agent.format.chart"
local core = require "codecell.core"
local cut = require "codecell.agent.format.cut"
local json = require "codecell.json"
local media = require "codecell.agent.media"
local shorten = require "codecell.agent.format.shorten"
local tables = require "codecell.agent.format.tables"
local terminal = require "codecell.agent.terminal"
local unicode = require "codecell.agent.unicode"

local parts = {}

---@class codecell.format.Part
---@field kind "output"|"stderr"|"result"|"picture"|"chart"|"table"|"error"|"notice"
---@field title string
---@field text? string
---@field result? codecell.Result
---@field picture? codecell.Picture
---@field main? boolean
---@field full? string the text before it was cut; `raw` instead where `text` is what has changed
---@field raw? string
---@field is_cut? boolean
---@field id? string by which the rest can be read
---@field note? string behind the text
---@field hidden? string why a picture is not shown

local PARTS_MOST = 40 -- of an execution, for a model

-- So many control characters in so many bytes are no text.
local SAMPLE = 4096
local BINARY = 0.1

--- Whether it is anything but text, by its beginning.
---@param text string
---@return boolean
function parts.is_binary(text)
  local sample = text:sub(1, SAMPLE)
  local _, zeros = sample:gsub("%z", "")
  local _, controls = sample:gsub("[\1-\8\11\14-\26\28-\31]", "")
  return #sample > 0 and (zeros + controls) / #sample > BINARY
end

local MAGIC = {
  { "\137PNG", "PNG" }, { "\255\216\255", "JPEG" }, { "PK\3\4", "ZIP" }, { "\31\139", "gzip" },
  { "\127ELF", "ELF" }, { "%PDF", "PDF" }, { "GIF8", "GIF" }, { "\0asm", "WebAssembly" },
}

--- Bytes that are no text, in a line.
---@param text string
---@return string
function parts.binary(text)
  local name = "unknown type"
  for _, magic in ipairs(MAGIC) do
    if text:sub(1, #magic[1]) == magic[1] then
      name = magic[2]
    end
  end
  return ("[binary data, %s, %s bytes, SHA-256 %s]"):format(name, cut.number(#text),
    core.digest("sha256"):update(text):finish())
end

--- Text of the sandbox for a model, all of it: no escape sequences, progress bars at their end,
--- equal lines counted.
---@param text string
---@return string
function parts.tidy(text)
  return cut.fold(terminal.strip(cut.collapse(text)))
end

-- For people colours are taken away, and what else steers a terminal is shown.
local function tidy_for_people(text)
  return cut.fold(terminal.clean(cut.collapse(text)))
end

--- Text of the sandbox for a reader: no control sequences, no progress, within a budget.
---@param text string
---@param budget integer characters
---@param opts {people: boolean?, hint: string|fun(offset: integer): string|nil} hint: how to get
---the rest, which begins at so many bytes of the tidy text
---@return string
---@return boolean is_cut
function parts.clean(text, budget, opts)
  if parts.is_binary(text) then
    return parts.binary(text), false
  end
  local head, rest, lines, bytes = cut.ends(text)
  local tidy = opts.people and tidy_for_people or parts.tidy
  return cut.middle(tidy(head), budget, opts.hint, lines, bytes, rest and tidy(rest))
end

--- The same, and its last line's end is kept where nothing was left out.
---@param text string
---@param budget integer characters
---@return string
---@return boolean is_cut
function parts.cut(text, budget)
  local short, is_cut = parts.clean(text, budget, {})
  return text == short .. "\n" and text or short, is_cut
end

-- The lines of a traceback from its ends: the call that began it and the place that failed.
local TRACEBACK_MAX = 24

local function trim_traceback(text)
  local lines, last = {}, #text
  while last > 0 and text:byte(last) == 10 do
    last = last - 1
  end
  for line in (text:sub(1, last) .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  if #lines <= TRACEBACK_MAX then
    return table.concat(lines, "\n")
  end
  local kept, head = {}, 6
  for i = 1, head do
    kept[i] = lines[i]
  end
  kept[#kept + 1] = ("  [... %d lines left out ...]"):format(#lines - TRACEBACK_MAX)
  for i = #lines - (TRACEBACK_MAX - head) + 1, #lines do
    kept[#kept + 1] = lines[i]
  end
  return table.concat(kept, "\n")
end

local function error_part(failure)
  local text = failure.traceback
  local line = (failure.name or "Error")
    .. ((failure.value or "") ~= "" and ": " .. failure.value or "")
  if type(text) ~= "string" or text == "" then
    text = line
  elseif not text:find(failure.name or "", 1, true) then
    text = text .. "\n" .. line
  end
  local at = failure.line and (" in line %d"):format(failure.line) or ""
  return { kind = "error", title = "Error" .. at, text = trim_traceback(text) }
end

local function add_result(list, result, opts)
  local main = result.is_main_result == true
  local title = main and "Result" or "Display"
  local picture = media.picture(result)
  local has_table = type(result.data) == "table" and tables.read(result)
  if picture then
    list[#list + 1] = { kind = "picture", title = "Picture", picture = picture, result = result }
  end
  if picture and type(result.chart) == "table" and opts.vision ~= true then
    list[#list + 1] = { kind = "chart", title = "Chart", text = chart.describe(result.chart) }
  end
  if has_table and opts.style ~= "text" and opts.style ~= "ansi" then
    list[#list + 1] = { kind = "table", title = title, table = has_table, result = result,
      main = main, text = tables.markdown(has_table) }
  elseif not picture then
    local text = result.markdown or result.text or result.latex
    if type(text) ~= "string" and result.json ~= nil then
      text = json.encode(result.json)
    end
    text = type(text) == "string" and text or result.html or result.javascript
    if type(text) == "string" or opts.style == "html" and result.html then
      list[#list + 1] = { kind = "result", title = title, text = text or "", result = result,
        main = main }
    end
  end
end

local function add_notices(list, execution)
  local function notice(text)
    list[#list + 1] = { kind = "notice", title = "Note", text = text }
  end
  if execution.timed_out and not execution.error then
    notice("the code ran out of time and was stopped")
  end
  if execution.out_of_memory and not execution.error then
    notice("the code ran out of memory")
  end
  if execution.state_lost then
    notice("the session had to be restarted: variables of earlier code are gone")
  end
  for _, name in ipairs({ "stdout", "stderr" }) do
    local lost = type(execution.truncated) == "table" and execution.truncated[name]
    if lost then
      notice(("%s was cut: %s of %s bytes were kept"):format(name, cut.number(lost.kept),
        cut.number(lost.total)))
    end
  end
  for _, refused in ipairs(execution.refused or {}) do
    notice(tostring(refused.message))
  end
  if execution.exit_code and execution.exit_code ~= 0 then
    notice(execution.signal and "ended by " .. execution.signal
      or ("exit status %d"):format(execution.exit_code))
  end
  if execution.mock then
    notice("mock: nothing was run, this is a scripted answer")
  end
end

local function joined(log, text)
  return type(log) == "table" and table.concat(log) or text or ""
end

--- The parts of an execution or of a command's result.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts table options of the style
---@return codecell.format.Part[]
function parts.of(execution, opts)
  local list = {}
  local logs = execution.logs or {}
  local output = joined(logs.stdout, execution.stdout)
  local errors = joined(logs.stderr, execution.stderr)
  if output ~= "" then
    list[#list + 1] = { kind = "output", title = "Output", text = output }
  end
  if errors ~= "" then
    list[#list + 1] = { kind = "stderr", title = "Standard error", text = errors }
  end
  for _, result in ipairs(execution.results or {}) do
    add_result(list, result, opts)
  end
  if execution.error then
    list[#list + 1] = error_part(execution.error)
  end
  add_notices(list, execution)
  return list
end

--- No more parts than anyone reads: those in the middle are counted.
---@param list codecell.format.Part[]
---@return codecell.format.Part[]
function parts.bound(list)
  if #list <= PARTS_MOST then
    return list
  end
  local few, head = {}, PARTS_MOST / 2
  for i = 1, head do
    few[i] = list[i]
  end
  few[head + 1] = { kind = "notice", title = "Note",
    text = ("%s parts were left out here"):format(cut.number(#list - PARTS_MOST + 1)) }
  for i = #list - head + 2, #list do
    few[#few + 1] = list[i]
  end
  return few
end

-- How to read the rest of a part, which is kept when it is cut the first time.
local function reading(part, opts)
  return function(offset)
    part.id = part.id or opts.keep(part.raw or part.full)
    return ("read_output{id=%q, offset=%d}"):format(part.id, part.raw and 0 or offset)
  end
end

-- JSON that is too long is cut so that it is JSON still.
local function fit_json(part, share, opts)
  local short = opts.style == "markdown" and unicode.length(part.text) > share
    and shorten(part.text, share)
  if not short then
    return false
  end
  part.text, part.is_cut = terminal.visible(short), true
  if opts.keep then
    part.note = ("[shortened; all of it: %s]"):format(reading(part, opts)(0))
  end
  return true
end

--- Clean all texts of parts, sharing the budget among them.
---@param list codecell.format.Part[]
---@param opts table options of the style; `keep` keeps what is cut, and gives the id to read it by
function parts.fit(list, opts)
  local lengths = {}
  for i, part in ipairs(list) do
    part.text = part.text or ""
    part.full = part.text
    lengths[i] = #part.text
  end
  local shares = cut.share(lengths, opts.budget)
  for i, part in ipairs(list) do
    if not fit_json(part, shares[i], opts) then
      part.text, part.is_cut = parts.clean(part.text, shares[i], { people = opts.people,
        hint = opts.keep and reading(part, opts) or opts.hint })
    end
  end
end

return parts
