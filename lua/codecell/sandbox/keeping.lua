--- The verbs of a sandbox that let it stand still, and that copy, keep and bring out what is in it.
local core = require "codecell.core"
local errors = require "codecell.errors"
local freezing = require "codecell.sandbox.freezing"
local mounts = require "codecell.project.mounts"
local pause = require "codecell.sandbox.pause"
local receiver = require "codecell.receiver"
local seen = require "codecell.sandbox.seen"

local Sandbox = core.Sandbox
local HOME = "/home/user"

local function nothing()
  return {}
end

local check_open = receiver.sandbox

--- Let all its code stand still, where it is, until `resume`. What a cell or a command may take
--- does not pass meanwhile; the sandbox itself ends at its time, which `set_timeout` puts off, or
--- has none any more with `on_timeout = "pause"`. Files can be read and written; nothing can be
--- started. Code that is interrupted or cancelled meanwhile is ended.
---@return true? paused
---@return codecell.Error? err kind "sandbox_gone"
function Sandbox:pause()
  check_open(self, "pause")
  return seen.verb(self, "pause", nothing, pause.pause, self)
end

--- Let its code go on. One that was paused at its deadline has as much time again as it was given
--- last, by create or by `set_timeout`.
---@return true? running
---@return codecell.Error? err kind "sandbox_gone": its time was up meanwhile
function Sandbox:resume()
  check_open(self, "resume")
  local refusal = freezing.refusal(self, "resume")
  if refusal then
    return nil, refusal
  end
  return seen.verb(self, "resume", nothing, pause.resume, self)
end

--- Keep it as it is, as evidence: its code stands still, its files can be read and not be changed,
--- and it does not end at its time but a day from now. `kill` and `close` end it all the same.
---@return true? frozen
---@return codecell.Error? err kinds "sandbox_gone", "unsupported" (not on this backend)
function Sandbox:freeze()
  check_open(self, "freeze")
  return seen.verb(self, "freeze", nothing, freezing.freeze, self)
end

--- Let one go on that was frozen.
---@return true? running
---@return codecell.Error? err kinds "invalid_argument" (it was not frozen), "sandbox_gone"
function Sandbox:unfreeze()
  check_open(self, "unfreeze")
  return seen.verb(self, "unfreeze", nothing, freezing.unfreeze, self)
end

--- Whether it is frozen.
---@return boolean
function Sandbox:is_frozen()
  return freezing.is_frozen(self)
end

--- Another sandbox like this one, with a copy of the files below /home/user and /tmp, and with
--- fresh kernels. Mounts are mounted again, with a copy of what was changed in those under an
--- overlay. The code of this one stands still meanwhile.
---@param given table? options of create that are to be different: `timeout name metadata envs warm
---languages limits`
---@return codecell.Sandbox? copy
---@return codecell.Error? err kinds of create, "no_space", "permission_denied" (what its code may
---not read itself), "sandbox_gone"
function Sandbox:fork(given)
  check_open(self, "fork")
  return seen.verb(self, "fork", nothing, require("codecell.sandbox.duplicate").fork, self, given)
end

--- Keep the files below /home/user, to begin other sandboxes with: `create{template = id}` has
--- them, and the programs, variables and cwd of this one's template. Variables of contexts, /tmp
--- and what create was given as `envs` are not kept. The code stands still meanwhile.
---@param given {name: string?}? name: for people
---@return codecell.Snapshot? snapshot `id` and what is known of it
---@return codecell.Error? err kinds "permission_denied" (what its code may not read, or the folder
---of templates), "no_space", "sandbox_gone", "unsupported" (a mount below the home)
function Sandbox:create_snapshot(given)
  check_open(self, "create_snapshot")
  if mounts.lies_below(self, HOME) then
    return nil, errors.new("unsupported", "create_snapshot: a folder of this machine is mounted "
      .. "below /home/user, and is not to be kept; mount it at /work", "mount it at /work")
  end
  return seen.verb(self, "snapshot", nothing, require("codecell.snapshot").take, self, given)
end

-- ---- folders of this machine ----

--- What its code has changed in folders that are mounted with `mode = "overlay"`, and in the home
--- of a template, compared with what lies there now: what was applied is no change any more.
---@param given table? `diff` (false): with the texts; `paths`: only what is at or below them
---@return codecell.Change[]? changes by path, with `truncated` when that is not all
---@return codecell.Error? err kind "unsupported": there is no such folder
function Sandbox:changes(given)
  check_open(self, "changes")
  return require("codecell.project").changes(self, given)
end

--- Make changes of its code in the folder of this machine itself. A file is put in its place at
--- once, with the owner of what was there and without set-user-ID bits. Refused, with the reason:
--- what was changed here since the sandbox was created, what the code has changed since `changes`
--- told of it, a link that leads out of the folder, sockets and devices, and what lies in `.git`
--- unless `paths` names it.
---@param given table `paths` (files, or folders with all that is below), or `all` (true); `force`
---(false): whatever was changed since
---@return {applied: codecell.Change[], failed: table[], truncated: boolean?}? outcome each of
---`failed` is a change, or a path, with `err`
---@return codecell.Error? err kind "unsupported": there is no such folder
function Sandbox:apply(given)
  check_open(self, "apply")
  return seen.verb(self, "apply", function()
    return type(given) == "table" and { paths = given.paths, all = given.all, force = given.force }
      or {}
  end, require("codecell.project.apply").apply, self, given)
end

return Sandbox
