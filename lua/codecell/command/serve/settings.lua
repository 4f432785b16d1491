--- What `codecell serve` was told, as the gateway takes it.
local address = require "codecell.command.serve.address"
local answers = require "codecell.gateway.answer"
local create = require "codecell.create"
local launch = require "codecell.command.launch"
local wishes = require "codecell.gateway.control.wishes"

local settings = {}

local KEY_LEAST = 8 -- characters

-- What nobody would be served with.
local AT_LEAST_ONE = { "connections", "key-sandboxes", "max-sandboxes" }

--- What is wrong with the options.
---@param options table
---@return string? problem
function settings.problem(options)
  for _, name in ipairs(AT_LEAST_ONE) do
    if options[name] == 0 then
      return ("--%s: at least 1"):format(name)
    end
  end
  local port = options.port or "0"
  if not port:find("^%d+$") or tonumber(port) > 65535 then
    return "--port: a number from 0 to 65535"
  elseif options["no-auth"] and (options["api-key"] or options["api-keys"]) then
    return "give --api-key or --no-auth, not both"
  elseif options["no-auth"] and not address.is_loopback(options.host) then
    return ("--no-auth: anybody who reaches %s could make sandboxes; give --api-key, or a "
      .. "--host of this machine alone"):format(options.host)
  end
  return address.problem(options)
end

-- ---- keys ----

-- Lines "KEY" or "NAME KEY"; what follows "#" is nothing.
local function read_keys(path, list)
  local file, problem = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  if not text then
    return "--api-keys: cannot read " .. (problem or path)
  end
  local number = 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    line = line:gsub("#.*", "")
    local name, key = line:match("^%s*(%S+)%s+(%S+)%s*$")
    key = key or line:match("^%s*(%S+)%s*$")
    if not key and line:find("%S") then
      return ("--api-keys: line %d of %s is neither KEY nor NAME KEY"):format(number, path)
    elseif key then
      list[#list + 1] = { name = name or tostring(#list + 1), key = key }
    end
  end
end

local function problem_of(list)
  local seen = {}
  for _, one in ipairs(list) do
    if #one.key < KEY_LEAST then
      return ("an API key has at least %d characters"):format(KEY_LEAST)
    elseif seen[one.key] then
      return "an API key is given twice"
    end
    seen[one.key] = true
  end
end

--- The keys that clients need.
---@param options table
---@return {name: string, key: string}[]? keys nil: none, or what is wrong follows
---@return string? new_key that nobody has given; after nil: what is wrong
function settings.keys(options)
  if options["no-auth"] then
    return nil
  end
  local list, problem, new = {}, nil, nil
  for i, key in ipairs(options["api-key"] or {}) do
    list[i] = { name = tostring(i), key = key }
  end
  if options["api-keys"] then
    problem = read_keys(options["api-keys"], list)
    problem = problem or not list[1] and "--api-keys: there is no key in " .. options["api-keys"]
      or nil
  end
  local known = os.getenv("E2B_API_KEY")
  if not list[1] and not problem then
    new = (not known or known == "") and "e2b_" .. answers.secret():sub(1, 40) or nil
    list[1] = { name = "1", key = new or known }
  end
  problem = problem or problem_of(list)
  if problem then
    return nil, problem
  end
  return list, new
end

-- ---- the others ----

--- What every sandbox is limited to.
---@param options table
---@return table? limits as of create; nil: none were given
---@return string? problem
function settings.limits(options)
  local limits = { cpu = options.cpu, disk = options.disk, memory = options.memory,
    processes = options.processes }
  if next(limits) == nil then
    return nil
  end
  local ok, err = wishes.check("serve", { limits = limits }, { limits = create.options.limits })
  if not ok then
    return nil, err.message
  end
  return limits
end

--- "debian:12=/srv/debian", "ubuntu:22.04=base": what stands for an image.
---@param options table
---@return table<string, string>? images
---@return string? problem
function settings.images(options)
  local images = {}
  for _, text in ipairs(options.image or {}) do
    local name, place = text:match("^([^=%s]+)=(%S.*)$")
    if not name then
      return nil, "--image: NAME=FOLDER, the name of a template, or base"
    end
    images[name] = place ~= "base" and place or ""
  end
  return images
end

--- How much may be asked for.
---@param options table
---@return table quota as of `quota.new`
function settings.quota(options)
  return { rate = options.rate, sandboxes = options["max-sandboxes"],
    key_sandboxes = options["key-sandboxes"], connections = options.connections }
end

--- Where it is recorded what sandboxes do.
---@param options table of the command
---@return codecell.Audit|false|nil audit false: nowhere
---@return string? problem
function settings.audit(options)
  local found, problem = launch.configure({})
  if not found then
    return nil, problem
  end
  local audit, err = launch.audit(options, found)
  return audit, err and tostring(err)
end

return settings
