--- Why no sandbox was made, in one of five words: who has to do what about it.

local CAUSES = { invalid_argument = "template", not_found = "template",
  permission_denied = "auth", rate_limited = "rate_limited", unauthenticated = "auth" }

local NONE = { cancelled = true, denied_by_policy = true } -- somebody has wanted it so

--- Say the cause of a failed creation, where whoever has failed has not said it already.
---@param err codecell.Error
---@return codecell.Error err with `cause`: "auth", "rate_limited", "network", "resources" or
---"template"
return function(err)
  err.cause = err.cause or CAUSES[err.kind] or not NONE[err.kind] and "resources" or nil
  return err
end
