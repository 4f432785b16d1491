--- The pages of Python's index: what it has of a package. Read as HTML (PEP 503) or JSON (PEP 691),
--- told as HTML of our own: nothing else of what an index writes comes through.
local core = require "codecell.core"
local errors = require "codecell.errors"
local fetch = require "codecell.packages.fetch"
local json = require "codecell.json"
local names = require "codecell.packages.names"
local urls = require "codecell.http.url"

local pypi = {}

local PAGE_MOST = 32 * 2 ^ 20 -- bytes
local METADATA_MOST = 4 * 2 ^ 20
local FILES_MOST = 50000
local TAG_MOST = 4096 -- bytes
local ATTRIBUTES_MOST = 20
local VALUES_MOST = 4000000
local FILE_COST = 512 -- bytes of memory that a file takes beside its text
local SUFFIXES = { ".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz" }
local ACCEPT = { { "Accept", "application/vnd.pypi.simple.v1+html, text/html;q=0.9, "
  .. "application/vnd.pypi.simple.v1+json;q=0.1" } }

---@class codecell.PackageFileEntry
---@field name string "requests-2.31.0-py3-none-any.whl"
---@field url string
---@field sha256 string? hexadecimal digits
---@field requires string? which Python it needs
---@field metadata string|true|nil its metadata can be had alone: "sha256=...", or true
---@field yanked string? why nobody should take it

local ENTITIES = { amp = "&", apos = "'", gt = ">", lt = "<", quot = '"' }

local function plain(text)
  text = text:gsub("&(#?)([xX]?)(%w+);", function(number, hexadecimal, word)
    if number == "" then
      return ENTITIES[word]
    end
    local code = tonumber(word, hexadecimal ~= "" and 16 or 10)
    return code and code >= 0 and code < 128 and string.char(code) or ""
  end)
  return text
end

