--- An Execution as the command line gives it: to a person, to a pipe, as JSON.
local base64 = require "codecell.base64"
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"
local media = require "codecell.agent.media"
local terminal = require "codecell.command.terminal"
local write = require "codecell.write"

local show = {}

-- In this order a picture is looked for: what terminals can draw comes first.
local PICTURES = { "png", "jpeg", "svg", "pdf" }
local SUFFIXES = { png = "png", jpeg = "jpg", svg = "svg", pdf = "pdf" }
-- Wider pictures would fill more than a screen.
local COLUMNS_MAX = 80
-- Formats that are bytes, so that JSON takes them in base64.
local BINARY = { png = true, jpeg = true, pdf = true }

--- Standard output and standard error, and where pictures are kept.
---@param sandbox codecell.Sandbox? makes pictures small enough for a terminal
---@param folder string? pictures are saved there; nil: they are not
function show.open(sandbox, folder)
  return {
    sandbox = sandbox,
    out = terminal.open(io.stdout, 1),
    err = terminal.open(io.stderr, 2),
    folder = folder,
    saved = 0,
  }
end

--- Whether there is a folder of the host for what is to be kept.
---@param option string that names it
---@param folder string
---@return true?
---@return string? message
function show.check_folder(option, folder)
  local handle = io.open(folder .. "/.", "r")
  if not handle then
    return nil, ("%s: there is no folder %s"):format(option, folder)
  end
  handle:close()
  return true
end

--- The callbacks that show output while the code runs.
---@param view table from show.open
---@return table options on_stdout, on_stderr
function show.stream(view)
  return {
    on_stdout = function(text)
      view.out:foreign(text)
    end,
    on_stderr = function(text)
      view.err:foreign(text)
    end,
  }
end

local function exists(path)
  local handle = io.open(path, "rb")
  if handle then
    handle:close()
  end
  return handle ~= nil
end

-- Under the next free name: nothing of the user's is written over.
local function save(view, format, bytes)
  local path
  repeat
    view.saved = view.saved + 1
    path = ("%s/figure-%d.%s"):format(view.folder, view.saved, SUFFIXES[format])
  until not exists(path)
  local written, problem = write(path, bytes)
  if not written then
    command.abort("cannot save a picture: " .. problem)
  end
  view.err:write(view.err:style("dim", "saved " .. path), "\n")
end

-- The picture as text for this terminal; nil where that cannot be done.
local function draw(view, format, bytes)
  if not view.out.is_terminal or format ~= "png" then
    return nil
  end
  local _, columns = core.terminal_size(1)
  if not columns or columns < 1 then
    columns = COLUMNS_MAX -- a terminal that does not know its size
  end
  return (media.draw(bytes, {
    columns = math.min(columns, COLUMNS_MAX),
    pixels = function(wide, high)
      return media.thumbnail(view.sandbox, bytes, wide, high)
    end,
  }))
end

local function show_pictures(view, result)
  for _, format in ipairs(PICTURES) do
    local bytes = result[format]
    if bytes then
      local drawing = draw(view, format, bytes)
      if drawing then
        view.out:write(drawing, "\n")
      end
      if view.folder then
        save(view, format, bytes)
      elseif not drawing then
        view.err:write(view.err:style("dim", ("[a picture: %s, %d bytes; --save DIR keeps it]")
          :format(format, #bytes)), "\n")
      end
      return drawing
    end
  end
end

local function show_result(view, result)
  local drawn = show_pictures(view, result)
  local text = result.text or result.markdown or result.latex or result.json
    and json.encode(result.json)
  if text and not drawn then
    view.out:foreign(text)
    view.out:foreign(text:sub(-1) == "\n" and "" or "\n")
    view.out:settle()
  end
end

local function show_error(view, problem)
  local text = problem.traceback
  if not text or text == "" then
    text = problem.name .. (problem.value ~= "" and ": " .. problem.value or "")
  end
  view.err:foreign(text:gsub("\n+$", "") .. "\n")
  view.err:settle()
end

-- sys.exit() of Python is an exception, which ends nothing: its argument tells.
local EXIT_OF_SUCCESS = { [""] = true, ["0"] = true, None = true, False = true }

--- Whether the code failed. A program that ends by itself with status 0 did not: `exit 0`,
--- `sys.exit()`, `process.exit()`.
---@param done codecell.Execution
---@return boolean
function show.has_failed(done)
  local problem = done.error
  return problem ~= nil and problem.exit_code ~= 0
    and not (problem.name == "SystemExit" and EXIT_OF_SUCCESS[problem.value] == true)
end

-- What the code was refused, and what would allow it.
local function tell_refused(execution)
  for _, refusal in ipairs(execution.refused) do
    local option, entry = (refusal.allow or ""):match('^(%l+) = {allow = {"([^"]+)"}}$')
    if refusal.allow == "packages = true" then
      option, entry = "packages", "all"
    end
    io.stderr:write("codecell: ", refusal.what, " refused: ", refusal.why,
      entry and ("; allow it with --%s %s"):format(option, entry) or "", "\n")
  end
end

--- What comes after the streamed output: displays, then the value of the last
--- expression, then how it went, and what the code was refused.
---@param view table from show.open
---@param execution codecell.Execution
function show.finish(view, execution)
  view.out:settle()
  view.err:settle()
  local main
  for _, result in ipairs(execution.results) do
    if result.is_main_result then
      main = result
    else
      show_result(view, result)
    end
  end
  if main then
    show_result(view, main)
  end
  if show.has_failed(execution) then
    show_error(view, execution.error)
  end
  tell_refused(execution)
end

local function result_table(result)
  local copy = { is_main_result = result.is_main_result == true }
  for _, format in ipairs(result:formats()) do
    local value = result[format]
    copy[format] = BINARY[format] and base64.encode(value) or value
  end
  if result.extra and next(result.extra) then
    copy.extra = result.extra
  end
  return copy
end

--- An Execution as a plain table of JSON values, bytes in base64.
---@param execution codecell.Execution
---@return table
function show.as_table(execution)
  local copy = {}
  for key, value in pairs(execution) do
    if type(value) ~= "function" and type(key) == "string" and key:sub(1, 1) ~= "_" then
      copy[key] = value
    end
  end
  copy.results = {}
  for i, result in ipairs(execution.results) do
    copy.results[i] = result_table(result)
  end
  copy.results = json.list(copy.results)
  copy.logs = {
    stdout = json.list(execution.logs.stdout),
    stderr = json.list(execution.logs.stderr),
  }
  for _, name in ipairs { "refused", "files_changed" } do
    if execution[name] then
      copy[name] = json.list(execution[name])
    end
  end
  return copy
end

return show
