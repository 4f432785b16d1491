--- URLs of files for people: in the cloud signed ones, here copies in a folder of this user.
local core = require "codecell.core"
local errors = require "codecell.errors"
local runtime_folder = require "codecell.runtime_folder"

local downloads = {}

local LIFETIME = 3600 -- seconds
local MOST = 1024 * 1024 * 1024 -- bytes of all copies; a folder of this kind is often in memory

-- What a file may be called in a URL and on every disk.
local function plain_name(path)
  local name = path:gsub("/+$", ""):match("[^/]+$") or "file"
  name = name:gsub("[^%w%-._]", "_"):gsub("^%.+", "")
  return name ~= "" and name:sub(-100) or "file"
end

-- "/a b" in a URL.
local function in_url(path)
  return (path:gsub("[^%w%-._~/]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

-- A folder that nobody else can change, unless the host has named one.
local function folder_of(service)
  local folder = service.config.download_dir
  if folder then
    return folder
  end
  folder = runtime_folder() .. "/downloads"
  local ok, err = core.host_store(folder, true)
  if not ok then
    err.message = "download_url: " .. err.message .. "; set download_dir (CODECELL_DOWNLOAD_DIR)"
    err.hint = "set CODECELL_DOWNLOAD_DIR"
    return nil, err
  end
  return folder
end

-- A folder for one copy, below a name that cannot be guessed.
local function make_place(folder)
  local path = folder .. "/" .. core.random_id(32)
  for _, one in ipairs({ folder:match("^(.+)/[^/]+$") or folder, folder, path }) do
    local made, err = core.host_directory(one, true)
    if not made then
      return nil, err
    end
    made:close()
  end
  return path
end

--- Remove the copies whose time is over.
---@param service codecell.Service
---@param now number seconds of os.time
function downloads.forget(service, now)
  local left = {}
  for _, one in ipairs(service.downloads) do
    if one.ends <= now then
      core.host_remove(one.path)
    else
      left[#left + 1] = one
    end
  end
  service.downloads = left
end

-- Whether a copy of that size has room beside those that are still there.
local function check_room(service, path, size)
  downloads.forget(service, os.time())
  local kept = 0
  for _, one in ipairs(service.downloads) do
    kept = kept + one.size
  end
  if kept + size > MOST then
    return nil, errors.new("limit_exceeded", ("download_url: %s has %d bytes, and %d of %d bytes "
      .. "for downloads are taken; those of the last hour are kept"):format(path, size, kept, MOST))
  end
  return true
end

-- What the sandbox knows of it; a URL of what is not there would fail at the user's.
local function file_at(sandbox, path)
  local about, err = sandbox.files:get_info(path)
  if about and about.type ~= "file" then
    return nil, errors.new("invalid_argument", ("download_url: %s is a %s, not a file")
      :format(path, about.type))
  end
  return about, err
end

--- A URL by which a file can be fetched for an hour.
---@param service codecell.Service
---@param sandbox codecell.Sandbox
---@param path string
---@return string? url
---@return number|codecell.Error ends seconds of os.time, or err
function downloads.url(service, sandbox, path)
  local about, err = file_at(sandbox, path)
  if not about then
    return nil, err
  elseif sandbox.backend ~= "local" then
    local url
    url, err = sandbox:download_url(path, { expiration = LIFETIME })
    return url, url and os.time() + LIFETIME or err
  end
  local folder
  folder, err = folder_of(service)
  if not folder then
    return nil, err
  end
  local place, kept
  kept, err = check_room(service, path, about.size)
  if kept then
    place, err = make_place(folder)
  end
  if not place then
    return nil, err
  end
  local copy, ends = place .. "/" .. plain_name(path), os.time() + LIFETIME
  local one = { path = place, ends = ends, size = about.size }
  table.insert(service.downloads, one) -- before it is there, so that it is counted
  kept, err = sandbox.files:download(path, copy)
  if not kept then
    one.ends = 0
    downloads.forget(service, os.time())
    return nil, err
  end
  return "file://" .. in_url(copy), ends
end

return downloads
