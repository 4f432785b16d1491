--- How a sandbox is made before the eyes of an audit, of spans, and of whoever hears of security.
local audit = require "codecell.audit"
local contents = require "codecell.audit.contents"
local secrets = require "codecell.secrets"
local security = require "codecell.sandbox.security"
local spans = require "codecell.spans"
local witness = require "codecell.sandbox.witness"

local beginning = {}

local function audit_of(event, given)
  if type(given) == "table" and not audit.is(given) then
    error(event .. ": audit: a path or what codecell.audit.open gives expected", 5)
  elseif type(given) == "string" then
    return audit.open({ path = given })
  end
  return given
end

-- What its code is refused, or has shown, is told there too.
local function told_to(audited, given)
  local called = given.on_event
  if not audited or given.backend ~= nil and given.backend ~= "local" then
    return called
  end
  return function(event)
    if event.class == "security" then
      witness.unlogged(audited:write({ event = "security", sandbox = event.sandbox,
        sort = event.sort, message = event.message, times = event.times }))
    end
    return called and called(event)
  end
end

local function with(options, audited)
  local all = {}
  for name, value in pairs(options) do
    all[name] = value
  end
  all.on_event, all.audit = told_to(audited, options), nil
  return all
end

-- One that is being made.
local Begun = {}
Begun.__index = Begun

-- The same policy, whose decisions are recorded and told.
local function policy_of(self, policy)
  if not policy or not require("codecell.policy").is(policy) then
    return policy
  end
  local seen, called = {}, policy._on_decision
  for name, value in pairs(policy) do
    seen[name] = value
  end
  function seen._on_decision(decision)
    if self.audited then
      witness.unlogged(self.audited:write({ event = "decision", sandbox = self.id,
        verb = decision.verb, decision = decision.effect, rule = decision.rule,
        answer = decision.answer, reason = decision.reason }))
    end
    if decision.effect == "deny" and self.made then
      security.tell(self.made, "policy", ("%s was denied by %s"):format(decision.verb,
        tostring(decision.rule)), { verb = decision.verb, reason = decision.reason })
    end
    return called and called(decision)
  end
  return setmetatable(seen, getmetatable(policy))
end

--- Begin to make a sandbox, whose verbs are to be seen.
---@param event "create"|"connect"
---@param options table checked options of create
---@return table? begun `options` to make it with, and `settle`
---@return codecell.Error? err it is not to be made
function beginning.begin(event, options)
  local audited, err = audit_of(event, options.audit)
  if err then
    return nil, err
  end
  local number
  if audited then
    number, err = audited:_add({ event = event, phase = "before" }, contents.create(options,
      options.secrets and secrets.mask(options.secrets) or nil))
    if not number then
      return nil, err
    end
  end
  local span = spans.start(event, { ["codecell.backend"] = options.backend or "local" })
  spans.leave(span)
  local self = setmetatable({ event = event, audited = audited, number = number, span = span,
    on_event = options.on_event, options = with(options, audited) }, Begun)
  self.options.policy = policy_of(self, options.policy)
  return self
end

--- Record that it was made, or why not, and see what it does from now on.
---@param made codecell.Sandbox?
---@param err codecell.Error?
---@return codecell.Sandbox? made
---@return codecell.Error? err
function Begun:settle(made, err)
  spans.finish(self.span, err, made and { ["codecell.sandbox.id"] = made.id } or nil)
  self.made, self.id = made, made and made.id
  if made and not made._witness then
    made._listener = self.on_event
    witness.attach(made, self.audited)
  end
  if not self.audited then
    return made, err
  end
  local ok, unable = self.audited:_add({ event = self.event, phase = "after", of = self.number },
    made and { sandbox = made.id, isolation = made._backend.isolation }
    or { err = witness.failure(err) })
  if ok then
    return made, err
  elseif made then
    made:close()
  end
  return nil, unable
end

return beginning
