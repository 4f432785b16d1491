--- The documents of npm's registry: what it has of a package. They are told as they are, but for
--- the addresses of files. That no part of them is trusted makes it enough to look at the text:
--- what is overlooked is an address that the sandbox cannot reach.
local base64 = require "codecell.base64"
local fetch = require "codecell.packages.fetch"
local urls = require "codecell.http.url"

local registry = {}

local DOCUMENT_MOST = 32 * 2 ^ 20 -- bytes
local OBJECT_MOST = 65536 -- bytes of one that is looked into
local OBJECTS_MOST = 20000 -- that are
local HALVES_MOST = 100 -- that have no end within that length
local SHORT = "application/vnd.npm.install-v1+json"
local GATEWAY = "http://127.0.0.1:1008"

---@class codecell.RegistryFile
---@field name string
---@field url string
---@field algorithm "sha512"|"sha1"|nil
---@field digest string? hexadecimal digits

local function encode(name)
  return (name:gsub("/", "%%2f"))
end

local function hexadecimal(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- The checksum in "sha512-BASE64 ...", else the older one.
local function checksum(part)
  local text = part:match('"integrity"%s*:%s*"[^"]-sha512%-([%w+/=]+)')
  local bytes = text and base64.decode(text)
  if bytes and #bytes == 64 then
    return "sha512", hexadecimal(bytes)
  end
  local old = part:match('"shasum"%s*:%s*"(%x+)"')
  if old and #old == 40 then
    return "sha1", old:lower()
  end
end

-- A package's own files alone: publishers can write objects of any shape into what the registry
-- tells of their package, and could name another's files there.
local function file_name(url, package)
  local name = url:match("^[^?#]*"):match("[^/]*$")
  local begins = package:match("[^/]*$"):lower() .. "-"
  return name:find("^%w[%w._+~-]*%.t%w+$") and #name <= 255
    and name:sub(1, #begins):lower() == begins and name or nil
end

-- One "dist" object: its file, and the text with the address at which we have it.
local function take(document, part, base, name)
  local address = part:match('"tarball"%s*:%s*"([^"]*)"')
  local url = address and urls.resolve(base, (address:gsub("\\/", "/")))
  local file = url and file_name(url, name)
  if not file then
    return nil
  end
  local algorithm, digest = checksum(part)
  document.files[file] = { name = file, url = url, algorithm = algorithm, digest = digest }
  return (part:gsub('("tarball"%s*:%s*)"[^"]*"', function(key)
    return ('%s"%s/npm/-/files/%s/%s"'):format(key, GATEWAY, encode(name), file)
  end))
end

-- The objects that are values of a key: where each begins and ends. The work is bounded, whatever
-- the text is.
local function objects(text, key)
  local pattern, count, halves, at = '"' .. key .. '"%s*:%s*()%{', 0, 0, 1
  return function()
    while count < OBJECTS_MOST and halves < HALVES_MOST do
      local _, last, from = text:find(pattern, at)
      if not last then
        return nil
      end
      count, at = count + 1, last
      local part = text:sub(from, from + OBJECT_MOST):match("^%b{}")
      if part then
        at = from + #part
        return from, part
      end
      halves = halves + 1
    end
  end
end

local NEEDS = { "dependencies", "optionalDependencies", "peerDependencies" }

local function needs_of(text)
  local list, seen = {}, {}
  for _, key in ipairs(NEEDS) do
    for _, part in objects(text, key) do
      for name in part:gmatch('"(@?[%w~-][%w._~/-]*)"%s*:%s*"') do
        name = name:lower()
        if not seen[name] then
          seen[name] = true
          list[#list + 1] = name
        end
      end
    end
  end
  return list
end

--- What the registry has of a package.
---@param source codecell.PackageSource
---@param name string
---@param is_short boolean the form that installing needs is enough
---@return {text: string, kind: string, files: table<string, codecell.RegistryFile>}|false|nil
---@return codecell.Error? err
function registry.document(source, name, is_short)
  local accept = is_short and SHORT .. "; q=1.0, application/json; q=0.8" or "application/json"
  local text, base, kind = fetch.text(source, source.url .. encode(name), DOCUMENT_MOST,
    { { "Accept", accept } })
  if not text then
    return text, base
  end
  local document = { files = {} }
  document.kind = kind:find(SHORT, 1, true) and SHORT or "application/json"
  local pieces, done = {}, 1
  for from, part in objects(text, "dist") do
    pieces[#pieces + 1] = text:sub(done, from - 1)
    pieces[#pieces + 1] = take(document, part, base, name) or part
    done = from + #part
  end
  pieces[#pieces + 1] = text:sub(done)
  document.text, document.size = table.concat(pieces), #text
  return document
end

--- The packages that a package needs, in whatever version.
---@param document table
---@return string[] names
function registry.needs(document)
  return needs_of(document.text)
end

return registry
