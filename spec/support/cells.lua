-- cells.lua -- recorded cells: sessions of real kernels, played through run_code and compared.
--
-- A session runs in a sandbox of its own, its cells in order. What differs between machines and
-- versions without meaning anything is made equal on both sides first: see `normal`.
local codecell = require "codecell"
local core = require "codecell.core"
local shell = require "spec.support.shell"

local cells = {}

local json = codecell.json
local LONG = 4000 -- characters, above which a text is compared by its digest
local PATIENCE = 120 -- seconds for a cell
local SHOWN = 600 -- bytes of a value in a message

-- ---- making equal ----

local function shorten(text)
  local _, count = text:gsub("[^\128-\191]", "")
  if count <= LONG then
    return text
  end
  local folder = shell.folder()
  shell.write(folder .. "/text", text)
  local digest = shell.run("sha256sum " .. shell.quote(folder .. "/text")).stdout:match("^%x+")
  shell.remove(folder)
  local characters = "[%z\1-\127\194-\244][\128-\191]*"
  local head = text:match("^" .. characters:rep(60))
  local tail = text:sub(-240):match(characters:rep(60) .. "$")
  return { length = count, sha256 = digest, head = head, tail = tail }
end

local function hide_addresses(text)
  return (text:gsub("0x(%x%x%x%x%x+)", function(digits)
    return "0xADDRESS" .. digits:sub(17)
  end))
end

local of_language = {}

-- Patterns that start with any character are tried at every one of a long text: only where their
-- rarest piece is in it.
local function replace(text, piece, pattern, by)
  return text:find(piece) and text:gsub(pattern, by) or text
end

function of_language.python(text)
  text = replace(text, ":%d+: [%w_]*Warning", "[^%s:]+:(%d+): ([%w_]*Warning)", "CELL:%1: %2")
  text = replace(text, ", line %d+%)", "%([^\n()]*, line (%d+)%)", "(CELL, line %1)")
  text = text:gsub("(cannot import name '[^']*' from '[^']*') %([^)]*%)", "%1 (PATH)")
  text = ("\n" .. text):gsub("\n(CPU times:)[^\n]*", "\n%1 TIME")
  return (text:gsub("\n(Wall time:)[^\n]*", "\n%1 TIME"):sub(2))
end

function of_language.lua(text)
  text = text:gsub('%[string "[^\n]-"%]:(%d+): ', "CELL:%1: ")
  return (replace("\n" .. text, ":%d+: ", "([\n\t ])[^%s:]+:(%d+): ", "%1CELL:%2: "):sub(2))
end

function of_language.bash(text)
  return (("\n" .. text):gsub("\n[^\n:]*: line %d+: ", "\nbash: "):sub(2))
end

function of_language.javascript(text)
  text = ("\n" .. text):gsub("\n%s+at [^\n]*", "")
  text = text:gsub("(Invalid count value): %-?%d+", "%1") -- which node 18 does not say
  return (text:gsub("\n[^\n:]+:%d+\n", "\n"):sub(2))
end

of_language.typescript = of_language.javascript

-- A text without what is of the place and the moment.
local function normal(text, language)
  if type(text) ~= "string" then
    return text
  end
  if language ~= "python" then
    text = text:gsub("\27%[[%d;]*m", "")
  end
  text = hide_addresses(text):gsub("[ \t]+(\r?\n)", "%1"):gsub("[ \t]+$", ""):gsub("\r\n", "\n")
  return shorten(of_language[language](text))
end

