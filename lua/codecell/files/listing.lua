--- What lies below a folder of a sandbox. Its code decides how much that is, and how long the paths
--- are: both have a bound.
local errors = require "codecell.errors"

local MOST = 100000 -- entries
local E2BIG, ENAMETOOLONG = 7, 36
local WHY = {
  [E2BIG] = { "limit_exceeded", "it holds more than is told at once (%d entries, 32 MiB); take a "
    .. "smaller part of it, or less depth" },
  [ENAMETOOLONG] = { "invalid_argument", "a name there has more than 255 bytes, or a path more "
    .. "than 4095; take a smaller part of it, or less depth" },
}

--- Ask for it.
---@param sandbox codecell.Sandbox
---@param what string begins messages: "list /tmp"
---@param path string
---@param depth integer 1: its own entries
---@return table[]? entries as the sandbox says them, in no order
---@return codecell.Error? err
local function listing(sandbox, what, path, depth)
  local entries, err = sandbox._backend.ask(sandbox, what, "list", path, depth, MOST)
  local why = err and WHY[err.errno]
  if why then
    local told = errors.new(why[1], what .. ": " .. why[2]:format(MOST))
    told.errno = err.errno
    return nil, told
  end
  return entries == true and {} or entries, err
end

return listing
