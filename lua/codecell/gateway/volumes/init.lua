--- Volumes: folders that sandboxes share, and that stay when these end. They lie in a folder that
--- the operator has named: what code writes there is bounded by nothing but its file system.
local answer = require "codecell.gateway.answer"
local codecell = require "codecell"
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local mounts = require "codecell.project.mounts"
local reactor = require "codecell.reactor"
local shape = require "codecell.e2b.shape"
local urls = require "codecell.http.url"

local volumes = {}

local BODY_MOST = 65536
local ABOUT_MOST = 4096
local MOST = 1000
local NAME_MOST = 128
local DAY = 86400
local EMPTIED = 3600 -- seconds that its files may take to go
local KEEPERS_MOST = 64
local IDLE = 60 -- seconds that the keeper of one lives on
local MIB = 1048576
local KEEPER = { disk = 64 * MIB, output = 64 * MIB }

--- Where the keeper of a volume has it.
volumes.PLACE = "/mnt/volume"

---@class codecell.GatewayVolume
---@field id string
---@field name string
---@field owner string?
---@field token string
---@field folder string with its files
---@field keeper codecell.Sandbox? that reads and writes in it for the gateway
---@field used number when the keeper was

--- Whether volumes can be kept in a folder.
---@param path string
---@return true? ok
---@return codecell.Error? err
function volumes.check(path)
  local folder, about = core.host_folder(path)
  if not folder then
    return nil, about
  end
  folder:close()
  if path:sub(1, 1) ~= "/" then
    return nil, errors.new("invalid_argument", "--volumes: an absolute path expected")
  elseif about.for_root and (about.uid == 0 or about.gid == 0) then
    return nil, errors.new("denied_by_policy", ("--volumes: %s belongs to root, and code will "
      .. "write there; give it to another user: chown nobody:nogroup %s"):format(path, path))
  elseif not about.for_root and not about.is_ours then
    return nil, errors.new("permission_denied", ("--volumes: %s belongs to another user"):format(
      path))
  end
  return true
end

-- ---- on the disk ----

local function open(folder)
  return core.host_directory(folder, false)
end

local function read_about(folder, id)
  local file = core.host_file(("%s/%s/volume.json"):format(folder, id))
  local text = file and file:read(ABOUT_MOST)
  if file then
    file:close()
  end
  local about = text and json.decode(text)
  if type(about) == "table" and type(about.name) == "string" then
    return { id = id, name = about.name, owner = shape.text(about.owner), token = answer.secret(),
      folder = ("%s/%s/files"):format(folder, id), used = 0 }
  end
end

--- Find those that are in the folder from before.
---@param gateway codecell.Gateway
function volumes.load(gateway)
  local folder = gateway.volumes_folder
  for _, entry in ipairs(folder and core.host_list(folder) or {}) do
    local one = entry.type == "dir" and entry.name:find("^%x+$") and read_about(folder, entry.name)
    if one then
      gateway.volumes[one.id], gateway.volumes_count = one, gateway.volumes_count + 1
    end
  end
end

local function write_about(folder, one)
  local file, err = folder:make_file("volume.json", 384) -- 0600
  local ok
  if file then
    ok, err = file:write(json.encode({ name = one.name, owner = one.owner }))
    file:close()
  end
  return ok, err
end

-- Folders are of the owner of the one that holds them: no program of root's is made by code.
local function make(place, one)
  local all, err = open(place)
  local ok, own
  if all then
    ok, err = core.project_directory(all, one.id)
    all:close()
  end
  if ok then
    own, err = open(place .. "/" .. one.id)
  end
  ok = nil
  if own then
    ok, err = core.project_directory(own, "files")
    if ok then
      ok, err = write_about(own, one)
    end
    own:close()
  end
  return ok, err
end

-- ---- which are meant ----

local function is_of(one, owner)
  return owner == nil or one.owner == owner
end

local function named(gateway, name, owner)
  for _, one in pairs(gateway.volumes) do
    if one.name == name and is_of(one, owner) then
      return one
    end
  end
end

--- The mounts that a request to create a sandbox wants.
---@param gateway codecell.Gateway
---@param given any
---@param owner string?
---@return table[]? list as of `create`; nil without an error: none
---@return codecell.Error? err kinds "invalid_argument", "not_found"
function volumes.mounts(gateway, given, owner)
  local list = {}
  for i, one in ipairs(shape.table(given) or {}) do
    local wanted = shape.table(one) or {}
    local name, path = shape.text(wanted.name), shape.text(wanted.path)
    local found = name and named(gateway, name, owner)
    if not name or not path or path:sub(1, 1) ~= "/" then
      return nil, errors.new("invalid_argument",
        "volumeMounts: a name and an absolute path expected")
    elseif not found then
      return nil, errors.new("not_found", ("volume '%s' not found"):format(name))
    end
    list[i] = { host = found.folder, path = path, mode = "write", sockets = true }
  end
  local ok, problem = pcall(mounts.check, list, 0)
  if not ok then
    return nil, errors.new("invalid_argument", (tostring(problem):gsub("^.-create: mounts",
      "volumeMounts")))
  end
  return list[1] and list
end

