--- Paths as envd takes them.
local errors = require "codecell.errors"
local home = require "codecell.home"

local paths = {}

local MOST = 4095 -- bytes

local function wrong(message)
  return nil, errors.new("invalid_argument", message)
end

--- The absolute path that is meant.
---@param given any
---@return string? path
---@return codecell.Error? err kind "invalid_argument"
function paths.resolve(given)
  if given == nil or given == "" then
    return home.folder
  elseif type(given) ~= "string" or given:find("%z") then
    return wrong("a path was expected")
  end
  if given:find("^~[^/]") then
    return wrong(("'%s': only ~ of the user itself is known"):format(given:sub(1, 100)))
  end
  local path = home.absolute(given)
  if #path > MOST then
    return wrong(("a path has at most %d bytes"):format(MOST))
  end
  return path
end

--- A path without "." and "..", as text.
---@param path string absolute
---@return string
function paths.normal(path)
  local list = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      list[#list] = nil
    elseif part ~= "." then
      list[#list + 1] = part
    end
  end
  return "/" .. table.concat(list, "/")
end

--- The user that a query names, who must be the one there is.
---@param one codecell.GatewayRecord
---@param name string?
---@return codecell.Error? err kind "unauthenticated"
function paths.check_user(one, name)
  if name and name ~= "" and name ~= one.sandbox._user then
    return errors.new("unauthenticated", ("error looking up user '%s': everything is of '%s' here")
      :format(name:sub(1, 64), one.sandbox._user))
  end
end

return paths
