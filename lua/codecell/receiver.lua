--- What a verb is called on: an object of its kind that is open. Anything else is a bug of the
--- caller, most often a dot in place of a colon.
local receiver = {}

local COLON = "%s: call it with a colon, %s:%s(...); the %s is no %s"

local function describe(value)
  return type(value) == "nil" and "first argument" or "given " .. type(value)
end

--- Raise unless there is an object with such a field.
---@param self any
---@param verb string
---@param name string what it is called on, for the message: "sandbox", "sandbox.files"
---@param field string that every object of the kind has
---@param level integer? stack level to blame, as `error` counts from here; default: the caller's
---caller
function receiver.check(self, verb, name, field, level)
  local is_object = type(self) == "userdata" or type(self) == "table"
  if not is_object or self[field] == nil then
    error(COLON:format(verb, name, verb, describe(self), name), level or 3)
  end
end

local function check_open(self, verb, name, level)
  receiver.check(self, verb, name, "_closed", level + 1)
  if self:_closed() then
    error(("%s: %s is closed"):format(verb, name), level)
  end
end

--- Raise unless it is an open sandbox.
---@param self any
---@param verb string
function receiver.sandbox(self, verb)
  check_open(self, verb, "sandbox", 4)
end

--- Raise unless it is an open process.
---@param self any
---@param verb string
function receiver.process(self, verb)
  check_open(self, verb, "process", 4)
end

--- Raise unless it is an open watcher.
---@param self any
---@param verb string
function receiver.watcher(self, verb)
  check_open(self, verb, "watcher", 4)
end

--- The sandbox of a part of one, which is open.
---@param self any
---@param verb string
---@param name string of the part: "files"
---@param level integer? as of `check`
---@return codecell.Sandbox
function receiver.part(self, verb, name, level)
  level = (level or 3) + 1
  receiver.check(self, verb, "sandbox." .. name, "_sandbox", level)
  check_open(self._sandbox, verb, "sandbox", level)
  return self._sandbox
end

return receiver
