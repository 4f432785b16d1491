--- The page at "/": one answer, made of the files beside this one. It holds nothing that is secret:
--- who opens it has nothing without the key, where the gateway has one: it asks for it, or finds it
--- behind "#" in its address.
local base64 = require "codecell.base64"
local core = require "codecell.core"
local errors = require "codecell.errors"

local page = {}

-- In this order they are one script.
local SCRIPTS = { "dom", "access", "notices", "colours", "printed", "table", "markdown", "axes",
  "chart", "frame", "results", "cell", "examples", "editor", "console", "files", "screen", "keys",
  "terminal", "events", "sandboxes", "live", "main" }

-- Scripts are those of the page alone, and nothing is loaded from anywhere. Styles may stand in
-- what is shown, because the frames that results in HTML are locked into have the policy of the
-- page besides their own: no style can reach anything either.
local POLICY = "default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; "
  .. "img-src data:; connect-src 'self'; frame-src 'none'; base-uri 'none'; form-action 'none'; "
  .. "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types locked-frame"

local FIELDS = {
  { "Content-Type", "text/html; charset=utf-8" },
  { "Cache-Control", "no-cache" },
  { "X-Content-Type-Options", "nosniff" },
  { "X-Frame-Options", "DENY" },
  { "Referrer-Policy", "no-referrer" },
  { "Cross-Origin-Opener-Policy", "same-origin" },
  { "Cross-Origin-Resource-Policy", "same-origin" },
  { "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
}

-- What lies beside the Lua files of the library, wherever those were found.
local function read_piece(name)
  for template in package.path:gmatch("[^;]+") do
    local path = template:gsub("%?", "codecell/gateway/page"):gsub("%.lua$", "") .. "/" .. name
    local file = io.open(path, "rb")
    if file then
      local text = file:read("*a")
      file:close()
      return text
    end
  end
  error(errors.new("not_found", ("the page lacks codecell/gateway/page/%s, which belongs beside "
    .. "the Lua files: install codecell again"):format(name)), 0)
end

local function digest(text)
  return (core.digest("sha256"):update(text):finish():gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function filled(text, mark, piece)
  local first, last = text:find(mark, 1, true)
  return text:sub(1, first - 1) .. piece .. text:sub(last + 1)
end

local function make(key)
  local pieces = {}
  for i, name in ipairs(SCRIPTS) do
    pieces[i] = read_piece(name .. ".js")
  end
  local script = table.concat(pieces)
  local text = filled(read_piece("page.html"), "/* the style */", read_piece("page.css"))
  text = filled(filled(text, "/* the script */", script), "/* the key */", key)
  local made = { text = text, fields = {}, tag = ('"%s"'):format(core.digest("sha256"):update(text)
    :finish():sub(1, 32)) }
  for i, field in ipairs(FIELDS) do
    made.fields[i] = field
  end
  table.insert(made.fields, { "ETag", made.tag })
  table.insert(made.fields, { "Content-Security-Policy",
    POLICY:format(base64.encode(digest(script))) })
  return made
end

local known = {} -- by whether a key is needed

--- Answer with it.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function page.answer(gateway, request)
  local key = gateway.keys and "needed" or "none"
  known[key] = known[key] or make(key)
  local whole = known[key]
  if request.headers["if-none-match"] == whole.tag then
    return request:reply(304, whole.fields)
  end
  request:reply(200, whole.fields, whole.text)
end

return page
