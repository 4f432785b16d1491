--- Getting things from an index, which may be hostile: where it may send us, how much it may say.
local errors = require "codecell.errors"
local http = require "codecell.http"
local urls = require "codecell.http.url"

local fetch = {}

local HOPS = 5
local TIMEOUT, IDLE = 30, 30 -- seconds, for the head of an answer and between its pieces
local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local public -- a client that reaches the public internet alone

local function public_client()
  if not public or public.made:_closed() then
    local err
    public, err = http.client({ public = true })
    if not public then
      return nil, err
    end
  end
  return public
end

local function origin_of(url)
  return url:match("^(%a+://[^/?#]+)"):lower()
end

-- Whom to ask, and how: an index that was named may be anywhere; what it names must be public, and
-- hears nothing of who asks.
local function ask(source, url, headers)
  local request = { url = url, headers = {}, timeout = TIMEOUT, idle = IDLE }
  for i, field in ipairs(headers) do
    request.headers[i] = field
  end
  local origin = origin_of(url)
  if origin == source.origin or source.trusted[origin] then
    if source.authorization and origin == source.origin then
      request.headers[#request.headers + 1] = { "Authorization", source.authorization }
    end
    return http.request(request)
  elseif source.origin:find("^https:") and not url:lower():find("^https:") then
    return nil, errors.new("protocol", ("%s leads to an address without TLS"):format(source.origin))
  end
  local client, err = public_client()
  if not client then
    return nil, err
  end
  return client:request(request)
end

--- Get something.
---@param source codecell.PackageSource
---@param url string
---@param headers string[][]?
---@return codecell.HttpResponse? response of status 200 or 404
---@return codecell.Error? err
function fetch.get(source, url, headers)
  for _ = 1, HOPS do
    local response, err = ask(source, url, headers or {})
    if not response then
      return nil, err
    end
    local status = response.status
    if status == 200 or status == 404 or status == 410 then
      return response
    end
    local location = REDIRECTS[status] and response.headers.location
    response:close()
    if status == 401 or status == 403 then
      return nil, errors.new("unauthenticated", ("%s refuses it with status %d"):format(
        origin_of(url), status), "give a user and a password in the address of the index")
    elseif not location then
      return nil, errors.new("unavailable",
        ("%s answers with status %d"):format(origin_of(url), status))
    end
    url = urls.resolve(url, location)
    if not url then
      return nil, errors.new("protocol",
        ("%s leads to an address that is none"):format(source.origin))
    end
  end
  return nil, errors.new("protocol",
    ("%s leads on and on: more than %d times"):format(source.origin, HOPS))
end

--- Get a text.
---@param source codecell.PackageSource
---@param url string
---@param most integer bytes
---@param headers string[][]?
---@return string|false|nil text false: there is none
---@return string|codecell.Error|nil url where it was in the end; or err
---@return string? kind what it says that it is
function fetch.text(source, url, most, headers)
  local response, err = fetch.get(source, url, headers)
  if not response then
    return nil, err
  elseif response.status ~= 200 then
    response:close()
    return false
  end
  local text
  text, err = response:all(most)
  if not text then
    return nil, err
  end
  return text, response.url, (response.headers["content-type"] or ""):lower()
end

return fetch
