--- A notebook of Jupyter: nbformat 4.5.
---
--- A notebook has one kernel. Cells of its language are code; those of others begin with a magic
--- of IPython that runs them as programs of their own where there is one, and are quoted in
--- Markdown where there is none. `metadata.codecell` of each cell says what it was.
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local json = require "codecell.json"
local markdown = require "codecell.export.markdown"
local media = require "codecell.agent.media"
local shown = require "codecell.export.shown"

local ipynb = {}

local KERNELS = {
  bash = { name = "bash", display_name = "Bash" },
  javascript = { name = "javascript", display_name = "JavaScript (Node.js)" },
  lua = { name = "lua", display_name = "Lua" },
  python = { name = "python3", display_name = "Python 3 (ipykernel)" },
  r = { name = "ir", display_name = "R" },
  typescript = { name = "tslab", display_name = "TypeScript" },
}
local SUFFIXES = { bash = ".sh", javascript = ".js", lua = ".lua", python = ".py", r = ".r",
  typescript = ".ts" }

-- How IPython runs a program of another language. A program that it does not find is told, and the
-- notebook goes on.
local MAGICS = {
  bash = "%%bash",
  javascript = "%%script --no-raise-error node",
  lua = "%%script --no-raise-error lua -",
  perl = "%%perl",
  php = "%%script --no-raise-error php",
  ruby = "%%ruby",
}

local BINARY = { jpeg = true, pdf = true, png = true }

local function bundle(result)
  local data = {}
  for _, format in ipairs(result:formats()) do
    local kind, value = media.type(format), result[format]
    if kind then
      data[kind] = BINARY[format] and base64.encode(value) or value
    elseif format:find("^%w+/[%w.+-]+$") then -- anything else is no MIME type
      value = result.extra[format]
      local is_json = format == "application/json" or format:find("^application/.*%+json$")
      data[format] = (is_json or type(value) == "string") and value
        or errors.assert(json.encode(value))
    end
  end
  return data
end

local function stream(outputs, name, chunks)
  local text = table.concat(chunks)
  if text ~= "" then
    outputs[#outputs + 1] = { output_type = "stream", name = name, text = text }
  end
end

local function failure_output(failure)
  local lines = {}
  for line in ((failure.traceback or "") .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return { output_type = "error", ename = failure.name or "Error", evalue = failure.value or "",
    traceback = json.list(lines) }
end

local function number_or_null(count)
  return type(count) == "number" and count > 0 and count % 1 == 0 and count or json.null
end

local function outputs_of(execution)
  local outputs = json.list()
  if not execution then
    return outputs
  end
  stream(outputs, "stdout", execution.logs.stdout)
  stream(outputs, "stderr", execution.logs.stderr)
  for _, result in ipairs(execution.results) do
    local data = bundle(result)
    if next(data) and result.is_main_result then
      outputs[#outputs + 1] = { output_type = "execute_result", data = data, metadata = {},
        execution_count = number_or_null(execution.execution_count) }
    elseif next(data) then
      outputs[#outputs + 1] = { output_type = "display_data", data = data, metadata = {} }
    end
  end
  if execution.error then
    outputs[#outputs + 1] = failure_output(execution.error)
  end
  return outputs
end

local function metadata_of(cell)
  local execution = cell.execution
  return {
    codecell = { language = cell.language, context = cell.context,
      at = cell.at and shown.time(cell.at), seconds = execution and execution.seconds },
    tags = cell.failure and json.list({ "raises-exception" }) or nil, -- running it again goes on
  }
end

local function code_cell(cell, id, is_ours)
  local source = cell.code
  if not is_ours then
    source = MAGICS[cell.language] .. "\n" .. source
  end
  return { cell_type = "code", id = id, metadata = metadata_of(cell), source = source,
    execution_count = number_or_null(cell.execution and cell.execution.execution_count),
    outputs = outputs_of(cell.execution) }
end

local function markdown_cell(text, id, metadata)
  return { cell_type = "markdown", id = id, metadata = metadata or {}, source = text }
end

-- The language of the notebook's kernel: Python if any cell is of it, else that of the first.
local function language_of(cells)
  for _, cell in ipairs(cells) do
    if cell.language == "python" then
      return "python"
    end
  end
  return cells[1] and cells[1].language or "python"
end

local function heading(cells, about, language)
  local lines, contexts = {}, 1
  for _, cell in ipairs(cells) do
    contexts = math.max(contexts, cell.language == language and cell.number or 1)
  end
  lines[#lines + 1] = about.title and "# " .. shown.line(about.title)
  lines[#lines + 1] = shown.forgotten(about)
  if contexts > 1 then
    lines[#lines + 1] = ("These cells ran in %d contexts, each with variables of its own; a "
      .. "notebook has one. `metadata.codecell.context` of each cell says which it was.")
      :format(contexts)
  end
  return table.concat(lines, "\n\n")
end

--- The notebook.
---@param cells table[] see codecell.export
---@param about {title: string?, forgotten: integer}
---@return string json
function ipynb.write(cells, about)
  local language = language_of(cells)
  local kernel = KERNELS[language] or { name = language, display_name = language }
  local list = json.list()
  local first = heading(cells, about, language)
  if first ~= "" then
    list[1] = markdown_cell(first, "heading")
  end
  for i, cell in ipairs(cells) do
    local id = ("cell-%d"):format(i)
    local is_ours = cell.language == language
    if is_ours or language == "python" and MAGICS[cell.language] then
      list[#list + 1] = code_cell(cell, id, is_ours)
    else
      list[#list + 1] = markdown_cell(markdown.cell(cell, i), id, metadata_of(cell))
    end
  end
  return errors.assert(json.encode({
    nbformat = 4, nbformat_minor = 5, cells = list,
    metadata = {
      kernelspec = { name = kernel.name, display_name = kernel.display_name, language = language },
      language_info = { name = language, file_extension = SUFFIXES[language] },
      codecell = { version = require("codecell")._VERSION, forgotten = about.forgotten },
    },
  })) .. "\n"
end

return ipynb
