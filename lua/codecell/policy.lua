--- codecell.policy: what users, agents and tools may do: allow, ask or deny, where deny wins.
---
---     local policy = codecell.policy.new {
---       mode = "ask",
---       rules = { { "allow", verb = "run", language = "python" },
---         { "deny", verb = "read", path = "/home/user/.ssh", because = "keys stay here" } },
---       approve = function(question) return "run" end,
---     }
---     local sandbox = codecell.create { policy = policy }
---
--- It is the operator's: rules are read when it is made, and nothing that a model writes changes
--- them. It says what verbs are let through; what code that runs can reach is bounded by its
--- sandbox, by its network and its mounts.
local errors = require "codecell.errors"
local merged = require "codecell.merged"
local options = require "codecell.options"
local patterns = require "codecell.policy.patterns"
local rules = require "codecell.policy.rules"
local terminal = require "codecell.agent.terminal"

local policy = {}

local REMEMBERED_MOST = 1000 -- answers of "always" of one session

---@class codecell.PolicyRequest what somebody wants to do; a list asks for all of it
---@field verb "run"|"shell"|"install"|"read"|"write"|"net"|"env"|"gpu"|"expose"
---@field what string? begins messages: "run_code"; default: the verb
---@field code string? of run and shell
---@field language string?
---@field package (string|string[])?
---@field path (string|string[])? in the sandbox
---@field is_deep boolean? with everything below the path
---@field host (string|string[])?
---@field env (string|string[])? names of variables
---@field name string? of an exposed function
---@field user string?
---@field agent string?
---@field tool string?
---@field touches table? what the code can reach: `network mounts packages`, as get_info has them

---@class codecell.PolicyQuestion : codecell.PolicyRequest what `approve` is called with; a copy
---@field rule string the rule or mode that asks
---@field because string? of the rule
---@field shown string its code, or else what it is about, for the eyes of who is asked: what would
---steer a terminal or turn the reading direction is made visible

---@class codecell.PolicyDecision
---@field verb string
---@field effect "allow"|"deny" what became of it
---@field rule string the rule or mode that made it: `rule 2 (deny install package evil*)`
---@field answer ("run"|"edit"|"always"|"reject")? of who was asked; "always" also when it was
---remembered
---@field reason string? why not
---@field request codecell.PolicyRequest

---@class codecell.Policy
---@field mode string read only
local Policy = {}
Policy.__index = Policy

local NEW = {
  agent = { type = "name" }, approve = { type = "function" },
  mode = { type = "choice", choices = rules.modes }, on_decision = { type = "function" },
  rules = { type = "table" }, tool = { type = "name" }, user = { type = "name" },
}
local SUBJECT = { agent = NEW.agent, approve = NEW.approve, tool = NEW.tool, user = NEW.user }

--- A policy. Where no rule matches the mode decides: "ask" (asks before anything but reading files
--- and setting variables), "auto" (allows: the sandbox is the boundary), "locked" (code may run and
--- files be read; no install, write, net, env, gpu, expose).
---@param given {mode: string?, rules: codecell.PolicyRule[]?, approve: function?,
---on_decision: function?, user: string?, agent: string?, tool: string?}? mode: default "ask";
---approve: `fun(question): "run"|"always"|"edit"|"reject", string?` asked where a rule says "ask",
---with the new code or the reason as the second value; it may wait. Without it what would be asked
---is denied. on_decision: hears each codecell.PolicyDecision
---@return codecell.Policy
function policy.new(given)
  given = options.check("policy", given, NEW)
  return setmetatable({ mode = given.mode or "ask", _rules = rules.compile(given.rules or {}, 3),
    _approve = given.approve, _on_decision = given.on_decision,
    _subject = { user = given.user, agent = given.agent, tool = given.tool },
    _remembered = {}, _count = 0 }, Policy)
end

--- Whether a value is a policy.
---@param value any
---@return boolean
function policy.is(value)
  return type(value) == "table" and getmetatable(value) == Policy
end

--- The same rules for one session of somebody: what is answered "always" holds for it alone.
---@param subject {user: string?, agent: string?, tool: string?, approve: function?}
---@return codecell.Policy
function Policy:as(subject)
  subject = options.check("as", subject, SUBJECT)
  local own = self._subject
  return setmetatable({ mode = self.mode, _rules = self._rules,
    _approve = subject.approve or self._approve, _on_decision = self._on_decision,
    _subject = { user = subject.user or own.user, agent = subject.agent or own.agent,
      tool = subject.tool or own.tool },
    _remembered = {}, _count = 0 }, Policy)
end

-- ---- decisions ----

local MANY = { "package", "path", "host", "env" }

