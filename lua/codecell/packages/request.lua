--- What is to be installed: checked, complete, and with a name that only an equal request has.
local core = require "codecell.core"
local errors = require "codecell.errors"
local names = require "codecell.packages.names"

local request = {}

local FORMAT = 1 -- of layers: raised when what they hold means something else
local FILE_MOST = 2 ^ 30 -- bytes of a wheel or tarball
local LIST_MOST = 2 ^ 20 -- bytes of a list of requirements
local PIECE = 2 ^ 20
local SUFFIXES = {
  npm = { "%.tgz$", "%.tar%.gz$" },
  pip = { "%.whl$", "%.tar%.gz$", "%.zip$", "%.tar%.bz2$", "%.tar%.xz$" },
}

---@class codecell.PackageFile
---@field path string on this machine
---@field base string last part of it
---@field name string of the package, as the file's name says
---@field digest string SHA-256

---@class codecell.PackageRequest
---@field manager "pip"|"npm"
---@field specs codecell.PackageSpec[]
---@field files codecell.PackageFile[]
local Request = {}
Request.__index = Request

local function refuse(text, ...)
  return nil, errors.new("invalid_argument", "install: " .. text:format(...))
end

-- ---- files ----

local function digest_of(path)
  local file, err = core.host_file(path)
  if not file then
    err.message = "install: " .. err.message
    return nil, err
  elseif file:size() > FILE_MOST then
    file:close()
    return refuse("%s: larger than %d bytes", path, FILE_MOST)
  end
  local digest = core.digest("sha256")
  local piece
  repeat
    piece, err = file:read(PIECE)
    digest:update(piece or "")
  until not piece
  file:close()
  return not err and digest:finish(), err
end

-- The name in "name-1.0-py3-none-any.whl", "name-1.0.tar.gz".
local function name_in(manager, base)
  local name = base:match("^(.-)%-v?%d")
  if not name or name == "" then
    name = base:match("^([^.]+)")
  end
  return manager == "pip" and names.plain_python(name or base) or (name or base):lower()
end

local function add_file(self, path)
  local base = path:match("[^/]+$")
  if not base or base:find("[^%w._+!-]") or base:find("^[.-]") then
    return refuse("%s: the name of the file is none of a package", path)
  end
  local digest, err = digest_of(path)
  if not digest then
    return nil, err
  end
  self.files[#self.files + 1] = { path = path, base = base, digest = digest,
    name = name_in(self.manager, base) }
  return true
end

local function is_file(manager, text)
  for _, suffix in ipairs(SUFFIXES[manager]) do
    if text:find(suffix) then
      return true
    end
  end
  return text:find("/", 1, true) ~= nil and not text:find("^[@-]") and not text:find("[%s:]")
end

-- ---- lists ----

local function add_spec(self, text)
  local spec, problem = names[self.manager == "pip" and "python" or "npm"](text)
  if not spec then
    return refuse("%s", problem)
  end
  self.specs[#self.specs + 1] = spec
  return true
end

local function add(self, text)
  if is_file(self.manager, text) then
    return add_file(self, text)
  end
  return add_spec(self, text)
end

-- The lines of requirements.txt: names with what belongs to them; no options, no other files.
local function add_requirements(self, path)
  if self.manager ~= "pip" then
    return refuse("requirements: only Python has such a file; give a list")
  end
  local file, err = core.host_file(path)
  local text = file and file:size() <= LIST_MOST and (file:read(LIST_MOST) or "")
  if file then
    file:close()
  else
    err.message = "install: requirements: " .. err.message
    return nil, err
  end
  if not text then
    return refuse("%s: larger than %d bytes", path, LIST_MOST)
  end
  local number = 0
  for line in (text:gsub("\r\n", "\n"):gsub("\\\n", " ") .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    line = (" " .. line):gsub("%s#.*$", ""):match("^%s*(.-)%s*$")
    if line:find("^%-") then
      return refuse("%s, line %d: options are not taken from a file: %s", path, number,
        line:match("^%S+"))
    end
    local ok = line == "" or add_spec(self, line)
    if not ok then
      local _, problem = names.python(line)
      return refuse("%s, line %d: %s", path, number, problem)
    end
  end
  return true
end

--- What a call of install asks for.
---@param manager "pip"|"npm"
---@param list string[] names with what belongs to them, or paths of wheels and tarballs
---@param requirements string? path of a list
---@return codecell.PackageRequest? request
---@return codecell.Error? err kinds "invalid_argument", "not_found", "permission_denied"
function request.new(manager, list, requirements)
  local self = setmetatable({ manager = manager, specs = {}, files = {} }, Request)
  for i = 1, #list do
    local ok, err = add(self, list[i])
    if not ok then
      return nil, err
    end
  end
  if requirements then
    local ok, err = add_requirements(self, requirements)
    if not ok then
      return nil, err
    end
  end
  return self
end

--- Each package that is asked for, in order.
---@return {name: string, spec: codecell.PackageSpec?, file: codecell.PackageFile?}[]
function Request:wanted()
  local list = {}
  for _, spec in ipairs(self.specs) do
    list[#list + 1] = { name = spec.name, spec = spec }
  end
  for _, file in ipairs(self.files) do
    list[#list + 1] = { name = file.name, file = file }
  end
  return list
end

--- This one, after what was installed before: of a package that both name, this one counts.
---@param before codecell.PackageRequest?
---@return codecell.PackageRequest
function Request:after(before)
  local all = setmetatable({ manager = self.manager, specs = {}, files = {} }, Request)
  local mine = {}
  for _, one in ipairs(self:wanted()) do
    mine[one.name] = true
  end
  for _, one in ipairs(before and before:wanted() or {}) do
    if not mine[one.name] then
      local list = one.spec and all.specs or all.files
      list[#list + 1] = one.spec or one.file
    end
  end
  for _, kind in ipairs({ "specs", "files" }) do
    for _, one in ipairs(self[kind]) do
      all[kind][#all[kind] + 1] = one
    end
  end
  return all
end

--- Whether the same request means the same packages for ever.
---@return boolean
function Request:is_pinned()
  for _, spec in ipairs(self.specs) do
    if not spec.is_pinned then
      return false
    end
  end
  return true
end

--- The name of what it amounts to: no other request has it, and nothing can be read from it.
---@param ... string what else decides: the interpreter, the index, the policy, the variables
---@return string key
function Request:key(...)
  local lines = {}
  for _, spec in ipairs(self.specs) do
    lines[#lines + 1] = "spec " .. spec.text
  end
  for _, file in ipairs(self.files) do
    lines[#lines + 1] = "file " .. file.base .. " " .. file.digest
  end
  table.sort(lines)
  local digest = core.digest("sha256"):update(("codecell %d %s\n"):format(FORMAT, self.manager))
  for _, part in ipairs({ table.concat(lines, "\n"), ... }) do
    digest:update(("%d\n"):format(#part)):update(part)
  end
  return digest:finish()
end

return request
