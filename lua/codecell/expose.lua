--- sandbox:expose: functions of the host that the code of a sandbox may call.
---
---     sandbox:expose("tools", { search = function(text) return { "a", "b" } end })
---     sandbox:run_code("from host import tools; print(tools.search('x'))")
---
--- Code asks by HTTP, at a port of its own loopback that only leads here: the warden listens and
--- passes the socket out, so that it needs no network. Each call is answered in a task of its own
--- while the reactor is stepped; nothing of it runs by itself.
local answer = require "codecell.expose.answer"
local errors = require "codecell.errors"
local inside = require "codecell.expose.inside"
local one_line = require "codecell.one_line"
local options = require "codecell.options"
local policy = require "codecell.policy"
local reactor = require "codecell.reactor"
local seen = require "codecell.sandbox.seen"
local server = require "codecell.server"
local sorted = require "codecell.sorted"

local expose = {}

local NAME_MOST = 64
local FUNCTIONS_MOST = 256 -- of one name
local NAMES_MOST = 64      -- of one sandbox
local CONNECTIONS = 64     -- calls at a time; the others wait
local IDLE, FIRST = 300, 30
local HEAD = 8192
local TIMEOUT = 30
local ARGUMENTS, RESULT = 2 ^ 20, 8 * 2 ^ 20

local function words(text)
  local set = {}
  for word in text:gmatch("%a+") do
    set[word] = true
  end
  return set
end

-- Words of Python and Lua cannot stand behind a dot there; those of JavaScript cannot be imported.
local WORDS = words([[and as assert async await break class continue def del do elif else elseif end
  except False finally for from function global goto if import in is lambda local nil None nonlocal
  not or pass raise repeat return then True try until while with yield true false]])
local TO_IMPORT = words([[case catch const debugger default delete enum export extends implements
  instanceof interface let new null package private protected public static super switch this throw
  typeof var void HostError]])

local LIMITS = { arguments = { type = "integer", least = 2, most = 64 * 2 ^ 20 },
  result = { type = "integer", least = 4, most = 64 * 2 ^ 20 } }
local RATE = { calls = { type = "integer", least = 1 }, per = { type = "number", above = 0 } }
local OPTIONS = {
  limits = { type = "table" }, policy = { type = "table" }, rate = { type = "table" },
  timeout = { type = "number", above = 0, most = 3600 },
}

-- level: 1 is this function.
local function check_name(what, name, level, forbidden)
  options.argument("expose", what, name, "name", nil, level + 1)
  local why = not name:find("^%a[%w_]*$") and "begins with a letter and goes on with letters, "
    .. "digits and _" or #name > NAME_MOST and ("has at most %d bytes"):format(NAME_MOST)
    or (WORDS[name] or forbidden and forbidden[name]) and "is no word of the languages"
  if why then
    error(one_line(("expose: %s: a name %s, got %q"):format(what, why, name)), level + 1)
  end
end

local function check_functions(functions, level)
  options.argument("expose", "functions", functions, "table", nil, level + 1)
  local copy, count = {}, 0
  for name, called in pairs(functions) do
    check_name("functions", name, level + 1)
    options.argument("expose", "functions." .. name, called, "function", nil, level + 1)
    copy[name], count = called, count + 1
  end
  if count == 0 or count > FUNCTIONS_MOST then
    error(("expose: functions: 1 to %d expected, got %d"):format(FUNCTIONS_MOST, count), level + 1)
  end
  return copy
end

local function check(functions, given, level)
  given = options.check("expose", given, OPTIONS, level + 1)
  local limits = options.check("expose", given.limits, LIMITS, level + 1)
  local rate = given.rate and options.check("expose", given.rate, RATE, level + 1)
  if rate and not rate.calls then
    error("expose: rate.calls: number expected, got nil", level + 1)
  end
  if given.policy and not policy.is(given.policy) then
    error("expose: policy: a policy of codecell.policy.new expected", level + 1)
  end
  return {
    functions = check_functions(functions, level + 1), timeout = given.timeout or TIMEOUT,
    rate = rate and { calls = rate.calls, per = rate.per or 1 }, policy = given.policy,
    arguments = limits.arguments or ARGUMENTS, result = limits.result or RESULT,
  }
end

