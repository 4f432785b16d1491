--- What each kind of error means, who can mend it, and whether trying again can help.
local words = require "codecell.agent.words"

local kinds = {}

---@class codecell.KindOfError
---@field kind codecell.ErrorKind
---@field meaning string
---@field remedy string
---@field retryable boolean the same call may succeed later
---@field user_fault boolean whoever called can mend it; else whoever runs the program or service

---@type codecell.KindOfError[]
kinds.list = {
  { kind = "invalid_argument", meaning = "what was asked for cannot be",
    remedy = "change the call as the message says", retryable = false, user_fault = true },
  { kind = "not_found", meaning = "there is no such file, program or sandbox",
    remedy = "check the name", retryable = false, user_fault = true },
  { kind = "already_exists", meaning = "something of that name is there",
    remedy = "remove it or take another name", retryable = false, user_fault = true },
  { kind = "permission_denied", meaning = "the system refused it",
    remedy = "check owner and mode", retryable = false, user_fault = false },
  { kind = "unauthenticated", meaning = "a key is missing or wrong",
    remedy = "set the key of the backend", retryable = false, user_fault = false },
  { kind = "rate_limited", meaning = "too many requests",
    remedy = "wait err.retry_after seconds", retryable = true, user_fault = false },
  { kind = "timeout", meaning = "it took longer than it was given",
    remedy = "give a longer timeout", retryable = false, user_fault = true },
  { kind = "cancelled", meaning = "the object was closed meanwhile",
    remedy = "nothing: somebody wanted it", retryable = false, user_fault = true },
  { kind = "unavailable", meaning = "a service or the machine is too busy",
    remedy = "try again later", retryable = true, user_fault = false },
  { kind = "sandbox_gone", meaning = "the sandbox has ended; nobody knows how far the code came",
    remedy = "make a new sandbox", retryable = false, user_fault = true },
  { kind = "out_of_memory", meaning = "the memory limit was reached",
    remedy = "raise limits.memory", retryable = false, user_fault = true },
  { kind = "no_space", meaning = "the disk limit was reached",
    remedy = "remove files or raise limits.disk", retryable = false, user_fault = true },
  { kind = "limit_exceeded", meaning = "a limit on number or size was reached",
    remedy = "raise the limit it names", retryable = false, user_fault = true },
  { kind = "denied_by_policy", meaning = "a policy of the host forbids it",
    remedy = "change the policy", retryable = false, user_fault = false },
  { kind = "unsupported", meaning = "this machine or backend cannot do it",
    remedy = "see err.hint and codecell doctor", retryable = false, user_fault = false },
  { kind = "protocol", meaning = "the other side sent what it may not send",
    remedy = "report it", retryable = false, user_fault = false },
  { kind = "system", meaning = "a system call failed",
    remedy = "see err.errno and err.stage", retryable = false, user_fault = false },
}

--- The words that models are told, which are finer than kinds.
kinds.words = words.list

return kinds
