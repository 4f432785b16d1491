--- What is asked of a server: checked, and taken apart.
local fields = require "codecell.http.fields"
local options = require "codecell.options"
local urls = require "codecell.http.url"

local target = {}

local REQUEST = {
  begun = { type = "function" },
  url = { type = "name" },
  method = { type = "name" },
  headers = { type = "table" },
  host = { type = "name" },
  body = { type = "either", expected = "string or function",
    rules = { string = { type = "data" }, ["function"] = { type = "function" } } },
  length = { type = "integer" },
  timeout = { type = "number", above = 0 },
  idle = { type = "number", above = 0 },
  environment = { type = "boolean" },
  share = { type = "boolean" },
  upgrade = { type = "name" },
  whole = { type = "number", above = 0 },
  redirects = { type = "integer", most = 20 },
}

-- What the library decides itself: a caller who could would say something else than is meant.
local OURS = { host = true, ["content-length"] = true, expect = true }

---@class codecell.HttpRequest
---@field url string "https://name[:port]/path?query" or http://; its user, password and fragment
---are refused, and so is what must be percent-encoded
---@field method string? default "GET"
---@field headers (string[][]|table<string, string>)? {{name, value}, ...} or by name; not Host,
---Content-Length, or what belongs to the connection
---@field host string? what the field Host says, where that is not the URL's; not after a redirect
---@field body (string|fun(): string?, codecell.Error?)? what is sent; a function returns the next
---piece, nil at the end, or nil and an error; it may wait
---@field length integer? bytes that a function returns in all; default: not known, sent chunked
---@field begun (fun(exchange: userdata))? is told what can be closed, to give it up from elsewhere;
---whoever does wakes its token
---@field timeout number? seconds until the head of the answer has come, after the server has taken
---the last piece of the body; default 60
---@field idle number? seconds that its body may be silent; default 60
---@field upgrade string? the protocol that the connection may go on in: if the answer is 101 then
---`body` is what is said in it, and that of the answer is what is heard
---@field whole number? seconds for all of it, the body of the answer too; default: no bound
---@field environment boolean? of `http.request` and `http.start`: by the proxies of the usual
---variables, trusting whom they name; default false
---@field share boolean? on one connection with others, where the server speaks HTTP/2: for an
---answer that is read at once, since libcurl holds up to 32 MiB of one that is not; default false
---@field redirects integer? how many are followed; default 0: the answer is the redirect

local function split(url)
  local scheme, authority, path = url:match("^(%a+)://([^/?#]*)(.*)$")
  scheme = scheme and scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then
    return nil, "http:// or https:// expected"
  elseif authority:find("@", 1, true) then
    return nil, "a user or a password does not belong there"
  elseif path:find("[%c\127-\255 #]") then
    return nil, "it has a fragment, or what must be percent-encoded"
  end
  if path:sub(1, 1) ~= "/" then
    path = "/" .. path
  end
  return { tls = scheme == "https", authority = authority, path = path,
    origin = scheme .. "://" .. authority }
end

local function lines(list, level)
  local texts = {}
  for i = 1, #list do
    local name, value = list[i][1], list[i][2]
    if OURS[name:lower()] or fields.is_hop_by_hop(name) then
      error(("request: headers: %s is set by the library"):format(name), level + 1)
    end
    texts[i] = value == "" and name .. ";" or name .. ": " .. value
  end
  return texts
end

--- A request as it is to be made. What is wrong with it is a bug of the caller.
---@param given codecell.HttpRequest
---@param level integer stack level to blame: 1 is this function
---@return table target `tls authority path origin method body length headers lines`
function target.prepare(given, level)
  options.check("request", given, REQUEST, level + 2)
  local found, problem = split(given.url or "")
  if not found then
    error("request: url: " .. problem, level + 1)
  end
  local method = given.method or "GET"
  if not fields.is_token(method) then
    error("request: method: it cannot be one", level + 1)
  end
  local body, length = given.body, given.length
  if body == nil and (method == "POST" or method == "PUT" or method == "PATCH") then
    body = ""
  end
  if type(body) == "string" then
    length = #body
  elseif body ~= nil then
    length = length or -1
  end
  found.method, found.body, found.length = method, body, length
  found.headers = fields.check("request: headers", given.headers, level + 1)
  found.lines = lines(found.headers, level + 1)
  found.share = given.share
  if given.upgrade then -- and what is sent then is no body of HTTP
    found.upgrade = true
    found.lines[#found.lines + 1] = "Connection: Upgrade"
    found.lines[#found.lines + 1] = "Upgrade: " .. given.upgrade
    found.lines[#found.lines + 1] = "Transfer-Encoding:"
  end
  if given.host then
    found.lines[#found.lines + 1] = "Host: " .. given.host
  end
  return found
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
-- What was said to one server is not said to another.
local PRIVATE = { authorization = true, cookie = true }

--- The request that a redirect asks for.
---@param last table the target of the request that was answered
---@param response codecell.HttpResponse
---@return table? target nil: none that may be made
function target.follow(last, response)
  local location = REDIRECTS[response.status] and response.headers.location
  if not location then
    return nil
  end
  local url = urls.resolve(last.origin .. last.path, location)
  local next_target = url and split(url)
  local keeps_method = response.status == 307 or response.status == 308
  if not next_target or last.tls and not next_target.tls
    or keeps_method and type(last.body) == "function" then
    return nil
  end
  local is_same = next_target.origin:lower() == last.origin:lower()
  next_target.method, next_target.headers = last.method, {}
  next_target.body, next_target.length = last.body, last.length
  if not keeps_method and last.method ~= "HEAD" then
    next_target.method, next_target.body, next_target.length = "GET", nil, nil
  end
  for i = 1, #last.headers do
    local name, value = last.headers[i][1], last.headers[i][2]
    if is_same or not PRIVATE[name:lower()] then
      fields.add(next_target.headers, name, value)
    end
  end
  next_target.lines = lines(next_target.headers, 1)
  return next_target
end

return target