-- What the policy of the sandbox says of each function: that `expose` was let through lets each be
-- called which no other rule names.
local function put_under(own, name, entry)
  entry.denied, entry.asked = {}, {}
  if not own then
    return
  end
  local _, whole = own:decide({ verb = "expose", name = name })
  for called in pairs(entry.functions) do
    local effect, reason = own:decide({ verb = "expose", name = name .. "." .. called })
    entry.denied[called] = effect == "deny" and reason or nil
    entry.asked[called] = effect == "ask" and reason ~= whole and own or nil
  end
end

-- ---- of one sandbox ----

-- End with the sandbox, whatever ends it: the socket would keep its network alive.
local function end_with(sandbox, served)
  local weak = setmetatable({ sandbox, served }, { __mode = "v" })
  reactor.listen(sandbox:_token(), function()
    local living, running = weak[1], weak[2]
    local state = living and living._backend.state(living)
    if running and (not living or state == "ending" or state == "gone") then
      running:close()
    end
    return running ~= nil and not running:is_closed()
  end)
end

local function begin(sandbox)
  local ok, err = server.prepare()
  if not ok then
    return nil, err
  end
  local exposed = { names = {}, count = 0, held = 0, running = 0,
    about = setmetatable({ sandbox = sandbox }, { __mode = "v" }) }
  exposed.server, err = server.new(function(request)
    return answer.answer(exposed, request)
  end, { connections = CONNECTIONS, idle = IDLE, first = FIRST, head = HEAD })
  if not exposed.server then
    return nil, err
  end
  local descriptor
  descriptor, err = sandbox._backend.ask(sandbox, "expose", "listen")
  if descriptor then
    exposed.port, err = exposed.server:listen_with(descriptor)
  end
  if not exposed.port or sandbox._exposed then -- another coroutine has made one meanwhile
    exposed.server:close()
    return sandbox._exposed, err
  end
  sandbox._exposed = exposed
  end_with(sandbox, exposed.server)
  return exposed
end

-- Nothing leads to it from now on; what is being called goes on to its end.
local function take_back(sandbox, exposed, name)
  exposed.names[name], exposed.count = nil, exposed.count - 1
  if exposed.count == 0 then
    exposed.server:close()
    sandbox._exposed = nil
  end
end

local function put(sandbox, name, entry)
  put_under(sandbox._policed_by, name, entry)
  local exposed = sandbox._exposed
  local ok, err
  if not exposed then
    exposed, err = begin(sandbox)
    if not exposed then
      return nil, err
    end
  end
  if not exposed.names[name] then
    if exposed.count == NAMES_MOST then
      return nil, errors.new("limit_exceeded",
        ("expose: a sandbox has at most %d names"):format(NAMES_MOST))
    end
    exposed.count = exposed.count + 1
  end
  exposed.names[name] = entry
  ok, err = inside.tell(sandbox, exposed)
  if not ok and exposed.names[name] == entry then
    take_back(sandbox, exposed, name)
  end
  return ok, err
end

local function change(sandbox, name, entry)
  local exposed = sandbox._exposed
  if entry then
    return put(sandbox, name, entry)
  elseif exposed and exposed.names[name] then
    take_back(sandbox, exposed, name)
    return inside.tell(sandbox, exposed)
  end
  return true
end

--- What a sandbox exposes.
---@param sandbox codecell.Sandbox
---@return table<string, string[]> names of functions by theirs
function expose.list(sandbox)
  local all = {}
  for name, entry in pairs(sandbox._exposed.names) do
    all[name] = sorted(entry.functions)
  end
  return all
end

--- The verb.
---@param sandbox codecell.Sandbox open
---@param name string
---@param functions table<string, function>?
---@param given codecell.ExposeOptions?
---@param level integer of the caller, for messages: 1 is the caller of this
---@return true? done
---@return codecell.Error? err
function expose.expose(sandbox, name, functions, given, level)
  check_name("name", name, level + 1, TO_IMPORT)
  local entry = functions ~= nil and check(functions, given, level + 1)
  if not sandbox._backend.features.expose then
    return nil, errors.unsupported("expose", sandbox.backend,
      "pass data with stdin or files:write, or use backend = \"local\"")
  end
  return seen.verb(sandbox, "expose", function()
    return { name = name, functions = entry and sorted(entry.functions) or nil }
  end, change, sandbox, name, entry)
end

return expose
