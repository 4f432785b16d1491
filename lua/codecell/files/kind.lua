--- The kind of a file, by its name.
local kind = {}

local KINDS = {
  css = "text/css", csv = "text/csv", gif = "image/gif", html = "text/html", jpeg = "image/jpeg",
  jpg = "image/jpeg", js = "text/javascript", json = "application/json", md = "text/markdown",
  pdf = "application/pdf", png = "image/png", svg = "image/svg+xml", txt = "text/plain",
  xml = "text/xml",
}

kind.pdf = KINDS.pdf
kind.unknown = "application/octet-stream"

--- Its MIME type.
---@param path string
---@return string type `kind.unknown` where its name says nothing
function kind.of(path)
  return KINDS[(path:match("%.(%w+)$") or ""):lower()] or kind.unknown
end

return kind
