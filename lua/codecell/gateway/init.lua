--- The gateway: E2B's API over the sandboxes of this machine.
local answer = require "codecell.gateway.answer"
local codecell = require "codecell"
local control = require "codecell.gateway.control"
local envd = require "codecell.gateway.envd"
local interpreter = require "codecell.gateway.interpreter"
local plane = require "codecell.e2b.plane"
local ports = require "codecell.gateway.ports"
local record = require "codecell.gateway.record"
local routing = require "codecell.gateway.routing"
local signed = require "codecell.gateway.signed"

local gateway = {}

local RESUMED = 300 -- seconds that one lives which a request has resumed
local DEBUG_TIME = 86400

---@class codecell.Gateway
---@field key string? whoever makes sandboxes must have it
---@field domain string? below which each port of a sandbox has a name
---@field network "none"|nil whatever a sandbox is to reach
---@field records table<string, codecell.GatewayRecord>
---@field asked table<string, string> the sandbox that a request with a key of its own has made
---@field serial integer how many sandboxes it has made
---@field requests integer how many it was asked
---@field snapshots table<string, string> the sandbox that each was taken of
---@field images table<string, string> what stands for an image: a folder, or a template; "": base
---@field builds table<string, codecell.GatewayBuild> by id
---@field building integer how many are being done
---@field places table<string, string> where archives may be sent, and the hash of each
---@field spawns table<string, {count: integer, at: integer}> how often templates were used, by id
local Gateway = {}
Gateway.__index = Gateway

--- A gateway without sandboxes.
---@param given {key: string?, domain: string?, network: "none"|nil,
---images: table<string, string>?}
---@return codecell.Gateway
function gateway.new(given)
  local self = setmetatable({ key = given.key, domain = given.domain, network = given.network,
    snapshots = {}, asked = {}, serial = 0, requests = 0, images = given.images or {},
    builds = {}, builds_serial = 0, building = 0, places = {}, places_count = 0,
    spawns = {} }, Gateway)
  self.records = setmetatable({}, { __newindex = function(records, id, made)
    self.serial = self.serial + 1
    made.serial = self.serial
    rawset(records, id, made)
  end })
  return self
end

--- End one, and forget it.
---@param one codecell.GatewayRecord
function Gateway:drop(one)
  self.records[one.id] = nil
  if one.key then
    self.asked[one.key] = nil
  end
  one:kill()
end

--- All that are not over; what is left of the others is let go.
---@return table<string, codecell.GatewayRecord>
function Gateway:living()
  local gone = {}
  for id, one in pairs(self.records) do
    if not one:lives() then
      gone[#gone + 1] = id
    end
  end
  for _, id in ipairs(gone) do
    self:drop(self.records[id])
  end
  return self.records
end

--- The one of that id, if it is not over.
---@param id string
---@return codecell.GatewayRecord?
function Gateway:find(id)
  local found = self.records[id]
  if found and not found:lives() then
    self:living()
    return nil
  end
  return found
end

local function not_found(request, id)
  answer.failure(request, 502, "The sandbox was not found", { sandboxId = id })
end

local function answer_sandbox(self, request, place)
  local found = self:find(place.id)
  if found and found:is_paused() and found.given.auto_resume then
    found:resume(RESUMED)
  end
  if not found or found:is_paused() then
    return not_found(request, place.id)
  elseif place.port == plane.ENVD then
    return envd.answer(found, request)
  elseif found.traffic
    and not answer.is_same(request.headers["e2b-traffic-access-token"], found.traffic) then
    return answer.failure(request, 403, "A traffic access token is needed",
      { sandboxId = found.id })
  elseif place.port == plane.CODE then
    return interpreter.answer(found, request)
  end
  return ports.answer(found, request, place.port)
end

--- Make the sandbox of the SDKs' debug mode, which ask for none and have no token.
---@return string? id
---@return codecell.Error? err
function Gateway:debug()
  local made, err = codecell.create({ network = self.network or "open", timeout = DEBUG_TIME })
  if not made then
    return nil, err
  end
  self.records[made.id] = record.new(made, { template = "base", envs = {}, metadata = {},
    timeout = DEBUG_TIME, is_public = true, internet = self.network ~= "none" })
  return made.id
end

--- Answer a request.
---@param request codecell.IncomingRequest
---@param fixed {id: string, port: integer}? where it goes, whatever it says
function Gateway:answer(request, fixed)
  self.requests = self.requests + 1
  if request.method == "OPTIONS" then
    return answer.preflight(request)
  end
  local place, problem = fixed, nil
  if not fixed then
    place, problem = routing.find(request.headers)
  end
  if request.headers.origin and (fixed or place == false and not self.key) then
    return answer.failure(request, 403, "a page of a browser needs a gateway with a key")
  end
  if place == nil then
    return answer.failure(request, 400, problem)
  elseif place == false then
    place = signed.find(self, request)
  end
  if place then
    return answer_sandbox(self, request, place)
  end
  return control.answer(self, request)
end

--- End all sandboxes.
function Gateway:close()
  for _, one in pairs(self.records) do
    one:kill()
  end
end

return gateway
