--- Which pages of browsers may ask a gateway that asks nobody for a key: its own. A page of
--- somebody else's names itself (Origin), and one whose name was made to lead here names itself too
--- (Host).
local origin = {}

local function host_of(text)
  return (text:lower():match("^%[([%x:.]+)%]") or text:lower():match("^([^:]*)"))
end

-- Names that lead to this machine wherever they are asked for; addresses are no names, and lead
-- nowhere else.
local function is_ours(host, names)
  if host == "localhost" or host:find("%.localhost$") or host:find("^%d+%.%d+%.%d+%.%d+$")
    or host:find(":", 1, true) then
    return true
  end
  for _, name in ipairs(names) do
    name = host_of(name)
    if host == name or host:sub(-#name - 1) == "." .. name then
      return true
    end
  end
  return false
end

--- Whether a page of somebody else's may be asking.
---@param headers codecell.Fields
---@param names string[] of this server, with or without a port
---@return "host"|"origin"|nil what says so
---@return string? name of the host, as it may be shown
function origin.foreign(headers, names)
  local host = headers.host
  if host and not is_ours(host_of(host), names) then
    return "host", (host_of(host):gsub("[^%w.-]", ""))
  end
  local from = headers.origin
  if from and (not host or from:match("^https?://(.+)$") ~= host) then
    return "origin"
  end
end

--- Why a request may not be answered without a key.
---@param headers codecell.Fields
---@param names string[] of this gateway, with or without a port
---@return string? problem nil: it may be
function origin.problem(headers, names)
  local what, name = origin.foreign(headers, names)
  if what == "host" then
    return ("Host: a gateway without keys answers by names of its own alone; "
      .. "give it a key, or --domain %s"):format(name)
  elseif what then
    return "Origin: a page of a browser needs a gateway with a key"
  end
end

return origin
