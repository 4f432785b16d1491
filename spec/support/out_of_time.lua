-- out_of_time.lua -- code that runs out of time, and by then has begun to print, on any machine.

local LONG = 60 -- seconds in which any code has begun

--- Run it with that time, and with more if nothing of it was printed.
---@param run fun(timeout: number): table an execution of code, or the result of a command
---@return table ended what `run` answered last
return function(timeout, run)
  local ended = run(timeout)
  while (ended.stdout or table.concat(ended.logs.stdout)) == "" and timeout < LONG do
    timeout = timeout * 4
    ended = run(timeout)
  end
  return ended
end
