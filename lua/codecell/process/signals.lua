--- Signals by name and by number, as Linux has them.
local one_line = require "codecell.one_line"

local signals = {}

local numbers = {
  SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7,
  SIGFPE = 8, SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGUSR2 = 12, SIGPIPE = 13, SIGALRM = 14,
  SIGTERM = 15, SIGSTKFLT = 16, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20,
  SIGTTIN = 21, SIGTTOU = 22, SIGURG = 23, SIGXCPU = 24, SIGXFSZ = 25, SIGVTALRM = 26,
  SIGPROF = 27, SIGWINCH = 28, SIGIO = 29, SIGPWR = 30, SIGSYS = 31,
}

local names = {}
for name, number in pairs(numbers) do
  names[number] = name
end

--- The name of a signal.
---@param number integer
---@return string
function signals.name(number)
  return names[number] or ("SIG%d"):format(number)
end

--- The number of a signal; a name or number that there is not raises.
---@param verb string for the message
---@param signal string|integer|nil "sigterm", "SIGTERM", "TERM", 15; nil: SIGKILL
---@param level integer? stack level to blame
---@return integer
function signals.number(verb, signal, level)
  local number = numbers.SIGKILL
  if type(signal) == "string" then
    local name = signal:upper()
    number = numbers[name] or numbers["SIG" .. name]
  elseif signal ~= nil then
    local whole = type(signal) == "number" and signal % 1 == 0
    number = whole and signal >= 1 and signal <= 64 and signal
  end
  if not number then
    error(one_line(("%s: signal %s expected, got %s"):format(verb, '"SIGTERM" or 15',
      type(signal) == "string" and ("%q"):format(signal) or tostring(signal))), (level or 2) + 1)
  end
  return number
end

return signals
