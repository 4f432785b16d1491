--- The zygote of a pool: an interpreter that has imported what the pool wants, from which the first
--- kernel of each of its sandboxes is forked.
---
--- It belongs to a stem of its own, which makes the sandboxes too. No code of a user ever runs in
--- it; a session is forked into a sandbox before any code has run there. Where there is none,
--- kernels start by themselves, and take longer and more memory.
local core = require "codecell.core"
local environment = require "codecell.environment"
local languages = require "codecell.languages"
local rehearsal = require "codecell.context.rehearsal"
local wait = require "codecell.wait"

local LANGUAGE = "python"
local TIMEOUT = 120 -- seconds that its imports may take

---@class codecell.Zygote
---@field package stem userdata? of the present one
---@field package failure string? why there is none
---@field package generation integer of the languages that it was made with
local Zygote = {}
Zygote.__index = Zygote

local zygote = { language = LANGUAGE }

-- A zygote runs the programs and modules of this machine alone. What a template or packages bring
-- has come out of a sandbox or an image: it stays behind the walls of one.
local function is_wanted(given, names, imports)
  local brings = given.home or given.root or given.offer and given.offer.policy.given.install
  for _, name in ipairs(names) do
    if languages.find(name).name == LANGUAGE then
      return #imports > 0 and not brings
    end
  end
  return false
end

--- What makes the sandboxes of a pool; nothing is started yet.
---@param given table complete options of create
---@param names string[] languages
---@param imports string[] Python modules
---@return codecell.Zygote? zygote nil: kernels with nothing to import start as fast by themselves
function zygote.new(given, names, imports)
  if not is_wanted(given, names, imports) then
    return nil
  end
  return setmetatable({ given = given, imports = imports }, Zygote)
end

local function start(self, loop)
  local given = self.given
  self.generation, self.failure = languages.generation(), nil
  local way, err = languages.way(LANGUAGE, true)
  local stem
  if way then
    local cells = {}
    for _, code in ipairs(rehearsal.cells(LANGUAGE, self.imports)) do
      cells[#cells + 1] = "cell"
      cells[#cells + 1] = code
    end
    stem, err = core.stem(loop, {
      mounts = given.mounts ~= nil and next(given.mounts) ~= nil,
      binds = languages.prefixes(),
      argv = way.arguments(way.program),
      envs = environment.new(given.envs, given.policy ~= nil):list(),
      memory = given.limits.memory,
      language = way.parts,
      cells = cells,
    })
  end
  self.stem, self.failure = stem, err and err.message
end

local function drop(self)
  if self.stem then
    self.stem:close()
  end
  self.stem, self.was_ready = nil, nil
end

-- Another one takes its place when the programs that it is made of were replaced, or when it has
-- worked and is gone.
local function is_stale(self)
  return self.generation ~= languages.generation()
    or self.was_ready and self.stem and self.stem:_zygote() == "failed"
end

--- The stem with a zygote that is ready; without waiting.
---@return userdata? stem
function Zygote:ready()
  if self.stem and not is_stale(self) and self.stem:_zygote() == "ready" then
    return self.stem
  end
end

--- The stem with the zygote, which is started if there is none yet, and waited for.
---@param loop codecell.Reactor
---@return userdata? stem nil: it cannot be had
function Zygote:wait(loop)
  if self.generation and is_stale(self) then
    drop(self)
    self.generation = nil
  end
  if not self.generation then
    start(self, loop)
  end
  local stem, deadline = self.stem, wait.deadline(TIMEOUT)
  local state, why = "failed", nil
  while stem and stem == self.stem do
    state, why = stem:_zygote()
    if state ~= "starting" then
      break
    elseif not wait.key(stem:_token(), deadline) then
      state, why = "failed", wait.failure("zygote", TIMEOUT, "its imports take too long").message
      break
    end
  end
  if stem ~= self.stem or not stem then -- closed meanwhile, or it could not even begin
    return nil
  elseif state == "ready" then
    self.was_ready = true
    return stem
  end
  drop(self)
  self.failure = why
end

--- Add what is known of it to the numbers of a pool.
---@param stats table gets `zygote` and `zygote_error`
function Zygote:tell(stats)
  stats.zygote = self.failure and "failed" or self.stem and self.stem:_zygote() or "starting"
  stats.zygote_error = self.failure
end

--- Forget it: in a forked copy of the host it is the original's.
function Zygote:forget()
  self.stem, self.generation, self.failure, self.was_ready = nil, nil, nil, nil
end

--- End it. Sandboxes that it made live on.
function Zygote:close()
  drop(self)
end

return zygote
