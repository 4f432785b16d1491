--- sandbox.git: repositories in a sandbox, by the git that is there.
---
--- Names and results follow E2B's SDK. A password goes to one command alone, in its environment:
--- it is in no file, no URL and no list of arguments.
local options = require "codecell.options"
local run = require "codecell.git.run"
local status = require "codecell.git.status"

local git = {}

---@class codecell.Git
---@field package _sandbox codecell.Sandbox
local Git = setmetatable({}, { __index = require "codecell.git.others" })
Git.__index = Git

--- The part of a sandbox.
---@param sandbox codecell.Sandbox
---@return codecell.Git
function git.new(sandbox)
  return setmetatable({ _sandbox = sandbox }, Git)
end

-- ---- beginning ----

local CLONE = run.rules(run.COMMON, run.ACCOUNT, { branch = { type = "name" },
  depth = { type = "integer", least = 1 }, path = { type = "text" } })

--- Copy a repository into the sandbox, whose network must reach it.
---@param url string
---@param given table? `path`, `branch`, `depth`, `username`, `password` (a token; it is kept
---nowhere), `envs`, `user`, `timeout` (300 s)
---@return codecell.CommandResult? result
---@return codecell.Error? err kinds "unauthenticated", "not_found", "already_exists", "unavailable"
function Git:clone(url, given)
  run.usable(self, "clone")
  given = options.check("clone", given, CLONE)
  local ok, err = run.check("clone", "url", url, "branch", given.branch, "path", given.path)
  if not ok then
    return nil, err
  end
  local words = { "clone" }
  if given.branch then
    words[#words + 1], words[#words + 2] = "--branch", given.branch
    words[#words + 1] = "--single-branch"
  end
  if given.depth then
    words[#words + 1], words[#words + 2] = "--depth", tostring(given.depth)
  end
  words[#words + 1], words[#words + 2] = "--", url
  words[#words + 1] = given.path
  return run.git(self, "clone", words, given)
end

local INIT = run.rules(run.COMMON, { bare = { type = "boolean" },
  initial_branch = { type = "name" } })

--- Make a repository.
---@param path string
---@param given table? `bare` (false), `initial_branch`, `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:init(path, given)
  run.usable(self, "init")
  given = options.check("init", given, INIT)
  local ok, err = run.check("init", "path", path, "initial_branch", given.initial_branch)
  if not ok then
    return nil, err
  end
  local words = { "init", "--quiet" }
  words[#words + 1] = given.bare and "--bare" or nil
  words[#words + 1] = given.initial_branch and "--initial-branch=" .. given.initial_branch or nil
  words[#words + 1], words[#words + 2] = "--", path
  return run.git(self, "init", words, given)
end

-- ---- what is changed ----

--- What differs from the last commit.
---@param path string of the repository
---@param given table? `envs`, `user`, `timeout`
---@return codecell.GitStatus? status
---@return codecell.Error? err kind "not_found": there is no repository
function Git:status(path, given)
  run.usable(self, "status")
  given = options.check("status", given, run.COMMON)
  local ok, err = run.check("status", "path", path)
  local result
  if ok then
    result, err = run.git(self, "status", run.at(path, "status", "--porcelain=1", "-b", "-z"),
      given)
  end
  if not result then
    return nil, err
  end
  return status.parse(result.stdout)
end

local DIFF = run.rules(run.COMMON, { paths = { type = "strings" }, staged = { type = "boolean" },
  target = { type = "name" } })

--- The differences as a patch.
---@param path string of the repository
---@param given table? `staged` (false), `target` (a commit), `paths`, `envs`, `user`, `timeout`
---@return string? patch
---@return codecell.Error? err
function Git:diff(path, given)
  run.usable(self, "diff")
  given = options.check("diff", given, DIFF)
  local ok, err = run.check("diff", "path", path, "target", given.target)
  if not ok then
    return nil, err
  end
  local words = run.at(path, "diff", "--no-color", "--no-ext-diff")
  words[#words + 1] = given.staged and "--cached" or nil
  words[#words + 1] = given.target
  words[#words + 1] = "--"
  for _, one in ipairs(given.paths or {}) do
    words[#words + 1] = one
  end
  local result
  result, err = run.git(self, "diff", words, given)
  return result and result.stdout, err
end

local ADD = run.rules(run.COMMON, { all = { type = "boolean" }, files = { type = "strings" } })

--- Take changes into the next commit.
---@param path string of the repository
---@param given table? `files` (default: all changes), `all` (true where there are no files),
---`envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:add(path, given)
  run.usable(self, "add")
  given = options.check("add", given, ADD)
  local ok, err = run.check("add", "path", path)
  if not ok then
    return nil, err
  end
  local words = run.at(path, "add")
  if not given.files or #given.files == 0 then
    words[#words + 1] = given.all == false and "." or "--all"
  else
    words[#words + 1] = "--"
    for _, file in ipairs(given.files) do
      words[#words + 1] = file
    end
  end
  return run.git(self, "add", words, given)
end

local COMMIT = run.rules(run.COMMON, { allow_empty = { type = "boolean" },
  author_email = { type = "name" }, author_name = { type = "name" } })

--- Keep what was added.
---@param path string of the repository
---@param message string
---@param given table? `author_name`, `author_email` (default: those of the configuration),
---`allow_empty` (false), `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:commit(path, message, given)
  run.usable(self, "commit")
  options.argument("commit", "message", message, "text")
  given = options.check("commit", given, COMMIT)
  local ok, err = run.check("commit", "path", path)
  if not ok then
    return nil, err
  end
  local words = run.at(path)
  if given.author_name then
    words[#words + 1], words[#words + 2] = "-c", "user.name=" .. given.author_name
  end
  if given.author_email then
    words[#words + 1], words[#words + 2] = "-c", "user.email=" .. given.author_email
  end
  words[#words + 1], words[#words + 2] = "commit", "--message=" .. message
  words[#words + 1] = given.allow_empty and "--allow-empty" or nil
  return run.git(self, "commit", words, given)
end

local RESET = run.rules(run.COMMON, { paths = { type = "strings" }, target = { type = "name" },
  mode = { type = "choice", choices = { "soft", "mixed", "hard", "merge", "keep" } } })

--- Go back to a commit, or take paths out of the next one.
---@param path string of the repository
---@param given table? `mode` ("soft", "mixed", "hard", "merge", "keep"), `target` (a commit),
---`paths`, `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:reset(path, given)
  run.usable(self, "reset")
  given = options.check("reset", given, RESET)
  local ok, err = run.check("reset", "path", path, "target", given.target)
  if not ok then
    return nil, err
  end
  local words = run.at(path, "reset", "--quiet")
  words[#words + 1] = given.mode and "--" .. given.mode or nil
  words[#words + 1] = given.target
  if given.paths then
    words[#words + 1] = "--"
    for _, one in ipairs(given.paths) do
      words[#words + 1] = one
    end
  end
  return run.git(self, "reset", words, given)
end

local RESTORE = run.rules(run.COMMON, { source = { type = "name" }, staged = { type = "boolean" },
  worktree = { type = "boolean" } })

--- Give paths back what they had.
---@param path string of the repository
---@param paths string[]
---@param given table? `staged` (false), `worktree` (true unless staged), `source` (a commit),
---`envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:restore(path, paths, given)
  run.usable(self, "restore")
  options.argument("restore", "paths", paths, "strings", { least = 1 })
  given = options.check("restore", given, RESTORE)
  local ok, err = run.check("restore", "path", path, "source", given.source)
  if not ok then
    return nil, err
  end
  local words = run.at(path, "restore")
  words[#words + 1] = given.staged and "--staged" or nil
  words[#words + 1] = given.worktree and "--worktree" or nil
  words[#words + 1] = given.source and "--source=" .. given.source or nil
  words[#words + 1] = "--"
  for _, one in ipairs(paths) do
    words[#words + 1] = one
  end
  return run.git(self, "restore", words, given)
end

return git
