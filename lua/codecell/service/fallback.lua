--- What stands in for a cloud that cannot be reached: the modes of the setting `fallback`, and
--- without it nothing. Whatever was made so says it, by `degraded_from`.
local config = require "codecell.config"
local errors = require "codecell.errors"
local log = require "codecell.log"
local templates = require "codecell.service.templates"

local fallback = {}

local PART = "e2b:service"
local PAUSE = 30 -- seconds after which a cloud that was not there is asked again

-- Of somebody who was reached, and has said no, nobody takes the place.
local function is_down(err)
  return err.cause == "network" or err.status ~= nil and err.status >= 500
end

local function say(mode, problem)
  log.write("warning", PART, ("The cloud cannot be reached (%s); mode %s stands in for it, as "
    .. "fallback allows"):format(problem, mode), { event = "sandbox.degraded", mode = mode })
end

-- The first mode that can; of the others why they cannot.
local function stand_in(self, given, make, err)
  local problems = {}
  for _, mode in ipairs(self.config.fallback) do
    local backend = config.backends[mode]
    local entry
    local ok, problem = templates.check(self.config, backend, given.template)
    if ok then
      entry, problem = make(self, given, backend)
    end
    if entry then
      entry.sandbox.degraded_from = self.config.mode
      say(mode, err.message)
      return entry
    end
    problems[#problems + 1] = ("; nor could mode %s stand in: %s"):format(mode, problem.message)
  end
  err.message = err.message .. table.concat(problems)
  return nil, err
end

-- Why the cloud is not asked: it was not there a moment ago.
local function still_down(self)
  local outage = self.outage
  if outage and self.clock() < outage.till then
    local err = errors.new("unavailable", outage.message, outage.hint)
    err.cause, err.status = outage.cause, outage.status
    return err
  end
end

--- Make a sandbox where the configuration says, or where it says if that cannot be reached.
---@param self codecell.Service
---@param given table checked options of `Service:create`
---@param make fun(self: codecell.Service, given: table, backend: string): codecell.ServiceEntry?,
---codecell.Error?
---@return codecell.ServiceEntry?
---@return codecell.Error?
function fallback.make(self, given, make)
  local backend = self.config.backend
  if backend ~= "e2b" or not self.config.fallback[1] then
    return make(self, given, backend)
  end
  local entry
  local err = still_down(self)
  if not err then
    entry, err = make(self, given, backend)
    if entry or not is_down(err) then
      self.outage = nil
      return entry, err
    end
    self.outage = { till = self.clock() + PAUSE, message = err.message, hint = err.hint,
      cause = err.cause, status = err.status }
  end
  return stand_in(self, given, make, err)
end

return fallback
