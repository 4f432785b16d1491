--- The one shape of a failure: nil and an error object, whose kind is from a
--- closed set and whose text is one complete line.
local core = require "codecell.core"
local one_line = require "codecell.one_line"

local errors = {}

--- Every kind there is; branch on these, never on the message.
---@type string[]
errors.kinds = {
  "already_exists", "cancelled", "denied_by_policy", "invalid_argument", "limit_exceeded",
  "no_space", "not_found", "out_of_memory", "permission_denied", "protocol", "rate_limited",
  "sandbox_gone", "system", "timeout", "unauthenticated", "unavailable", "unsupported",
}

--- An error object.
---@param kind codecell.ErrorKind
---@param message string one complete line; what is not is made one
---@param hint string? what to change
---@return codecell.Error
function errors.new(kind, message, hint)
  return setmetatable({ kind = kind, message = one_line(message), hint = hint },
    core.error_metatable)
end

--- Whether a value is an error object of codecell.
---@param value any
---@return boolean
function errors.is(value)
  return type(value) == "table" and getmetatable(value) == core.error_metatable
end

--- The error of a wait that was longer than it may be.
---@param verb string what was waited for: "read"
---@param seconds number? the limit that was passed
---@param advice string? what to do; default: to pass a longer timeout
---@return codecell.Error
function errors.timeout(verb, seconds, advice)
  local text = seconds and ("%s timed out after %g s"):format(verb, seconds) or verb .. " timed out"
  return errors.new("timeout", text .. "; " .. (advice or "pass a longer timeout"))
end

--- What a backend does not do.
---@param what string "pause", ...
---@param backend string
---@param hint string what does it instead
---@return codecell.Error
function errors.unsupported(what, backend, hint)
  return errors.new("unsupported",
    ("%s is not supported by the %s backend; %s"):format(what, backend, hint), hint)
end

--- Its first value, if that is true; else an error that every Lua can show: the plain `assert` of
--- Lua 5.1 and 5.2 refuses a message that is not a string.
---@generic T
---@param value T?
---@param err codecell.Error|string|nil
---@param ... any
---@return T
function errors.assert(value, err, ...)
  if value == nil or value == false then
    error(err == nil and "assertion failed!" or tostring(err), 0)
  end
  return value, err, ...
end

--- What a kind means, who can mend it, whether trying again may help.
---@param kind codecell.ErrorKind
---@return codecell.KindOfError? about
function errors.about(kind)
  for _, row in ipairs(require("codecell.errors.kinds").list) do
    if row.kind == kind then
      return row
    end
  end
end

return errors
