--- Archives that clients send for the builds of their templates. They are kept as they come, and
--- looked into in the sandbox of a build alone.
local answer = require "codecell.gateway.answer"
local core = require "codecell.core"
local store = require "codecell.template.store"

local uploads = {}

local PREFIX = "/upload/"
local MOST = 1073741824 -- bytes of one
local ALL_MOST = 4 * MOST -- of those that are kept
local PLACES_MOST = 4096 -- of one key, that were given out and not used

local function folder_of()
  local templates, err = store.folder()
  if not templates then
    return nil, err
  end
  local folder = templates:gsub("/templates$", "/uploads")
  local ok
  ok, err = core.host_store(folder, true)
  return ok and folder, err
end

local function sizes(folder)
  local list, all = {}, 0
  for _, entry in ipairs(core.host_list(folder) or {}) do
    if entry.type == "file" then
      list[#list + 1], all = entry, all + entry.size
    end
  end
  table.sort(list, function(one, other) return one.modified_time < other.modified_time end)
  return list, all
end

-- Let go of the oldest, until there is room.
local function make_room(folder)
  local list, all = sizes(folder)
  for _, entry in ipairs(list) do
    if all > ALL_MOST then
      os.remove(folder .. "/" .. entry.name)
      all = all - entry.size
    end
  end
end

-- Nobody can put an archive where another will take it for its own.
local function name_of(hash, owner)
  return core.digest("sha256"):update((owner or "") .. "\0" .. hash:lower()):finish()
end

--- Where an archive lies that was sent.
---@param hash any
---@param owner string? who has sent it
---@return string? path nil: there is none
function uploads.find(hash, owner)
  local is_hash = type(hash) == "string" and #hash == 64 and hash:find("^%x+$")
  local folder = is_hash and folder_of()
  local path = folder and folder .. "/" .. name_of(hash, owner)
  local file = path and core.host_file(path)
  if not file then
    return nil
  end
  file:close()
  return path
end

-- As the client has reached us, for that is how it will again.
local function url_of(gateway, request, place)
  local scheme = (gateway.is_secure or request.headers["x-forwarded-proto"] == "https") and "https"
    or "http"
  return ("%s://%s%s%s"):format(scheme, request.headers.host or gateway.domain or "localhost",
    PREFIX, place)
end

local function forget_all(gateway, owner)
  for place, known in pairs(gateway.places) do
    if known.owner == owner then
      gateway.places[place] = nil
    end
  end
  gateway.places_count[owner] = 0
end

--- Say whether an archive is here, or where it is to be sent.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
---@param hash string
function uploads.ask(gateway, request, hash)
  if #hash ~= 64 or not hash:find("^%x+$") then
    return answer.failure(request, 400, "the hash of the files: 64 hexadecimal digits expected")
  elseif uploads.find(hash, request.owner) then
    return answer.json(request, 201, { present = true })
  end
  local place, owner = answer.secret(), request.owner or ""
  if (gateway.places_count[owner] or 0) >= PLACES_MOST then
    forget_all(gateway, owner)
  end
  gateway.places[place] = { final = name_of(hash, request.owner), owner = owner }
  gateway.places_count[owner] = (gateway.places_count[owner] or 0) + 1
  answer.json(request, 201, { present = false, url = url_of(gateway, request, place) })
end

local coming = 0 -- bytes of archives that are not all here yet

local function take(request, file, count)
  while true do
    local chunk, err = request:read()
    if err then
      return nil, 400, err.message
    elseif not chunk then
      return true
    end
    count.size, coming = count.size + #chunk, coming + #chunk
    if count.size > MOST then
      return nil, 413, ("an archive has at most %d bytes"):format(MOST)
    elseif coming > ALL_MOST then
      return nil, 429, "too much is being sent; try again later"
    end
    local ok
    ok, err = file:write(chunk)
    if not ok then
      return nil, 507, err.message
    end
  end
end

local function keep(request, folder, final)
  local directory, err = core.host_directory(folder, false)
  local name = final .. "." .. core.random_id(10)
  local file
  if directory then
    file, err = directory:make_file(name, 384) -- 0600
    directory:close()
  end
  if not file then
    return nil, 500, err.message
  end
  local count = { size = 0 }
  local ok, status, problem = take(request, file, count)
  file:close()
  coming = coming - count.size
  if ok then
    make_room(folder)
    status = not os.rename(folder .. "/" .. name, folder .. "/" .. final) and 500 or 200
  end
  if status ~= 200 then
    os.remove(folder .. "/" .. name)
    return nil, status, problem or "it could not be kept"
  end
  return true
end

--- Take an archive, if that is what the request is for. Its place is the right to send it.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
---@return boolean? taken
function uploads.answer(gateway, request)
  if request.path:sub(1, #PREFIX) ~= PREFIX then
    return nil
  end
  local place = request.path:sub(#PREFIX + 1)
  local known = request.method == "PUT" and gateway.places[place]
  local folder, err = folder_of()
  if not known or not folder then
    answer.failure(request, known and 500 or 404, known and err.message or "no such path")
    return true
  end
  gateway.places[place] = nil
  gateway.places_count[known.owner] = gateway.places_count[known.owner] - 1
  local ok, status, problem = keep(request, folder, known.final)
  if ok then
    answer.empty(request, 200)
  elseif not request:is_left() then
    answer.failure(request, status, problem)
  end
  return true
end

return uploads
