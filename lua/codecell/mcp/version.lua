--- Revisions of the protocol.
local version = {}

--- Those of a session that begins with `initialize`, the newest first.
version.known = { "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05" }
--- That each request names for itself.
version.modern = "2026-07-28"

--- The one of a session.
---@param wanted string of the client
---@return string
function version.negotiate(wanted)
  for _, known in ipairs(version.known) do
    if known == wanted then
      return known
    end
  end
  return version.known[1]
end

--- Whether a session may speak it.
---@param name string
---@return boolean
function version.is_known(name)
  return name == version.negotiate(name)
end

--- Whether one is not older than another. They are dates.
---@param one string
---@param other string
---@return boolean
function version.is_at_least(one, other)
  return one >= other
end

return version
