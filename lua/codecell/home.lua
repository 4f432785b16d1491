--- The home of who runs code in a sandbox, and paths as its users write them.
local home = {}

home.folder = "/home/user"

--- A path from the root: a relative one begins in the home, and so does one with "~".
---@param path string
---@return string path without slashes at its end
function home.absolute(path)
  if path == "~" or path == "." then
    return home.folder
  elseif path:sub(1, 2) == "~/" then
    path = home.folder .. path:sub(2)
  elseif path:sub(1, 1) ~= "/" then
    path = home.folder .. "/" .. path:gsub("^%./", "")
  end
  return (path:gsub("(.)/+$", "%1"))
end

return home
