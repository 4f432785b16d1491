--- Pictures in results: choosing one, measuring it, drawing it on a terminal.
---
--- The bytes of a picture come from the sandbox and are hostile. The host reads headers, within
--- bounds, and never decodes: terminals that take PNG get it as it is, and for the others
--- `media.thumbnail` has a small program inside a sandbox make pixels of it.
local blocks = require "codecell.agent.media.pixels"
local graphics = require "codecell.agent.media.graphics"
local header = require "codecell.agent.media.header"
local options = require "codecell.options"
local thumbnail = require "codecell.agent.media.thumbnail"

local media = {}

---@class codecell.Picture
---@field format string field of the result: "png", "jpeg", "svg", "pdf"
---@field type string MIME type
---@field data string bytes
---@field width? integer pixels, where the header says so
---@field height? integer
---@field index? integer of the result in the execution

local TYPES = {
  text = "text/plain", html = "text/html", markdown = "text/markdown", svg = "image/svg+xml",
  png = "image/png", jpeg = "image/jpeg", pdf = "application/pdf", latex = "text/latex",
  json = "application/json", javascript = "application/javascript",
  data = "application/vnd.codecell.data+json", chart = "application/vnd.codecell.chart+json",
}

-- What each consumer likes best, in order.
local WISHES = {
  vision = { "png", "jpeg", "markdown", "text", "json", "latex", "html" },
  text = { "markdown", "data", "text", "json", "latex", "chart", "html" },
  terminal = { "png", "text", "markdown", "json", "latex", "html" },
  html = { "png", "jpeg", "svg", "html", "markdown", "latex", "json", "text" },
  file = { "png", "jpeg", "svg", "pdf", "html", "markdown", "latex", "json", "text" },
}

--- The MIME type of a format of results.
---@param format string "png"
---@return string? type nil: there is no such format
function media.type(format)
  return TYPES[format]
end

--- The best format of a result for a reader.
---@param result codecell.Result
---@param consumer "vision"|"text"|"terminal"|"html"|"file"
---@return {format: string, type: string, data: any}? nil when it has none that this reader takes
function media.pick(result, consumer)
  options.argument("media.pick", "consumer", consumer, "choice",
    { choices = { "file", "html", "terminal", "text", "vision" } })
  for _, format in ipairs(WISHES[consumer]) do
    if result[format] ~= nil then
      return { format = format, type = TYPES[format], data = result[format] }
    end
  end
  return nil
end

local PICTURES = { "png", "jpeg", "svg", "pdf" }

--- The picture of a result.
---@param result codecell.Result
---@return codecell.Picture? nil when it has none
function media.picture(result)
  for _, format in ipairs(PICTURES) do
    local data = result[format]
    if type(data) == "string" then
      local size = format == "png" and header.png(data) or format == "jpeg" and header.jpeg(data)
      size = size or {}
      return {
        format = format, type = TYPES[format], data = data,
        width = size.width, height = size.height,
      }
    end
  end
  return nil
end

