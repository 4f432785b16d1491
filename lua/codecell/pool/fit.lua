--- Whether a sandbox that was made ahead is one that somebody asks for.
local fit = {}

-- Options of create that decide how a sandbox is made. What is not among them is given to it when
-- it is taken.
local DECIDING = { "backend", "cwd", "gpu", "limits", "mounts", "network", "packages",
  "read_only", "root_view", "template", "template_id", "user" }
-- What interpreters and libraries read from their environment when they start, and never again.
local EARLY = { "^BASH", "^DYLD_", "^GLIBC_", "^GOMP_", "^HOME$", "^IPYTHON", "^JULIA_",
  "^JUPYTER_", "^KMP_", "^LANG", "^LC_", "^LD_", "^LUA", "^MALLOC_", "^MKL_", "^MPL", "^NODE_",
  "^NUMEXPR_", "^OMP_", "^OPENBLAS_", "^OPENSSL_", "^POSIXLY_CORRECT$", "^PYTHON", "^R_",
  "^SHELLOPTS$", "^TMPDIR$", "^TZ", "^UV_", "^XDG_" }

local function is_none(value)
  return value == nil or type(value) == "table" and next(value) == nil
end

local function is_same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then
    return one == other or is_none(one) and is_none(other)
  end
  for key, value in pairs(one) do
    if not is_same(value, other[key]) then
      return false
    end
  end
  for key, value in pairs(other) do
    if one[key] == nil and not is_none(value) then
      return false
    end
  end
  return true
end

-- Whether both would be made in the same way.
local function is_made_as(one, other)
  for i = 1, #DECIDING do
    local name = DECIDING[i]
    if not is_same(one[name], other[name]) then
      return false
    end
  end
  return true
end

-- Whether what was started with the environment of the pool can be given this one now.
local function takes_environment(made, given)
  local envs = {}
  for _, values in ipairs({ given.envs or {}, given.secrets or {} }) do
    for name, value in pairs(values) do
      envs[name] = value
    end
  end
  for name, value in pairs(made.envs) do
    if envs[name] ~= value then
      return false
    end
  end
  for name in pairs(envs) do
    for _, pattern in ipairs(EARLY) do
      if made.envs[name] == nil and name:find(pattern) then
        return false
      end
    end
  end
  return true
end

--- Whether one can be given to who asks: it was made in the same way, and the rest can be given to
--- it.
---@param made table complete options of create that it was made with
---@param given table complete options of create
---@return boolean
function fit.fits(made, given)
  return is_made_as(made, given) and takes_environment(made, given)
end

return fit
