--- `codecell errors`: what each err.kind means and what to do about it.
local command = require "codecell.command"
local json = require "codecell.json"
local nearest = require "codecell.nearest"

local errors = {
  summary = "explain the kinds of errors",
  usage = "codecell errors [KIND] [--json]",
  description = "What each err.kind means and what helps.\n",
  options = {
    { name = "json", help = "print them as JSON" },
  },
}

--- Every kind: its name, what happened, what helps.
errors.kinds = {
  { "invalid_argument", "what was asked for cannot be", "change the call as the message says" },
  { "not_found", "there is no such file, program or sandbox", "check the name" },
  { "already_exists", "something of that name is there", "remove it or take another name" },
  { "permission_denied", "the system refused it", "check owner and mode" },
  { "unauthenticated", "a key is missing or wrong", "set the key of the backend" },
  { "rate_limited", "too many requests", "wait err.retry_after seconds" },
  { "timeout", "it took longer than it was given", "give a longer timeout" },
  { "cancelled", "the object was closed meanwhile", "nothing: somebody wanted it" },
  { "unavailable", "a service or the machine is too busy", "try again later" },
  { "sandbox_gone", "the sandbox has ended; nobody knows how far the code came",
    "make a new sandbox" },
  { "out_of_memory", "the memory limit was reached", "raise limits.memory" },
  { "no_space", "the disk limit was reached", "remove files or raise limits.disk" },
  { "limit_exceeded", "a limit on number or size was reached", "raise the limit it names" },
  { "denied_by_policy", "a policy of the host forbids it", "change the policy" },
  { "unsupported", "this machine or backend cannot do it", "see err.hint and codecell doctor" },
  { "protocol", "the other side sent what it may not send", "report it" },
  { "system", "a system call failed", "see err.errno and err.stage" },
}

local function print_kind(kind)
  command.write(("%-18s %s: %s.\n"):format(kind[1], kind[2], kind[3]))
end

local function find(name)
  local names = {}
  for i, kind in ipairs(errors.kinds) do
    names[i] = kind[1]
    if kind[1] == name then
      return kind
    end
  end
  local near = nearest(name, names)
  return nil, ("no kind %q%s"):format(name, near and "; did you mean " .. near .. "?" or "")
end

function errors.run(options, arguments)
  if arguments[2] then
    return nil, "give one kind"
  end
  local shown = errors.kinds
  if arguments[1] then
    local kind, message = find(arguments[1])
    if not kind then
      return nil, message
    end
    shown = { kind }
  end
  if options.json then
    local list = {}
    for i, kind in ipairs(shown) do
      list[i] = { kind = kind[1], meaning = kind[2], remedy = kind[3] }
    end
    command.print_json(json.list(list))
    return command.status.success
  end
  for _, kind in ipairs(shown) do
    print_kind(kind)
  end
  return command.status.success
end

return errors
