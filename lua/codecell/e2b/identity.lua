--- Tokens of an identity that E2B signs for a sandbox: rules of its network name them.
local errors = require "codecell.errors"

local identity = {}

local MOST = 5
local TYPE = "JWT-SVID"

local function wrong(name, text)
  return nil, errors.new("invalid_argument", ("create: iam: %s: %s"):format(tostring(name), text))
end

--- What a request to create says of them.
---@param given table<string, {audience: string, type: "JWT-SVID"?}>? by the name that rules use:
---"${e2b.identity.tokens.NAME}"
---@return table? iam
---@return codecell.Error? err kind "invalid_argument"
function identity.body(given)
  local tokens, count = {}, 0
  for name, one in pairs(given or {}) do
    count = count + 1
    if type(name) ~= "string" or type(one) ~= "table" or type(one.audience) ~= "string" then
      return wrong(name, "{audience = text} expected")
    elseif one.type ~= nil and one.type ~= TYPE then
      return wrong(name, "the type of a token is " .. TYPE)
    elseif count > MOST then
      return wrong(name, ("at most %d tokens"):format(MOST))
    end
    tokens[name] = { audience = one.audience, tokenType = TYPE }
  end
  return count > 0 and { tokens = tokens } or nil
end

return identity
