--- Calls whose code may fall silent: somebody is told, and may have it stopped.
local reactor = require "codecell.reactor"
local task = require "codecell.task"

local watch = {}

local LEAST = 0.01 -- seconds

-- The function that is called, in a task of its own, so that others can be called meanwhile.
local function start(self, called, about)
  self.heard = reactor.now()
  local function hear()
    self.heard = reactor.now()
  end
  about.on_stdout, about.on_stderr = hear, hear
  return task.async(called, about)
end

--- Call something that runs code.
---@param self codecell.Loop
---@param called fun(about: table): ...
---@param about table options of `Kit:call`
---@return any ... what it returned; nothing where the loop itself was cancelled meanwhile: it can
---wait no more, and what was called ends by itself
function watch.call(self, called, about)
  self.is_idle = false
  if not self.given.on_idle then
    return called(about)
  end
  local running, err = start(self, called, about)
  if not running then
    error(tostring(err), 0) -- there is no reactor: nothing can be run
  end
  while not running.done do
    local _, problem = running:wait(math.max(self.heard + self.idle - reactor.now(), LEAST))
    local silent = reactor.now() - self.heard
    if not running.done and problem and problem.kind == "cancelled" then
      running:cancel()
      return
    elseif not running.done and silent >= self.idle then
      self:tell({ type = "idle", seconds = silent })
      self.heard = reactor.now()
      if self.given.on_idle(silent) == false then
        self.is_idle = true
        running:cancel()
      end
    end
  end
  return running:poll()
end

return watch
