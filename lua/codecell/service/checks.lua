--- Whether a service can be what its configuration asks for. What is not there is told, before
--- anything runs elsewhere.
local budget = require "codecell.service.budget"
local errors = require "codecell.errors"
local watching = require "codecell.service.watching"

local function check_key(found)
  if found.backend ~= "e2b" or found.api_key or found.debug then
    return true
  end
  return nil, errors.new("unauthenticated", "service: No E2B_API_KEY provided; production needs "
    .. "one: set the variable, or choose E2B_MODE=local or E2B_MODE=mock")
end

local function check_container(found)
  local wants_image = found.mode == "local" and found.local_use_docker and found.docker_image
  if found.backend ~= "docker" and not wants_image then
    return true
  end
  return nil, errors.new("unsupported", ("service: %s asks for a container, and codecell has none "
    .. "yet; E2B_MODE=local with E2B_LOCAL_USE_DOCKER=false isolates code by the kernel, and "
    .. "template says what it begins with"):format(wants_image
    and "docker_image (E2B_LOCAL_DOCKER_IMAGE)" or "mode " .. found.mode))
end

--- Check a configuration.
---@param found codecell.Config
---@param prices codecell.Prices
---@return codecell.Audit|false|nil audit false: nobody wants one
---@return codecell.Error? err kinds "unauthenticated", "unsupported", "invalid_argument"
return function(found, prices)
  local ok, err = check_key(found)
  if ok then
    ok, err = check_container(found)
  end
  if ok then
    ok, err = budget.check(found, prices)
  end
  if not ok then
    return nil, err
  end
  return watching.open(found)
end