-- A request for several things, as one for each.
local function single(self, request)
  local one = merged(self._subject, request)
  local list = { one }
  for _, field in ipairs(MANY) do
    if type(one[field]) == "table" then
      local before = list
      list = {}
      for _, base in ipairs(before) do
        for i = 1, math.max(#one[field], 1) do
          local copy = merged(base)
          copy[field] = one[field][i]
          list[#list + 1] = copy
        end
      end
    end
  end
  return list
end

local VERB = { choices = rules.verbs }

local function decide(self, request)
  local effect, label, because, culprit
  for _, one in ipairs(single(self, request)) do
    local found, name, why = rules.decide(self._rules, self.mode, one)
    if rules.is_stricter(found, effect) then
      effect, label, because, culprit = found, name, why, one
    end
  end
  return effect, label, because, culprit
end

--- What is to become of a request, which nobody is asked about.
---@param request codecell.PolicyRequest
---@return "allow"|"ask"|"deny" effect
---@return string reason the rule or mode that decides: `rule 2 (deny install package evil*)`
function Policy:decide(request)
  options.argument("decide", "request", request, "table")
  options.argument("decide", "verb", request.verb, "choice", VERB)
  local effect, label, because = decide(self, request)
  return effect, because and ("%s: %s"):format(label, because) or label
end

-- ---- who is asked ----

local KEY = { "verb", "user", "agent", "tool", "language", "package", "path", "host", "env",
  "name" }

-- Of code any other counts as well that is of its language.
local function key_of(one)
  local pieces = {}
  for i, field in ipairs(KEY) do
    local value = one[field]
    pieces[i] = value and patterns.fields[field] and patterns.key(field, one) or value or ""
  end
  pieces[#pieces + 1] = one.is_deep and "deep" or ""
  return table.concat(pieces, "\0")
end

local function is_remembered(self, request)
  for _, one in ipairs(single(self, request)) do
    local effect = rules.decide(self._rules, self.mode, one)
    if effect ~= "allow" and not self._remembered[key_of(one)] then
      return false
    end
  end
  return true
end

-- One that is too many is asked about again.
local function remember(self, request)
  for _, one in ipairs(single(self, request)) do
    local key = key_of(one)
    if not self._remembered[key] and self._count < REMEMBERED_MOST then
      self._remembered[key], self._count = true, self._count + 1
    end
  end
end

local function subject_of(one)
  local subject = one.package or one.path or one.host or one.env or one.name or one.language
  return subject and ("%s of %s"):format(one.verb, subject) or one.verb
end

local function denied(request, message, reason, label, hint)
  local err = errors.new("denied_by_policy",
    ("%s: %s"):format(request.what or request.verb, message), hint)
  err.reason, err.rule = reason or message, label
  return nil, err
end

local function tell(self, request, effect, label, answer, reason)
  if self._on_decision then
    self._on_decision({ verb = request.verb, effect = effect, rule = label, answer = answer,
      reason = reason, request = request })
  end
end

local ANSWERS = { choices = { "run", "always", "edit", "reject" } }

-- Models have written it: on a terminal it could look like something else.
local function shown_of(request)
  local about = request.code or request.package or request.path or request.host or request.env
    or request.name or ""
  return terminal.visible(type(about) == "table" and table.concat(about, ", ") or about)
end

local function question_of(self, request, label, because)
  return merged({ rule = label, because = because, shown = shown_of(request) },
    merged(self._subject, request))
end

local function ask(self, request, approve, label, because)
  local answer, detail = approve(question_of(self, request, label, because))
  answer = answer == true and "run" or answer or "reject"
  options.argument("approve", "answer", answer, "choice", ANSWERS, 1)
  if answer == "reject" then
    local reason = type(detail) == "string" and detail ~= "" and detail or nil
    tell(self, request, "deny", label, answer, reason)
    return denied(request, reason and "rejected by the user: " .. reason
      or "rejected by the user, without a reason", reason, label)
  elseif answer == "edit" then
    if not request.code then
      error(("approve: %s has no code that could be edited; answer run or reject"):format(
        request.what or request.verb), 0)
    end
    options.argument("approve", "code", detail, "data", nil, 1)
    local changed = merged(request, { code = detail })
    tell(self, changed, "allow", label, answer)
    return changed
  elseif answer == "always" then
    remember(self, request)
  end
  tell(self, request, "allow", label, answer)
  return true
end

--- Let a request through, or not; who is to be asked is asked, and may take time.
---@param request codecell.PolicyRequest
---@param approve (fun(question: codecell.PolicyQuestion): any, string?)? default: that of the
---policy. Answers "run" (or true), "always" (what is like it is let through as well in this
---session), "edit" and the code that is to run instead, or "reject" (or false) and why
---@return true|codecell.PolicyRequest|nil permitted a changed request: its `code` is to run instead
---@return codecell.Error? err kind "denied_by_policy"; `err.reason` is for the model, `err.rule` is
---what made the decision
function Policy:permit(request, approve)
  options.argument("permit", "request", request, "table")
  options.argument("permit", "verb", request.verb, "choice", VERB)
  local effect, label, because, culprit = decide(self, request)
  if effect == "allow" then
    tell(self, request, "allow", label)
    return true
  elseif effect == "deny" then
    tell(self, request, "deny", label, nil, because)
    return denied(request, ("%s is denied by %s%s"):format(subject_of(culprit), label,
      because and ": " .. because or ""), because, label)
  elseif is_remembered(self, request) then
    tell(self, request, "allow", label, "always")
    return true
  end
  approve = approve or self._approve
  if approve then
    return ask(self, request, approve, label, because)
  end
  local hint = ("give the policy an `approve`, or a rule { \"allow\", verb = %q }"):format(
    request.verb)
  tell(self, request, "deny", label, nil, "there is nobody to ask")
  return denied(request, ("%s has to be asked for by %s, and there is nobody to ask; %s"):format(
    subject_of(culprit), label, hint), "it needs an approval, and there is nobody to give it",
    label, hint)
end

-- ---- for the guard ----

-- What is denied to this subject of one field, whatever else is asked for, each with its rule.
function Policy:_denied(verb, field)
  return rules.denied(self._rules, self._subject, verb, field)
end

function Policy:_refuse(request, label)
  tell(self, request, "deny", label)
  return denied(request, "denied by " .. label, nil, label)
end

return policy
