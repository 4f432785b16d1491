--- codecell.Pool: sandboxes that are ready before anybody asks for one.
---
--- They are made in the background, while the host steps the reactor. `create{warm = true}` gets
--- one that was made exactly as it asks; nothing of a user has ever run in it, and none comes back.
local context = require "codecell.context"
local core = require "codecell.core"
local create = require "codecell.create"
local demand = require "codecell.pool.demand"
local errors = require "codecell.errors"
local fit = require "codecell.pool.fit"
local languages = require "codecell.languages"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local rehearsal = require "codecell.context.rehearsal"
local room = require "codecell.pool.room"
local sandbox = require "codecell.sandbox"
local secrets = require "codecell.secrets"
local task = require "codecell.task"
local wait = require "codecell.wait"
local zygote = require "codecell.pool.zygote"

local LIFETIME = 86400 -- seconds that one may wait for its user
local AT_ONCE = 4 -- made at the same time, and no more than half of the processors
local REST = 0.005 -- seconds after one was taken: its user is answered before the next is made
local LOOKS = 4 -- at what has come; it ends in a channel's end, and that of a process
local DEFAULT_SIZE, IDLE = 2, 10 -- seconds that a demand counts for
local RETRY, RETRY_MOST = 0.25, 30 -- seconds after a failure, which double

---@class codecell.Pool
---@field package stock table[] ready ones, oldest first: `sandbox`, `kernels`, `watch`
---@field package making integer
local Pool = {}
Pool.__index = Pool

local pool = {}

local pools = {} -- that are open, oldest first

-- ---- making ----

local function count(self, what)
  self.counts[what] = self.counts[what] + 1
end

local function still_wanted(self, round)
  return not self.closed and self.round == round
end

-- A sandbox with kernels that have rehearsed.
local function make(self, stem)
  local given = {}
  for name, value in pairs(self.given) do
    given[name] = value
  end
  given.id, given.timeout = "i" .. core.random_id(20), LIFETIME
  local made, err = self.backend.create(given, stem)
  if not made then
    return nil, err
  end
  sandbox.equip(made, self.backend, given)
  self.fresh[made] = true
  local ok
  ok, err = rehearsal.run(made, self.languages, self.imports)
  local used
  if ok then
    used, err = self.backend.ask(made, "pool", "metrics")
  end
  self.fresh[made] = nil
  if not used then
    made:close()
    return nil, err
  end
  made._metrics = { cpu_seconds = used.cpu_seconds }
  return made
end

local fill

-- In so many seconds, unless it is about to be filled anyway.
local function fill_later(self, seconds)
  local filler = self.filler
  if not filler then
    filler = { serial = 0, is_background = true }
    function filler.resume()
      filler.serial = filler.serial + 1
      fill(self)
    end
    self.filler = filler
  end
  if not filler.is_parked and not filler.is_ready then
    reactor.park(filler, nil, reactor.now() + seconds)
  end
end

local function is_later(self)
  return self.filler ~= nil and self.filler.is_parked
end

local function remove(self, member)
  for i = #self.stock, 1, -1 do
    if self.stock[i] == member then
      table.remove(self.stock, i)
    end
  end
end

-- Have the reactor tell when one ends that nobody has taken yet.
local function watch(self, member)
  local watcher = { serial = 0, is_background = true }
  function watcher.resume()
    watcher.serial = watcher.serial + 1
    if member.sandbox:_state() == "running" then
      reactor.park(watcher, member.sandbox:_token())
      return
    end
    remove(self, member)
    member.sandbox:close()
    count(self, "died")
    fill(self)
  end
  member.watch = watcher
  reactor.park(watcher, member.sandbox:_token())
end

local function kernels_of(self, made)
  local kernels = {}
  for i, name in ipairs(self.languages) do
    kernels[i] = context.kernel(made, "pool", context.default(made, name))
  end
  return kernels
end

