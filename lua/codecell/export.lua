--- What was run, as a document: a notebook, Markdown, a Python script, a Lua program.
---
---     local file = io.open("session.ipynb", "wb")
---     file:write(codecell.assert(sandbox:export("ipynb")))
---     file:close()
---
--- What the code printed is hostile: in no format can it become code, markup of the document, or
--- steer a terminal that shows it.
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local history = require "codecell.sandbox.history"
local options = require "codecell.options"
local secrets = require "codecell.secrets"
local write = require "codecell.write"

local export = {}

---@class codecell.ExportedCell
---@field code string
---@field language string
---@field execution? codecell.Execution what it did; pictures as bytes. nil: it was not run
---@field context? string id; default: that of the execution
---@field at? integer seconds of os.time when it ended

---@class codecell.ExportOptions
---@field context? codecell.Context|string only the cells of this one; default: of all
---@field outputs? boolean what the cells did, beside their code (true)
---@field title? string the heading of the document

local WRITERS = {
  ipynb = "codecell.export.ipynb", lua = "codecell.export.lua_program",
  md = "codecell.export.markdown", py = "codecell.export.python",
}
local FORMATS = { "ipynb", "lua", "markdown", "md", "py", "python" }
local LANGUAGE_MOST = 64 -- bytes of a name
local ALIASES = { markdown = "md", python = "py" }

local OPTIONS = {
  context = { type = "context" },
  outputs = { type = "boolean" },
  title = { type = "name" },
}

--- The format of a file, by its name.
---@param path string
---@return string? format
function export.format_of(path)
  local extension = path:match("%.(%w+)$")
  return WRITERS[extension] and extension or nil
end

-- What was read from a record has no methods, and may lack what was empty.
local function whole(told)
  local first = told and told.results and told.results[1]
  if not told or first and first.formats then
    return told
  end
  local copy = {}
  for name, value in pairs(told) do
    copy[name] = value
  end
  local logs = told.logs or {}
  copy.logs = { stdout = logs.stdout or {}, stderr = logs.stderr or {} }
  copy.results = {}
  for i, result in ipairs(told.results or {}) do
    copy.results[i] = execution.decoded(result, result.is_main_result == true)
  end
  return copy
end

-- Cells by what their code saw: numbers of contexts among those of their language.
local function number_contexts(cells)
  local counts, numbers = {}, {}
  for _, cell in ipairs(cells) do
    local context = cell.context
    if context and not numbers[context] then
      counts[cell.language] = (counts[cell.language] or 0) + 1
      numbers[context] = counts[cell.language]
    end
  end
  for _, cell in ipairs(cells) do
    cell.number = cell.context and numbers[cell.context] or 1
  end
  return cells
end

--- A document of cells, in their order. Raises on a wrong format.
---@param cells codecell.ExportedCell[]
---@param format "ipynb"|"md"|"py"|"lua"
---@param given codecell.ExportOptions?
---@param forgotten integer? cells before these that are not known any more
---@return string text
function export.render(cells, format, given, forgotten)
  options.argument("export", "format", format, "choice", { choices = FORMATS })
  given = options.check("export", given, OPTIONS)
  local only = type(given.context) == "table" and given.context.id or given.context
  local chosen = {}
  for i, cell in ipairs(cells) do
    options.argument("export", ("cells[%d].code"):format(i), cell.code, "data")
    options.argument("export", ("cells[%d].language"):format(i), cell.language, "name")
    local context = cell.context or cell.execution and cell.execution.context
    if not only or context == only then
      local language = cell.language:sub(1, LANGUAGE_MOST):gsub("[^%w_+#.-]", "_")
      chosen[#chosen + 1] = { code = cell.code, language = language, context = context,
        at = cell.at, execution = given.outputs ~= false and whole(cell.execution) or nil,
        failure = cell.execution and cell.execution.error }
    end
  end
  return require(WRITERS[ALIASES[format] or format]).write(number_contexts(chosen),
    { title = given.title, forgotten = forgotten or 0 })
end

--- The document of a sandbox; see `sandbox:export`.
---@param sandbox codecell.Sandbox
---@param format string
---@param given codecell.ExportOptions?
---@return string? text
---@return codecell.Error? err kind "not_found"
function export.of_sandbox(sandbox, format, given)
  local runs, forgotten = history.list(sandbox)
  local only = given and type(given) == "table" and given.context
  if only then
    local found, err = sandbox._backend.contexts.kernel(sandbox, "export", only)
    if not found then
      return nil, err
    end
  end
  local cells = {}
  for i, run in ipairs(runs) do
    cells[i] = { code = secrets.hide(sandbox, run.code), language = run.language,
      context = run.context, at = run.at, execution = run.execution }
  end
  return export.render(cells, format, given, forgotten)
end

--- Write the document of a sandbox to a file of this machine, in the format of its name.
---@param sandbox codecell.Sandbox
---@param path string
---@return true? done
---@return codecell.Error? err kinds "invalid_argument", "system"
function export.save(sandbox, path)
  local format = export.format_of(path)
  if not format then
    return nil, errors.new("invalid_argument",
      ("export: %s: end its name in .ipynb, .md, .py or .lua"):format(path))
  end
  local text, err = export.of_sandbox(sandbox, format)
  if not text then
    return nil, err
  end
  local done, problem = write(path, text)
  if not done then
    return nil, errors.new("system", "export: " .. problem)
  end
  return true
end

return export
