--- Where the user's programs keep what, as the XDG base directory specification has it.

--- A folder of the user's; nil: the environment names none.
---@param variable string "XDG_CACHE_HOME"; what is not a path from the root does not count
---@param default string where it is below HOME: ".cache"
---@return string? folder
local function xdg(variable, default)
  local folder = os.getenv(variable)
  if folder and folder:sub(1, 1) == "/" then
    return folder
  end
  local home = os.getenv "HOME"
  return home and home:sub(1, 1) == "/" and home .. "/" .. default or nil
end

return xdg
