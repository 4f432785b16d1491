--- Secrets of an account of E2B. Their values go there and never come back.
local control = require "codecell.e2b.control"
local failure = require "codecell.e2b.failure"
local shape = require "codecell.e2b.shape"
local transport = require "codecell.e2b.transport"
local urls = require "codecell.http.url"

local secret = {}

---@class codecell.E2bSecret
---@field id string
---@field name string
---@field version integer
---@field metadata table<string, string>
---@field created_at number seconds since 1970
---@field updated_at number

local function read(what, given)
  local found = shape.table(given) or {}
  local id = shape.text(found.secretID)
  if not id then
    return nil, failure.protocol(what, "no id of a secret")
  end
  return { id = id, name = shape.text(found.name) or "",
    version = shape.number(found.currentVersion) or 1, metadata = shape.texts(found.metadata),
    created_at = shape.time(found.createdAt) or 0, updated_at = shape.time(found.updatedAt) or 0 }
end

local function ask(settings, what, method, selector, body)
  local path = "/secrets" .. (selector and "/" .. urls.encode(selector) or "")
  local request = control.request(settings, what, method, path, body)
  request.hidden[#request.hidden + 1] = body and body.value -- in no message, and in no event
  local answer, err = transport.json(request)
  if not answer then
    return nil, err
  elseif method == "DELETE" then
    return true
  end
  return read(what, answer)
end

---@return codecell.E2bSecret? made
---@return codecell.Error? err
function secret.create(settings, name, value, metadata)
  return ask(settings, "create_secret", "POST", nil,
    { name = name, value = value, metadata = metadata })
end

---@return codecell.E2bSecret? found
---@return codecell.Error? err
function secret.get(settings, selector)
  return ask(settings, "secret", "GET", selector)
end

---@return codecell.E2bSecret? changed
---@return codecell.Error? err
function secret.update(settings, selector, value, metadata)
  return ask(settings, "update_secret", "POST", selector, { value = value, metadata = metadata })
end

---@return boolean? removed false if there was none
---@return codecell.Error? err
function secret.remove(settings, selector)
  local done, err = ask(settings, "remove_secret", "DELETE", selector)
  if not done and err.status == 404 then
    return false
  end
  return done, err
end

--- One page of them.
---@return codecell.E2bSecret[]? page with `next` if there is another
---@return codecell.Error? err
function secret.list(settings, given)
  local page, err = control.page(settings, "secrets", "/secrets", { n = 4,
    "limit", given.limit, "nextToken", given.next })
  for i = 1, #(page or {}) do
    page[i], err = read("secrets", page[i])
    if not page[i] then
      return nil, err
    end
  end
  return page, err
end

return secret