-- The name of the file that an address ends in, if it can be one.
local function file_name(url)
  local name = urls.decode(url:match("^[^?#]*"):match("[^/]*$"))
  if name:find("^%w[%w._+!-]*$") and #name <= 255 then
    for _, suffix in ipairs(SUFFIXES) do
      if name:sub(-#suffix) == suffix then
        return name
      end
    end
  end
end

local function add(page, entry)
  if entry.url and #page.list < FILES_MOST then
    entry.name = file_name(entry.url)
    if entry.name and not page.files[entry.name] then
      page.files[entry.name] = entry
      page.list[#page.list + 1] = entry
    end
  end
end

local function digest(text)
  return text and #text == 64 and not text:find("%X") and text:lower() or nil
end

-- ---- HTML ----

-- The attributes of a tag, by name in lower case. One word after the other, so that none is looked
-- at from each of its letters.
local function attributes(tag)
  local found, at = {}, 1
  for _ = 1, ATTRIBUTES_MOST do
    local _, name_end, name = tag:find("([%w-]+)", at)
    if not name then
      break
    end
    local _, from, quote = tag:find("^%s*=%s*([\"'])", name_end + 1)
    local last = quote and tag:find(quote, from + 1, true)
    if last then
      found[name:lower()] = plain(tag:sub(from + 1, last - 1))
    elseif name == "data-yanked" then
      found[name] = ""
    end
    at = (last or name_end) + 1
  end
  return found
end

local function metadata_of(text)
  if not text or text == "false" then
    return nil
  end
  return digest(text:match("^sha256=(%x+)$")) or true
end

-- Each piece of the text is looked at once, whatever it is.
local function read_html(page, text, base)
  local at = text:find("<[aA]%s")
  while at do
    local last = text:find(">", at, true)
    if not last then
      break
    end
    local found = last - at <= TAG_MOST and attributes(text:sub(at + 2, last)) or {}
    local href = found.href
    if href then
      add(page, {
        url = urls.resolve(base, href), sha256 = digest(href:match("#sha256=(%x+)")),
        requires = found["data-requires-python"], yanked = found["data-yanked"],
        metadata = metadata_of(found["data-core-metadata"])
          or metadata_of(found["data-dist-info-metadata"]),
      })
    end
    at = text:find("<[aA]%s", last)
  end
  return page
end

-- ---- JSON ----

local function text_of(value)
  return type(value) == "string" and value or nil
end

local function metadata_in(value)
  if type(value) == "table" then
    return digest(text_of(value.sha256)) or true
  end
  return value == true or nil
end

local function read_json(page, text, base)
  local value = json.decode(text, VALUES_MOST)
  if type(value) ~= "table" or type(value.files) ~= "table" then
    return nil
  end
  for _, file in ipairs(value.files) do
    local hashes = type(file) == "table" and type(file.hashes) == "table" and file.hashes or {}
    if type(file) == "table" and text_of(file.url) then
      add(page, {
        url = urls.resolve(base, file.url), sha256 = digest(text_of(hashes.sha256)),
        requires = text_of(file["requires-python"]),
        yanked = text_of(file.yanked) or file.yanked == true and "" or nil,
        metadata = metadata_in(file["core-metadata"]) or metadata_in(file["dist-info-metadata"]),
      })
    end
  end
  return page
end

--- What the index has of a package.
---@param source codecell.PackageSource
---@param name string normal form
---@return table|false|nil page `list` of entries, and `files` by name; false: it has none
---@return codecell.Error? err
function pypi.page(source, name)
  local text, base, kind = fetch.text(source, source.url .. name .. "/", PAGE_MOST, ACCEPT)
  if not text then
    return text, base
  end
  local page = { list = {}, files = {} }
  local is_json = kind:find("json", 1, true)
  page = (is_json and read_json or read_html)(page, text, base)
  if not page then
    return nil, errors.new("protocol",
      ("%s: its page of %s is no index"):format(source.origin, name))
  end
  page.size = 2 * #text + #page.list * FILE_COST -- it is told again as HTML
  return page
end

-- ---- what is told inside ----

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
  return (text:gsub("[%c\127-\255]", ""):gsub('[&<>"]', ESCAPES))
end

local function anchor(name, entry)
  local parts = { ('<a href="/pypi/files/%s/%s%s"'):format(name, entry.name,
    entry.sha256 and "#sha256=" .. entry.sha256 or "") }
  if entry.requires then
    parts[#parts + 1] = ('data-requires-python="%s"'):format(escape(entry.requires))
  end
  if entry.yanked then
    parts[#parts + 1] = ('data-yanked="%s"'):format(escape(entry.yanked))
  end
  if entry.metadata then
    parts[#parts + 1] = ('data-core-metadata="%s"'):format(
      entry.metadata == true and "true" or "sha256=" .. entry.metadata)
  end
  return ("%s>%s</a><br>\n"):format(table.concat(parts, " "), entry.name)
end

--- The page as installers inside get it.
---@param name string normal form
---@param page table
---@return string
function pypi.html(name, page)
  local parts = { "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" "
    .. "content=\"1.0\"></head><body>\n" }
  for _, entry in ipairs(page.list) do
    parts[#parts + 1] = anchor(name, entry)
  end
  parts[#parts + 1] = "</body></html>\n"
  return table.concat(parts)
end

--- What is told of a file beside it, where the index has that.
---@param source codecell.PackageSource
---@param entry codecell.PackageFileEntry with `metadata`
---@return string|false|nil text false: it is not there
---@return codecell.Error? err
function pypi.metadata(source, entry)
  local text, err = fetch.text(source, entry.url .. ".metadata", METADATA_MOST)
  if text and entry.metadata ~= true
    and core.digest("sha256"):update(text):finish() ~= entry.metadata then
    return nil, errors.new("protocol",
      ("%s.metadata is not what the index promised: its checksum is wrong"):format(entry.name))
  end
  return text, not text and err or nil
end

--- The packages that a package needs, extras included.
---@param text string its metadata
---@return string[] names normal forms
function pypi.needs(text)
  local list = {}
  local head = text:gsub("\r\n", "\n"):match("^(.-)\n\n") or text
  for name in ("\n" .. head):gmatch("\n[Rr]equires%-[Dd]ist:%s*(%w[%w._-]*)") do
    list[#list + 1] = names.plain_python(name)
  end
  return list
end

return pypi