local function put(self, made, generation)
  local member = { sandbox = made, generation = generation, kernels = kernels_of(self, made) }
  self.stock[#self.stock + 1] = member
  watch(self, member)
end

-- Later each time.
local function fail(self, err)
  self.failure = err
  self.retry = math.min((self.retry or RETRY / 2) * 2, RETRY_MOST)
  count(self, "failed")
  fill_later(self, self.retry)
  reactor.wake(self)
end

local function refill(self)
  local round = self.round
  local generation, began = languages.generation(), reactor.now()
  local stem = self.zygote and self.zygote:wait(self.loop)
  local made, err = make(self, stem)
  if not made and stem and still_wanted(self, round) and self.zygote:ready() ~= stem then
    made, err = make(self, self.zygote:wait(self.loop)) -- it has ended meanwhile
  end
  if not still_wanted(self, round) then
    if made then
      made:close()
    end
    return
  end
  self.making = self.making - 1
  if made then
    self.failure, self.retry = nil, nil
    self.seconds = reactor.now() - began
    count(self, "made")
    put(self, made, generation)
    fill(self)
    reactor.wake(self)
  else
    fail(self, err)
  end
end

local function drop_done(tasks)
  for i = #tasks, 1, -1 do
    if tasks[i].done then
      table.remove(tasks, i)
    end
  end
  return tasks
end

-- As many as are missing, a few at a time; after a failure one, and later. One that cannot even
-- begin has failed when this looks again.
function fill(self)
  drop_done(self.tasks)
  local at_once = self.retry and 1 or self.at_once
  while not self.closed and not is_later(self) and self.making < at_once
    and #self.stock + self.making < self.demand:wanted() do
    local refusal = room.refusal()
    if refusal then
      return fail(self, refusal)
    end
    self.making = self.making + 1
    local started = task.background(refill, self)
    if not started then -- no reactor can be had
      self.making = self.making - 1
      return
    end
    self.tasks[#self.tasks + 1] = started
  end
end

local function discard(member)
  reactor.unpark(member.watch)
  member.sandbox:close()
end

-- Fewer are asked for than before: the oldest that are too many go.
local function shrink(self)
  while not self.closed and #self.stock > self.demand:wanted() do
    discard(table.remove(self.stock, 1))
  end
end

-- What the limit of sandboxes has to know of it.
local function stock_of(self)
  return {
    count = function()
      return #self.stock + self.making
    end,
    give_way = function()
      local member = table.remove(self.stock, 1)
      local begun = not member and table.remove(drop_done(self.tasks))
      if member then
        discard(member)
        fill_later(self, RETRY)
      elseif begun then
        begun:cancel() -- it fails, and is tried again later
      end
      return member ~= nil or begun ~= nil
    end,
  }
end

-- In a forked copy of the host everything belongs to the original: begin anew.
local function renew(self)
  local loop, err = reactor.get()
  if not loop or loop == self.loop then
    return loop, err
  end
  local old = self.stock
  self.loop, self.stock, self.making, self.round = loop, {}, 0, self.round + 1
  self.tasks, self.fresh, self.filler = {}, {}, nil
  self.demand:forget()
  if self.zygote then
    self.zygote:forget()
  end
  for _, member in ipairs(old) do
    member.sandbox:close()
  end
  local ok
  ok, err = loop:hold(true)
  if not ok then
    return nil, err
  end
  fill(self)
  return loop
end

-- ---- taking ----

local function is_fit(member)
  if member.sandbox:_state() ~= "running" or member.generation ~= languages.generation() then
    return false
  end
  for _, kernel in ipairs(member.kernels) do
    if not kernel:is_alive() then
      return false
    end
  end
  return true
end

-- The oldest that lives, with so many seconds to go on.
local function take(self, timeout)
  if not renew(self) then
    return nil
  end
  local looks = LOOKS -- one may have ended while nobody stepped
  repeat
    looks = looks - 1
  until (self.loop:try_step(0) or 0) == 0 or looks == 0
  while self.stock[1] do
    local member = table.remove(self.stock, 1)
    reactor.unpark(member.watch)
    if is_fit(member) and self.backend.set_timeout(member.sandbox, timeout) then
      count(self, "taken")
      return member
    end
    member.sandbox:close()
    count(self, "died")
  end
end

-- Make a sandbox of the stock that of its user.
local function hand_over(taken, kernels, given)
  given.id = taken.id
  if next(given.envs or {}) ~= nil then
    taken._environment:add(given.envs)
  end
  local processes = {}
  for _, kernel in ipairs(kernels) do
    processes[#processes + 1] = kernel.process
  end
  if not secrets.give(taken, given.secrets, processes) then
    taken:close()
    return nil
  end
  taken._metrics.at = reactor.now()
  return sandbox.enlist(taken, given)
end

--- One that was made as `given` says, for `create{warm = true}`.
---@param given table complete options of create
---@return codecell.Sandbox? sandbox nil: no pool has one
---@return userdata? stem with a zygote for it: the next best
function pool.take(given)
  local stem
  for _, self in ipairs(pools) do
    if fit.fits(self.given, given) then
      local taken = take(self, given.timeout)
      if not taken then
        count(self, "missed")
      end
      self.demand:note()
      fill_later(self, REST)
      if taken then
        return hand_over(taken.sandbox, taken.kernels, given)
      end
      stem = stem or self.zygote and self.zygote:ready()
    end
  end
  return nil, stem
end

-- ---- the object ----

local RULES = {
  imports = { type = "modules" },
  languages = { type = "strings" },
  idle = { type = "number", above = 0, most = 86400 },
  most = { type = "integer", least = 1, most = 1000 },
  size = { type = "integer", least = 1, most = 1000 },
}
for _, name in ipairs({ "backend", "cwd", "envs", "limits", "mounts", "network", "packages",
  "read_only", "root_view", "template", "user" }) do
  RULES[name] = create.options[name]
end

local function check_languages(names, root)
  for _, name in ipairs(names) do
    local way, err = languages.way(name, nil, root)
    if not way then
      return nil, err
    end
  end
  return true
end

--- Keep sandboxes ready for `create{warm = true}`. They are made, and made again, while the reactor
--- is stepped; none of a pool keeps the program or its loop alive.
---@param given table? `size` (2), `most` (size): as many as were asked for within `idle` seconds
---(10), at least `size` and at most these; `languages` ({"python"}: their kernels are started and
---have rehearsed), `imports` (Python modules that are imported, and used once where they are
---known), and of create: `backend cwd envs limits mounts network packages read_only root_view
---template user`; create is given a ready sandbox when it has the same ones
---@return codecell.Pool? pool
---@return codecell.Error? err kinds "unsupported" (a language or an option that is not here),
---"invalid_argument", "system"
function pool.pool(given)
  given = options.check("pool", given, RULES)
  local complete, backend = create.complete({
    backend = given.backend, cwd = given.cwd, envs = given.envs, limits = given.limits,
    mounts = given.mounts, network = given.network, packages = given.packages,
    read_only = given.read_only, root_view = given.root_view, template = given.template,
    user = given.user,
  })
  if not complete then
    return nil, backend
  end
  local names = given.languages or { "python" }
  local ok, err = check_languages(names, complete.root)
  if not ok then
    return nil, err
  end
  complete.envs = complete.envs or {}
  local self = setmetatable({
    size = given.size or DEFAULT_SIZE, languages = names, given = complete, backend = backend,
    imports = given.imports or complete.template_imports or {},
    stock = {}, making = 0, round = 0,
    at_once = math.max(1, math.min(AT_ONCE, math.floor(core.cpu_count() / 2))),
    counts = { made = 0, taken = 0, missed = 0, died = 0, failed = 0 },
  }, Pool)
  self.zygote = zygote.new(complete, names, self.imports)
  self.demand = demand.new(self.size, math.max(self.size, given.most or 0), given.idle or IDLE,
    function()
      shrink(self)
    end)
  self.counted = stock_of(self)
  room.join(self.counted)
  ok, err = renew(self)
  if not ok then
    room.leave(self.counted)
    return nil, err
  end
  pools[#pools + 1] = self
  return self
end

--- Wait until as many are ready as the pool keeps.
---@param timeout number? seconds; default: as long as it takes
---@return true? ready
---@return codecell.Error? err kinds "timeout" and "cancelled" (it was closed), and why none can be
---made
function Pool:wait(timeout)
  options.timeout("wait", timeout, 3)
  local deadline = wait.deadline(timeout)
  if not self.closed then
    local loop, err = renew(self)
    if not loop then
      return nil, err
    end
  end
  while #self.stock < self.demand:wanted() do
    if self.closed then
      return nil, errors.new("cancelled", "wait: the pool was closed")
    elseif self.failure then
      return nil, self.failure
    elseif not wait.key(self, deadline) then
      return nil, wait.failure("wait", timeout)
    end
  end
  return true
end

--- What it has done.
---@return table stats `size`, `wanted` (by how many are asked for), `ready`, `making`, `made`,
---`taken`, `missed` (creates that it fitted and had none for), `died` (before anybody took them),
---`failed`, `error` (why the last could not be made; nil once one could), `seconds` (that the last
---took); with `imports`, `zygote` ("starting", "ready", "failed": each kernel starts by itself) and
---`zygote_error` (why)
function Pool:stats()
  local stats = { size = self.size, wanted = self.demand:wanted(), ready = #self.stock,
    making = self.making, seconds = self.seconds, error = self.failure }
  for name, number in pairs(self.counts) do
    stats[name] = number
  end
  if self.zygote then
    self.zygote:tell(stats)
  end
  return stats
end

--- End all that nobody has taken, and make no more; what has only begun ends with the next step
--- of the reactor. Idempotent.
function Pool:close()
  if self.closed then
    return
  end
  self.closed = true
  for i = #pools, 1, -1 do
    if pools[i] == self then
      table.remove(pools, i)
    end
  end
  for _, member in ipairs(self.stock) do
    discard(member)
  end
  room.leave(self.counted)
  self.demand:forget()
  for made in pairs(self.fresh) do
    made:close()
  end
  if self.zygote then
    self.zygote:close()
  end
  for _, making in ipairs(self.tasks) do
    making:cancel()
  end
  self.stock = {}
  if #pools == 0 and self.loop:_owned() then
    self.loop:hold(false)
  end
  reactor.wake(self)
end

return pool