local function without_element(text, name)
  local lower, pieces, start = text:lower(), {}, 1
  while true do
    local first = lower:find("<" .. name .. "%f[%W]", start)
    local _, last = lower:find("</" .. name .. ">", first or #text + 1, true)
    if not last then
      break
    end
    pieces[#pieces + 1] = text:sub(start, first - 1)
    start = last + 1
  end
  return table.concat(pieces) .. text:sub(start)
end

local function normal_markup(text, language)
  if type(text) ~= "string" then
    return text
  end
  text = without_element(without_element(text, "style"), "script")
  text = text:gsub("%s+", " "):gsub("%s*(<[^<>]*>)%s*", "%1"):gsub("^%s+", ""):gsub("%s+$", "")
  return normal((text:gsub("T_%x%x%x%x%x", "T_ID")), language)
end

-- Numbers to nine digits, a list apart from an object; without_null: fields that are null go.
local function rounded(value, without_null)
  if type(value) == "number" then
    return ("%.9g"):format(value)
  elseif type(value) ~= "table" or value == json.null then
    return value == json.null and "\0null" or value -- no text of a result is that
  end
  local made = {}
  for key, item in pairs(value) do
    if not (without_null and item == json.null) then
      made[key] = rounded(item, without_null)
    end
  end
  return json.is_list(value) and { list = made } or { object = made }
end

local function size_of_png(bytes)
  local function number(at)
    local a, b, c, d = bytes:byte(at, at + 3)
    return ((a * 256 + b) * 256 + c) * 256 + d
  end
  if bytes:sub(1, 8) ~= "\137PNG\r\n\26\n" or #bytes < 24 then
    return "not a PNG"
  end
  return ("%dx%d"):format(number(17), number(21))
end

local STARTS = { jpeg = "\255\216\255", pdf = "%PDF-" }
local MARKUP = { html = true, svg = true }
local STRUCTURED = { json = true, data = true, chart = true, extra = true }

local function normal_format(name, value, language)
  if STRUCTURED[name] then
    return rounded(value, name == "chart")
  elseif MARKUP[name] then
    return normal_markup(value, language)
  end
  return normal(value, language)
end

-- A result of ours in the shape of the recorded ones.
local function shown(result, want)
  local made = { main = result.is_main_result, formats = result:formats() }
  for _, name in ipairs({ "text", "html", "markdown", "svg", "png", "jpeg", "pdf", "latex", "json",
    "javascript", "data", "chart", "extra" }) do
    made[name] = result[name]
  end
  if made.png then
    local size = size_of_png(made.png)
    made.png = want.png == "valid" and size ~= "not a PNG" and "valid" or size
  end
  for name, start in pairs(STARTS) do
    if made[name] then
      made[name] = made[name]:sub(1, #start) == start and "valid" or "not valid"
    end
  end
  return made
end

-- ---- comparing ----

local function same(left, right)
  if type(left) ~= "table" or type(right) ~= "table" then
    return left == right
  end
  for key, value in pairs(left) do
    if not same(value, right[key]) then
      return false
    end
  end
  for key in pairs(right) do
    if left[key] == nil then
      return false
    end
  end
  return true
end

local function written(value)
  if type(value) == "table" then
    local keys, pieces = {}, {}
    for key in pairs(value) do
      keys[#keys + 1] = tostring(key)
    end
    table.sort(keys)
    for i, key in ipairs(keys) do
      local item = value[key]
      if item == nil then
        item = value[tonumber(key)]
      end
      pieces[i] = key .. "=" .. written(item)
    end
    return "{" .. table.concat(pieces, " ") .. "}"
  end
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

-- Both values, from a little before the place where they part.
local function differ(path, want, got)
  local left, right = written(want), written(got)
  local at = 1
  while at < #left and left:byte(at) == right:byte(at) do
    at = at + 1
  end
  local from = at > SHOWN / 2 and at - 100 or 1
  local lead = from > 1 and "..." or ""
  return ("%s\n      recorded %s%s\n      got      %s%s"):format(path, lead,
    left:sub(from, from + SHOWN), lead, right:sub(from, from + SHOWN))
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list or {}) do
    set[name] = true
  end
  return set
end

local function given(value)
  if value ~= json.null then
    return value
  end
end

local Comparison = {}
Comparison.__index = Comparison

function Comparison:check(path, want, got)
  if not self.ignore[path] and not same(want, got) then
    self[#self + 1] = differ(path, want, got)
  end
end

function Comparison:compare_error(want, got)
  if self.ignore.error or not want ~= not got then
    if not self.ignore.error then
      self[#self + 1] = differ("error", want, got)
    end
    return
  elseif not want then
    return
  end
  local names = set_of(want.names or want.name and { want.name })
  if next(names) and not names[got.name] then
    self:check("error.name", want.names or want.name, got.name)
  end
  if want.value then
    self:check("error.value", normal(want.value, self.language), normal(got.value, self.language))
  end
  local trace = normal(got.traceback, self.language)
  trace = type(trace) == "string" and trace .. "\n" .. got.traceback or got.traceback
  for _, piece in ipairs(want.traceback_contains or {}) do
    if not trace:find(piece, 1, true) then
      self:check("error.traceback, a piece of it", piece, got.traceback)
    end
  end
  for _, piece in ipairs(want.traceback_lacks or {}) do
    if trace:find(piece, 1, true) then
      self:check("error.traceback, which should lack " .. piece, "", got.traceback)
    end
  end
  if got.traceback:find("\27", 1, true) then
    self:check("error.traceback, which has colours", "", got.traceback)
  end
end

local function is_empty(chart)
  return type(chart) == "table" and next(rounded(chart, true).object or { 1 }) == nil
end

-- Formats that are compared, as a set.
function Comparison:formats(result)
  local set = {}
  for _, name in ipairs(result.formats) do
    -- What `extra` holds has its MIME type as its name.
    local ignored = self.ignore[name] or self.ignore.extra and name:find("/", 1, true)
    set[name] = not ignored and not (name == "chart" and is_empty(result.chart)) or nil
  end
  return set
end

function Comparison:compare_result(path, want, got)
  got = shown(got, want)
  self:check(path .. ".main", want.main, got.main)
  self:check(path .. ".formats", self:formats(want), self:formats(got))
  local names = set_of({ "extra" })
  for name in pairs(want) do
    names[name] = true
  end
  for name in pairs(names) do
    if name ~= "main" and name ~= "formats" and not self.ignore[name]
        and not (name == "chart" and is_empty(want.chart) and not got.chart) then
      self:check(path .. "." .. name, normal_format(name, given(want[name]), self.language),
        normal_format(name, got[name], self.language))
    end
  end
end

function Comparison:compare_output(want, got, contains)
  for _, name in ipairs({ "stdout", "stderr" }) do
    local text = table.concat(got.logs[name])
    if want[name] ~= nil then
      self:check(name, normal(given(want[name]), self.language), normal(text, self.language))
    end
    for _, piece in ipairs(contains and contains[name] or {}) do
      if not text:find(piece, 1, true) then
        self:check(name .. ", a piece of it", piece, text)
      end
    end
  end
end

-- What differs between a recorded execution and one of ours: a list of lines, empty if nothing.
local function compare(want, cell, got, language)
  local self = setmetatable({ ignore = set_of(cell.ignore), language = language }, Comparison)
  local failure = given(want.error)
  if failure and failure.any then
    if not got.error then
      self:check("error", "any", nil)
    end
    return self
  end
  self:compare_error(failure, got.error)
  if want.results and not self.ignore.results then
    self:check("number of results", #want.results, #got.results)
    for i = 1, math.min(#want.results, #got.results) do
      self:compare_result(("results[%d]"):format(i), want.results[i], got.results[i])
    end
  end
  if want.text ~= nil then
    self:check("text", normal(given(want.text), language), normal(got.text, language))
  end
  self:compare_output(want, got, cell.contains)
  if want.execution_count then
    self:check("execution_count", want.execution_count, got.execution_count)
  end
  return self
end

-- ---- playing ----

-- An interrupt after so many seconds: what the kernel says of it is compared as well.
local function run_interrupted(sandbox, cell, language)
  local run, err = sandbox:start_code(cell.code, { language = language, timeout = PATIENCE })
  if not run then
    return nil, err
  end
  local done
  done, err = run:wait(cell.timeout)
  if not done and err.kind == "timeout" then
    run:kill("sigint")
    return run:wait(PATIENCE)
  end
  return done, err
end

local function play_cells(sandbox, session)
  local language = session.language
  for number, cell in ipairs(session.cells) do
    local got, err
    if cell.timeout then
      got, err = run_interrupted(sandbox, cell, language)
    else
      got, err = sandbox:run_code(cell.code, { language = language, timeout = PATIENCE })
    end
    local least = got and compare(cell.expect, cell, got, language)
      or { "run_code: " .. tostring(err) }
    for _, want in ipairs(got and cell.also or {}) do
      least = #least > 0 and #compare(want, cell, got, language) == 0 and {} or least
    end
    if #least > 0 then
      return ("%s, cell %d:\n    %s\n  %s"):format(session.id, number,
        cell.code:sub(1, SHOWN):gsub("\n", "\n    "), table.concat(least, "\n  "))
    end
  end
end

-- nil, or what differs.
local function play(session)
  local sandbox, err = codecell.create()
  if not sandbox then
    return session.id .. ": " .. tostring(err)
  end
  local difference = play_cells(sandbox, session)
  sandbox:close()
  return difference
end

--- The recorded sessions of a language, in order.
function cells.sessions(language)
  local list = {}
  for line in io.lines("spec/cases/cells/" .. language .. ".jsonl") do
    local session = assert(json.decode(line))
    list[#list + 1] = session
  end
  return list
end

-- Packages that the sandbox's Python lacks. Chart data need none besides what draws.
local function missing_packages(sessions)
  local wanted = { "e2b_charts" }
  for _, session in ipairs(sessions) do
    for _, name in ipairs(session.needs) do
      wanted[#wanted + 1] = name
    end
  end
  if #wanted == 1 then
    return {}
  end
  local sandbox = codecell.assert(codecell.create())
  local execution = codecell.assert(sandbox:run_code(([[
import importlib.util
for name in %q.split():
    if not importlib.util.find_spec(name): print(name)]]):format(table.concat(wanted, " "))))
  sandbox:close()
  local missing = {}
  for name in table.concat(execution.logs.stdout):gmatch("%S+") do
    missing[name] = name ~= "e2b_charts" or nil
  end
  return missing
end

local function first_missing(session, missing)
  for _, name in ipairs(session.needs) do
    if missing[name] then
      return name
    end
  end
end

--- Play all sessions of a language, several at once.
--- Answers of each session's id: {difference =} or {missing = name of a package}.
function cells.play_all(sessions)
  local outcomes, missing = {}, missing_packages(sessions)
  local next_one = 0
  local function work()
    while next_one < #sessions do
      next_one = next_one + 1
      local session = sessions[next_one]
      local package = first_missing(session, missing)
      outcomes[session.id] = package and { missing = package } or { difference = play(session) }
    end
  end
  local workers = {}
  for i = 1, math.max(2, core.cpu_count()) do
    workers[i] = assert(codecell.async(work))
  end
  for _, worker in ipairs(workers) do
    worker:wait()
  end
  return outcomes
end

return cells
