--- An execution as one self-contained piece of HTML.
---
--- Nothing of it is trusted: text is escaped; pictures, SVG too, are `img` elements with data URLs,
--- where no script runs; an HTML result stands in an `iframe` whose empty `sandbox` attribute takes
--- scripts, forms, links out and the page's origin from it; JavaScript is shown, never run.
local base64 = require "codecell.base64"
local media = require "codecell.agent.media"
local tables = require "codecell.agent.format.tables"
local terminal = require "codecell.agent.terminal"

local STYLE = "font-family:monospace;white-space:pre-wrap;margin:0.3em 0"
-- No page shows more than this of one result.
local FRAME_MAX = 1048576

local ESCAPES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;",
}

local function escape(text)
  return (terminal.visible(text):gsub("[&<>\"']", ESCAPES))
end

local function preformatted(class, text)
  return ('<pre class="codecell-%s" style="%s">%s</pre>'):format(class, STYLE, escape(text))
end

local function picture(part)
  local found = part.picture
  if found.format == "pdf" then
    return preformatted("picture", media.describe(found))
  end
  return ('<img alt="%s" style="max-width:100%%" src="data:%s;base64,%s">'):format(
    escape(media.describe(found)), found.type, base64.encode(found.data))
end

local function row(cells, tag)
  local out = {}
  for i, text in ipairs(cells) do
    out[i] = ("<%s>%s</%s>"):format(tag, escape(text), tag)
  end
  return "<tr>" .. table.concat(out) .. "</tr>"
end

local function table_of(part)
  local data = part.table
  local lines = { '<table class="codecell-table">', row(data.columns, "th") }
  for _, cells in ipairs(data.rows) do
    lines[#lines + 1] = row(cells, "td")
  end
  lines[#lines + 1] = "</table>"
  local rest = tables.rest(data)
  return table.concat(lines, "\n") .. (rest and "\n" .. preformatted("note", rest) or "")
end

local function frame(source)
  source = source:sub(1, FRAME_MAX):gsub("\r", "")
  return ('<iframe class="codecell-html" sandbox="" referrerpolicy="no-referrer" '
    .. 'style="width:100%%;height:24em;border:0" srcdoc="%s"></iframe>'):format(
    escape(source))
end

local function body(part)
  local html = part.result and part.result.html
  if part.kind == "picture" then
    return picture(part)
  elseif part.kind == "table" then
    return table_of(part)
  elseif part.kind == "result" and type(html) == "string" then
    return frame(html)
  end
  return preformatted(part.kind, part.text)
end

--- Lay out parts.
---@param list codecell.format.Part[] fitted
---@return string
return function(list)
  local out = { '<section class="codecell">' }
  for _, part in ipairs(list) do
    out[#out + 1] = ('<div class="codecell-part"><div class="codecell-title">%s</div>'):format(
      escape(part.title))
    out[#out + 1] = body(part) .. "</div>"
  end
  out[#out + 1] = "</section>"
  return table.concat(out, "\n") .. "\n"
end
