--- What went wrong, in the words that a model is told: finer than `err.kind`, since a model must
--- know whether to mend its code, to wait, to ask, or to give up.
local words = {}

---@class codecell.Word
---@field word string
---@field retryable boolean whether the same call may succeed later
---@field fault "code"|"caller"|"operator"|"service" who can mend it
---@field phase string when it happens: "request", "create", "queue", "install", "run", "files"
---@field model string what a model is told to do
---@field developer string what whoever runs the program is told to do
---@field page string? the heading of docs/troubleshooting.md that has more

---@type codecell.Word[]
words.list = {
  { word = "syntax", retryable = false, fault = "code", phase = "run",
    model = "mend the line that the error names; nothing was run",
    developer = "the code does not parse" },
  { word = "runtime", retryable = false, fault = "code", phase = "run",
    model = "read the last line of the traceback and mend the code; what ran before it has run",
    developer = "the code raised an exception" },
  { word = "exit", retryable = false, fault = "code", phase = "run",
    model = "the program ended with a status that is not 0; its output says why",
    developer = "see the output of the program" },
  { word = "install", retryable = false, fault = "code", phase = "install",
    model = "check the names of the packages; the code was not run",
    developer = "see the log of the installer, and the allowed packages" },
  { word = "timeout", retryable = false, fault = "code", phase = "run",
    model = "do less in one step, or ask for a longer timeout; the output so far is kept",
    developer = "raise execution_timeout, make the code faster, or split the work" },
  { word = "oom", retryable = false, fault = "code", phase = "run",
    model = "use less memory: read in pieces, delete what is not needed",
    developer = "raise limits.memory" },
  { word = "disk_full", retryable = false, fault = "code", phase = "files",
    model = "remove files that are not needed", developer = "raise limits.disk" },
  { word = "invalid", retryable = false, fault = "caller", phase = "request",
    model = "change the arguments as the message says; the code was not run",
    developer = "change the call as the message says" },
  { word = "config", retryable = false, fault = "operator", phase = "request",
    model = "tell the user that the service is not set up",
    developer = "'codecell config' shows what is wrong" },
  { word = "auth", retryable = false, fault = "operator", phase = "request",
    model = "tell the user that the key is missing or wrong",
    developer = "set E2B_API_KEY to a key that counts" },
  { word = "denied", retryable = false, fault = "operator", phase = "request",
    model = "do it without what was denied; asking again does not help",
    developer = "change the policy if it should be allowed" },
  { word = "rate_limited", retryable = true, fault = "caller", phase = "queue",
    model = "wait as long as retry_after says, then repeat the call",
    developer = "raise rate_limit_per_min" },
  { word = "overloaded", retryable = true, fault = "service", phase = "queue",
    model = "wait a moment, then repeat the call; the code was not run",
    developer = "raise max_concurrent_executions or max_active_sandboxes" },
  { word = "network", retryable = true, fault = "service", phase = "create",
    model = "repeat the call later; the service could not be reached",
    developer = "check the network, the proxy and E2B_API_URL" },
  { word = "resources", retryable = true, fault = "operator", phase = "create",
    model = "repeat the call later; the machine lacks something",
    developer = "'codecell doctor' says what is missing" },
  { word = "template", retryable = false, fault = "operator", phase = "create",
    model = "use another template", developer = "'codecell template ls' lists those there are" },
  { word = "not_found", retryable = false, fault = "caller", phase = "request",
    model = "check the name, or list what there is",
    developer = "check the name, or list what there is" },
  { word = "exists", retryable = false, fault = "caller", phase = "request",
    model = "take another name, or use what is there",
    developer = "take another name, or use what is there" },
  { word = "expired", retryable = false, fault = "caller", phase = "request",
    model = "create a new sandbox; the variables and files of the old one are gone",
    developer = "call set_timeout before the time is over, or raise sandbox_timeout" },
  { word = "killed", retryable = false, fault = "caller", phase = "request",
    model = "create a new sandbox; the variables and files of the old one are gone",
    developer = "somebody has killed it" },
  { word = "budget", retryable = false, fault = "operator", phase = "request",
    model = "tell the user that the budget is used up", developer = "raise the budget" },
  { word = "limit", retryable = false, fault = "caller", phase = "request",
    model = "ask for less at once", developer = "raise the limit that the message names" },
  { word = "cancelled", retryable = false, fault = "caller", phase = "run",
    model = "nothing: somebody has stopped it", developer = "nothing: somebody has stopped it" },
  { word = "unsupported", retryable = false, fault = "operator", phase = "request",
    model = "do it in another way; this is not there",
    developer = "'codecell doctor' says what this machine can do" },
  { word = "protocol", retryable = false, fault = "service", phase = "run",
    model = "create a new sandbox and try once more", developer = "report it" },
  { word = "internal", retryable = false, fault = "service", phase = "run",
    model = "try once more, then tell the user", developer = "see err.errno and err.stage" },
}

-- Where docs/troubleshooting.md has more.
local PAGES = { auth = "Sandbox creation failed", denied = "Permissions",
  expired = "Sandbox not found", install = "Packages", killed = "Sandbox not found",
  network = "Sandbox creation failed", not_found = "Sandbox not found",
  resources = "Sandbox creation failed", template = "Sandbox creation failed",
  timeout = "Timeouts", unsupported = "Permissions" }

--- The rows by their words.
---@type table<string, codecell.Word>
words.by_word = {}

for _, row in ipairs(words.list) do
  row.page = PAGES[row.word]
  words.by_word[row.word] = row
end

local OF_KIND = {
  already_exists = "exists", cancelled = "cancelled", denied_by_policy = "denied",
  invalid_argument = "invalid", limit_exceeded = "limit", no_space = "disk_full",
  not_found = "not_found", out_of_memory = "oom", permission_denied = "denied",
  protocol = "protocol", rate_limited = "rate_limited", sandbox_gone = "killed",
  system = "internal", timeout = "timeout", unauthenticated = "auth",
  unavailable = "resources", unsupported = "unsupported",
}

-- An id is random, and may hold the word.
local function speaks_of_time(message)
  return message:find("%f[%w]time%f[%W]") ~= nil or message:find("%f[%w]timeout%f[%W]") ~= nil
end

--- The word of an error object.
---@param err codecell.Error
---@return codecell.Word
function words.of_error(err)
  local word = err.word or err.packages and "install" or OF_KIND[err.kind] or "internal"
  if err.kind == "unavailable" and not err.word and (err.stage == "connect" or err.status) then
    word = "network"
  elseif err.kind == "sandbox_gone" and not err.word and speaks_of_time(err.message) then
    word = "expired"
  end
  return words.by_word[word]
end

local SYNTAX = { SyntaxError = true, IndentationError = true, TabError = true,
  TransformError = true }

-- Code that does not parse has run no line; one that evaluates, or raises, such an error has.
local function has_frames(traceback)
  return traceback:find('\n%s*File "[^"\n]*", line %d+, in [^\n]') ~= nil
    or traceback:find("\n    at [^\n]") ~= nil
end

--- What is the matter with code that was run.
---@param execution codecell.Execution
---@return codecell.Word? nil: nothing
function words.of_execution(execution)
  local failed = execution.error
  if not failed then
    return nil
  elseif execution.timed_out then
    return words.by_word.timeout
  elseif execution.out_of_memory then
    return words.by_word.oom
  elseif SYNTAX[failed.name] and not has_frames(failed.traceback or "") then
    return words.by_word.syntax
  end
  return words.by_word.runtime
end

return words