--- The pictures of an execution, in order.
---@param execution codecell.Execution
---@return codecell.Picture[]
function media.images(execution)
  local list = {}
  for index, result in ipairs(execution.results or {}) do
    local picture = media.picture(result)
    if picture then
      picture.index = index
      list[#list + 1] = picture
    end
  end
  return list
end

--- The size that a PNG's header states.
---@param bytes string
---@return {width: integer, height: integer, depth: integer, colour: integer}?
---@return string? why not: no PNG, cut, or out of bounds
function media.png_size(bytes)
  return header.png(bytes)
end

--- The size that a JPEG's header states.
---@param bytes string
---@return {width: integer, height: integer}?
---@return string? why not
function media.jpeg_size(bytes)
  return header.jpeg(bytes)
end

--- One line for where a picture cannot be shown.
---@param picture codecell.Picture
---@return string "image/png, 640x480, 12345 bytes"
function media.describe(picture)
  local size = picture.width and ("%dx%d, "):format(picture.width, picture.height) or ""
  return ("%s, %s%d bytes"):format(picture.type, size, #picture.data)
end

local VARIABLES = {
  "TERM", "TERM_PROGRAM", "COLORTERM", "KITTY_WINDOW_ID", "WEZTERM_PANE", "WEZTERM_EXECUTABLE",
  "ITERM_SESSION_ID", "LC_TERMINAL", "KONSOLE_VERSION", "GHOSTTY_RESOURCES_DIR", "TMUX", "STY",
  "NO_COLOR", "VTE_VERSION", "WT_SESSION", "SSH_TTY",
}

--- What a terminal can do, told from its environment.
---@param env table<string, string>? variables (those of this process)
---@return {protocol: "kitty"|"iterm2"|"sixel"|"blocks"|"none", colours: integer} abilities
---  `colours`: 0, 16, 256 or 16777216
function media.terminal(env)
  if not env then
    env = {}
    for _, name in ipairs(VARIABLES) do
      env[name] = os.getenv(name)
    end
  end
  return graphics.detect(env)
end

local DRAW = {
  columns = { type = "integer", least = 1, most = 1000 },
  rows = { type = "integer", least = 1, most = 1000 },
  protocol = { type = "choice", choices = { "kitty", "iterm2", "sixel", "blocks", "none" } },
  colours = { type = "integer", least = 0 },
  pixels = { type = "either", expected = "table or function",
    rules = { table = { type = "table" }, ["function"] = { type = "function" } } },
}

local function unsupported(message, hint)
  return nil, require("codecell.errors").new("unsupported", message, hint)
end

--- Draw a PNG as text for a terminal.
---@param png string
---@param opts table? `protocol` and `colours` (what `media.terminal()` says), `columns` (80),
---  `rows`, `pixels`: a table from `media.thumbnail`, or a function (columns, rows) that makes one;
---  needed for "sixel" and "blocks"
---@return string? text
---@return codecell.Error? err kind "unsupported": no PNG, no pixels, or no such terminal
function media.draw(png, opts)
  options.argument("media.draw", "png", png, "data")
  opts = options.check("media.draw", opts, DRAW)
  local abilities = media.terminal()
  local protocol = opts.protocol or abilities.protocol
  local columns = opts.columns or 80
  local size, why = header.png(png)
  if not size then
    return unsupported("cannot draw the picture: " .. why, "save it to a file")
  elseif protocol == "none" then
    return unsupported("this terminal cannot show pictures", "save it to a file")
  elseif protocol == "kitty" then
    return graphics.kitty(png, columns, opts.rows)
  elseif protocol == "iterm2" then
    return graphics.iterm2(png, columns, opts.rows)
  end
  local pixels = opts.pixels
  if type(pixels) == "function" then
    pixels = pixels(columns, opts.rows or math.ceil(columns / 2))
  end
  if not blocks.check(pixels) then
    return unsupported(protocol .. " needs the pixels of the picture",
      "pass pixels = codecell.media.thumbnail(sandbox, png, columns, rows)")
  elseif protocol == "sixel" then
    return blocks.sixel(pixels)
  end
  return blocks.half(pixels, opts.colours or abilities.colours)
end

--- The pixels of a PNG, made small inside a sandbox: decoding never happens in the host.
---
--- Non-interlaced pictures of 8 bits a channel are understood, which is what plots are.
---@param sandbox codecell.Sandbox with Python
---@param png string
---@param columns integer at most 1000; of a terminal, one pixel wide
---@param rows integer at most 1000; of a terminal, two pixels high
---@return {width: integer, height: integer, rgb: string}? pixels
---@return codecell.Error? err kind "unsupported" for a PNG of another form, or the command's
function media.thumbnail(sandbox, png, columns, rows)
  local rule = { least = 1, most = 1000 }
  options.argument("media.thumbnail", "png", png, "data")
  options.argument("media.thumbnail", "columns", columns, "integer", rule)
  options.argument("media.thumbnail", "rows", rows, "integer", rule)
  local size, why = header.png(png)
  if not size then
    return unsupported("cannot read the picture: " .. why, "save it to a file")
  end
  return thumbnail.pixels(sandbox, png, columns, rows * 2)
end

--- A PNG made smaller inside a sandbox, so that neither side has more pixels.
---@param sandbox codecell.Sandbox with Python
---@param picture codecell.Picture a PNG
---@param side integer at most 4096
---@return codecell.Picture? smaller
---@return codecell.Error? err as of `thumbnail`
function media.shrink(sandbox, picture, side)
  options.argument("media.shrink", "picture", picture, "table")
  options.argument("media.shrink", "side", side, "integer", { least = 1, most = 4096 })
  if picture.format ~= "png" or not header.png(picture.data) then
    return unsupported("cannot make the picture smaller: it is no PNG", "save it to a file")
  end
  local png, err = thumbnail.png(sandbox, picture.data, side)
  if not png then
    return nil, err
  end
  local smaller = media.picture({ png = png })
  smaller.index = picture.index
  return smaller
end

return media
