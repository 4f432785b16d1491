--- What code did, told to a model or to a person.
---
---     local text = codecell.format(execution)                        -- Markdown for a model
---     io.write(codecell.format(execution, { style = "ansi" }))       -- for a terminal
---
--- What sandboxed code prints is hostile: it may try to steer a terminal, to break out of a quote,
--- or to talk to the model. Control characters never come through, a quote's fence is longer than
--- any run of backticks inside, HTML is escaped, and for a model a line says that what follows
--- is data. The length is bounded whatever the code printed.
local markdown = require "codecell.agent.format.markdown"
local markup = require "codecell.agent.format.html"
local options = require "codecell.options"
local parts = require "codecell.agent.format.parts"
local report = require "codecell.agent.format.report"

---@class codecell.FormatOptions
---@field style? "markdown"|"text"|"ansi"|"html" ("markdown")
---@field budget? integer characters of the sandbox's text in all, shared among its parts (10000)
---@field untrusted? string|false line for a model that says whose text this is; false leaves it out
---@field hint? string how to get what was left out, for instance "call read_output"
---@field draw? fun(picture: codecell.Picture): string? pictures for style "ansi", for instance by
---  `codecell.media.draw`; pictures are described where it gives nothing
---@field picture? fun(picture: codecell.Picture): string? the reference to a picture in Markdown,
---  for instance the path that it was saved to; never its bytes

local BUDGET = 10000

local OPTIONS = {
  style = { type = "choice", choices = { "markdown", "text", "ansi", "html" } },
  budget = { type = "integer", least = 100 },
  untrusted = { type = "either", expected = "string or false",
    rules = { string = { type = "name" }, boolean = { type = "boolean" } } },
  hint = { type = "name" },
  draw = { type = "function" },
  picture = { type = "function" },
}

local format = {}

local COLOURS = { error = "31", stderr = "33", notice = "36", chart = "2", picture = "2" }

local function paint(kind, text, opts)
  local code = opts.style == "ansi" and COLOURS[kind]
  return code and ("\27[%sm"):format(code) .. text .. "\27[0m" or text
end

-- For people: the text itself, without headings, as a session would show it.
local function plain(list, opts)
  local out, pictures = {}, 0
  for _, part in ipairs(list) do
    local text = part.text
    if part.kind == "picture" then
      pictures = pictures + 1
      text = opts.style == "ansi" and opts.draw and opts.draw(part.picture)
        or paint("picture", "[" .. markdown.picture(part, pictures, opts) .. "]", opts)
    else
      text = paint(part.kind, (text:gsub("\n$", "")), opts)
    end
    out[#out + 1] = text .. "\n"
  end
  return table.concat(out)
end

local function lay_out(execution, opts, style, verb)
  if type(execution) ~= "table" then
    error(("%s: an Execution expected, got %s"):format(verb, type(execution)), 3)
  end
  local given, chosen = options.check(verb, opts, OPTIONS, 4), {}
  chosen.style = style or given.style or "markdown"
  chosen.budget, chosen.hint = given.budget or BUDGET, given.hint
  chosen.untrusted, chosen.draw, chosen.picture = given.untrusted, given.draw, given.picture
  chosen.people = chosen.style ~= "markdown"
  local list = parts.of(execution, chosen)
  if chosen.style == "markdown" then
    list = parts.bound(list)
  end
  parts.fit(list, chosen)
  if chosen.style == "markdown" then
    return markdown.lay_out(list, chosen)
  elseif chosen.style == "html" then
    return markup(list)
  end
  return plain(list, chosen)
end

--- Markdown for a model: titles, quoted text and tables; pictures by name only.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts codecell.FormatOptions? `style` is not looked at
---@return string
function format.markdown(execution, opts)
  return (lay_out(execution, opts, "markdown", "format.markdown"))
end

--- Plain text for a person: no control characters but newline and tab.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts codecell.FormatOptions?
---@return string
function format.text(execution, opts)
  return (lay_out(execution, opts, "text", "format.text"))
end

--- Text with our own colours, for a terminal; none of the sandbox's escape sequences.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts codecell.FormatOptions?
---@return string
function format.ansi(execution, opts)
  return (lay_out(execution, opts, "ansi", "format.ansi"))
end

--- Self-contained HTML, escaped; HTML results in a sandboxed `iframe`, pictures as data URLs.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts codecell.FormatOptions?
---@return string
function format.html(execution, opts)
  return (lay_out(execution, opts, "html", "format.html"))
end

--- What a model is told of an execution, within one budget for all of it.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts codecell.ReportOptions?
---@return codecell.Report
function format.report(execution, opts)
  return report.of(execution, opts or {})
end

return setmetatable(format, {
  __call = function(_, execution, opts)
    return (lay_out(execution, opts, nil, "format"))
  end,
})