-- The one that was asked longest ago gives way; false: all are busy.
local function make_room(gateway)
  local count, oldest = 0, nil
  for _, one in pairs(gateway.volumes) do
    count = count + (one.keeper and 1 or 0)
    local is_idle = one.keeper and (one.busy or 0) == 0
    oldest = is_idle and (not oldest or one.used < oldest.used) and one or oldest
  end
  if count >= KEEPERS_MOST and oldest then
    oldest.keeper:close()
    oldest.keeper = nil
  end
  return count < KEEPERS_MOST or oldest ~= nil
end

--- The sandbox in which the gateway reads and writes for clients: whatever code has planted in a
--- volume leads nowhere but there.
---@param gateway codecell.Gateway
---@param one codecell.GatewayVolume
---@return codecell.Sandbox? keeper
---@return codecell.Error? err
function volumes.keeper(gateway, one)
  one.used = reactor.now()
  if one.keeper and not one.keeper:_closed() and one.keeper:is_running() then
    return one.keeper
  elseif not make_room(gateway) then
    return nil, errors.new("rate_limited", ("%d volumes are being used; try again later"):format(
      KEEPERS_MOST))
  end
  local made, err = codecell.create({ network = "none", timeout = DAY, limits = KEEPER,
    name = "volume " .. one.name,
    mounts = { { host = one.folder, path = volumes.PLACE, mode = "write", sockets = true } } })
  if made and one.keeper and not one.keeper:_closed() then -- somebody was faster
    made:close()
    return one.keeper
  end
  one.keeper = made
  return made, err
end

--- Let go of keepers that nobody has asked for a while.
---@param gateway codecell.Gateway
function volumes.sweep(gateway)
  for _, one in pairs(gateway.volumes) do
    if one.keeper and (one.busy or 0) == 0 and reactor.now() - one.used > IDLE then
      one.keeper:close()
      one.keeper = nil
    end
  end
end

-- ---- /volumes ----

local function told(gateway, one)
  return { volumeID = one.id, name = one.name, token = one.token, domain = gateway.volume_domain }
end

local function create(gateway, request)
  local body = answer.body(request, BODY_MOST)
  local name = body and shape.text(body.name)
  if not body then
    return
  elseif not name or #name > NAME_MOST or not name:find("^[%w_-]+$") then
    return answer.failure(request, 400,
      "name: letters, digits, \"_\" and \"-\" expected, at most 128")
  elseif named(gateway, name, request.owner) then
    return answer.failure(request, 409, ("volume '%s' is there already"):format(name))
  elseif gateway.volumes_count >= MOST then
    return answer.failure(request, 429, ("there are %d volumes already"):format(MOST))
  end
  local one = { id = answer.secret():sub(1, 32), name = name, owner = request.owner,
    token = answer.secret(), used = 0 }
  one.folder = ("%s/%s/files"):format(gateway.volumes_folder, one.id)
  local ok, err = make(gateway.volumes_folder, one)
  if not ok then
    return answer.error(request, err)
  end
  gateway.volumes[one.id], gateway.volumes_count = one, gateway.volumes_count + 1
  answer.json(request, 201, told(gateway, one))
end

local function list(gateway, request)
  local all = json.list()
  for _, one in pairs(gateway.volumes) do
    if is_of(one, request.owner) then
      all[#all + 1] = { volumeID = one.id, name = one.name }
    end
  end
  table.sort(all, function(one, other) return one.name < other.name end)
  answer.json(request, 200, all)
end

-- Only what is empty goes: whoever looks for what is in a folder may look for ever, while code puts
-- more into it.
local function remove_empty(folder)
  local about = folder .. "/volume.json"
  return os.remove(folder .. "/files") and os.remove(about) and os.remove(folder)
end

-- Its files go in its keeper, for that may take long; what is left is an empty folder.
local function destroy(gateway, request, one)
  gateway.volumes[one.id], gateway.volumes_count = nil, gateway.volumes_count - 1
  local keeper, err = volumes.keeper(gateway, one)
  local done
  if keeper then
    done, err = keeper.commands:run({ "find", volumes.PLACE, "-mindepth", "1", "-delete" },
      { timeout = EMPTIED })
    keeper:close()
    one.keeper = nil
  end
  if done and remove_empty(("%s/%s"):format(gateway.volumes_folder, one.id)) then
    return answer.empty(request, 204)
  end
  gateway.volumes[one.id], gateway.volumes_count = one, gateway.volumes_count + 1
  if err then
    return answer.error(request, err)
  end
  answer.failure(request, 409, ("volume '%s' is not empty yet: end the sandboxes that write to it, "
    .. "and try again"):format(one.name))
end

--- Answer a request to /volumes.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function volumes.answer(gateway, request)
  local id = request.path:match("^/volumes/([^/]+)$")
  local one = id and gateway.volumes[urls.decode(id)]
  if not gateway.volumes_folder then
    return answer.failure(request, 501,
      "volumes need a place: start codecell serve with --volumes FOLDER")
  elseif id and (not one or not is_of(one, request.owner)) then
    return answer.failure(request, 404, ("volume '%s' not found"):format(urls.decode(id)))
  elseif request.method == "GET" and one then
    return answer.json(request, 200, told(gateway, one))
  elseif request.method == "DELETE" and one then
    return destroy(gateway, request, one)
  elseif request.path == "/volumes" and (request.method == "POST" or request.method == "GET") then
    return (request.method == "POST" and create or list)(gateway, request)
  end
  answer.failure(request, 404, "no such path")
end

return volumes
