--- sandbox.git: branches, other repositories, and the configuration.
local errors = require "codecell.errors"
local options = require "codecell.options"
local run = require "codecell.git.run"

---@class codecell.Git
local Git = {}

-- ---- branches ----

--- The branches that there are.
---@param path string of the repository
---@param given table? `envs`, `user`, `timeout`
---@return {branches: string[], current_branch: string?}? found
---@return codecell.Error? err
function Git:branches(path, given)
  run.usable(self, "branches")
  given = options.check("branches", given, run.COMMON)
  local ok, err = run.check("branches", "path", path)
  local result
  if ok then
    result, err = run.git(self, "branches", run.at(path, "branch", "--no-color",
      "--format=%(HEAD)%(refname:short)"), given)
  end
  if not result then
    return nil, err
  end
  local found = { branches = {} }
  for mark, name in result.stdout:gmatch("([* ])([^\n]+)") do
    if not name:find("^%(") then
      found.branches[#found.branches + 1] = name
      found.current_branch = mark == "*" and name or found.current_branch
    end
  end
  return found
end

--- Make a branch, and change to it.
---@param path string of the repository
---@param branch string
---@param given table? `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err kind "already_exists"
function Git:create_branch(path, branch, given)
  run.usable(self, "create_branch")
  given = options.check("create_branch", given, run.COMMON)
  local ok, err = run.check("create_branch", "path", path, "branch", branch)
  if not ok then
    return nil, err
  end
  return run.git(self, "create_branch", run.at(path, "checkout", "--quiet", "-b", branch), given)
end

--- Change to a branch.
---@param path string of the repository
---@param branch string
---@param given table? `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:checkout_branch(path, branch, given)
  run.usable(self, "checkout_branch")
  given = options.check("checkout_branch", given, run.COMMON)
  local ok, err = run.check("checkout_branch", "path", path, "branch", branch)
  if not ok then
    return nil, err
  end
  return run.git(self, "checkout_branch", run.at(path, "checkout", "--quiet", branch, "--"), given)
end

local DELETE = run.rules(run.COMMON, { force = { type = "boolean" } })

--- Remove a branch.
---@param path string of the repository
---@param branch string
---@param given table? `force` (false: only one that is merged), `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:delete_branch(path, branch, given)
  run.usable(self, "delete_branch")
  given = options.check("delete_branch", given, DELETE)
  local ok, err = run.check("delete_branch", "path", path, "branch", branch)
  if not ok then
    return nil, err
  end
  return run.git(self, "delete_branch",
    run.at(path, "branch", "--quiet", given.force and "-D" or "-d", branch), given)
end

-- ---- others ----

local PUSH = run.rules(run.COMMON, run.ACCOUNT, { branch = { type = "name" },
  remote = { type = "name" },
  set_upstream = { type = "boolean" } })

--- Give commits to another repository.
---@param path string of the repository
---@param given table? `remote`, `branch`, `set_upstream` (true where both are named), `username`,
---`password`, `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err kinds "unauthenticated", "invalid_argument" (no upstream), ...
function Git:push(path, given)
  run.usable(self, "push")
  given = options.check("push", given, PUSH)
  local ok, err = run.check("push", "path", path, "remote", given.remote, "branch",
    given.branch)
  if not ok then
    return nil, err
  end
  local words = run.at(path, "push", "--quiet")
  if given.set_upstream or given.set_upstream == nil and given.remote and given.branch then
    words[#words + 1] = "--set-upstream"
  end
  words[#words + 1] = given.remote or given.branch and "origin" or nil
  words[#words + 1] = given.branch
  return run.git(self, "push", words, given)
end

local PULL = run.rules(run.COMMON, run.ACCOUNT, { branch = { type = "name" },
  remote = { type = "name" } })

--- Take commits from another repository.
---@param path string of the repository
---@param given table? `remote`, `branch`, `username`, `password`, `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err kinds "unauthenticated", "invalid_argument" (no upstream), ...
function Git:pull(path, given)
  run.usable(self, "pull")
  given = options.check("pull", given, PULL)
  local ok, err = run.check("pull", "path", path, "remote", given.remote, "branch",
    given.branch)
  if not ok then
    return nil, err
  end
  local words = run.at(path, "pull", "--quiet")
  words[#words + 1] = given.remote or given.branch and "origin" or nil
  words[#words + 1] = given.branch
  return run.git(self, "pull", words, given)
end

local REMOTE = run.rules(run.COMMON, { fetch = { type = "boolean" },
  overwrite = { type = "boolean" } })

--- Name another repository.
---@param path string of the repository
---@param name string "origin"
---@param url string
---@param given table? `fetch` (false), `overwrite` (false), `envs`, `user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err kind "already_exists"
function Git:remote_add(path, name, url, given)
  run.usable(self, "remote_add")
  given = options.check("remote_add", given, REMOTE)
  local ok, err = run.check("remote_add", "path", path, "name", name, "url", url)
  local result
  if ok then
    result, err = run.git(self, "remote_add", run.at(path, "remote", "add", name, url), given)
  end
  if not result and given.overwrite and err.kind == "already_exists" then
    result, err = run.git(self, "remote_add", run.at(path, "remote", "set-url", name, url), given)
  end
  if result and given.fetch then
    result, err = run.git(self, "remote_add", run.at(path, "fetch", "--quiet", name), given)
  end
  return result, err
end

--- The URL of a named repository.
---@param path string of the repository
---@param name string
---@param given table? `envs`, `user`, `timeout`
---@return string|false|nil url false: there is none of that name
---@return codecell.Error? err
function Git:remote_get(path, name, given)
  run.usable(self, "remote_get")
  given = options.check("remote_get", given, run.COMMON)
  local ok, err = run.check("remote_get", "path", path, "name", name)
  local result
  if ok then
    result, err = run.git(self, "remote_get", run.at(path, "remote", "get-url", name), given)
  end
  if not result then
    local code = err.result and err.result.exit_code
    if code == 2 then
      return false
    end
    return nil, err
  end
  return (result.stdout:gsub("\n$", ""))
end

-- ---- configuration ----

local CONFIG = run.rules(run.COMMON, { path = { type = "text" },
  scope = { type = "choice", choices = { "global", "local", "system" } } })

local function config_words(verb, given)
  local scope = given.scope or "global"
  if scope == "local" and not given.path then
    return nil, errors.new("invalid_argument", ("git %s: the scope \"local\" needs a path"):format(
      verb))
  end
  local words = given.path and run.at(given.path, "config") or { "config" }
  words[#words + 1] = "--" .. scope
  return words
end

--- Set a value of the configuration.
---@param key string "user.name"
---@param value string
---@param given table? `scope` ("global", "local", "system"), `path` of a repository, `envs`,
---`user`, `timeout`
---@return codecell.CommandResult? result
---@return codecell.Error? err
function Git:set_config(key, value, given)
  run.usable(self, "set_config")
  options.argument("set_config", "value", value, "text")
  given = options.check("set_config", given, CONFIG)
  local ok, err = run.check("set_config", "key", key, "path", given.path)
  local words
  if ok then
    words, err = config_words("set_config", given)
  end
  if not words then
    return nil, err
  end
  words[#words + 1], words[#words + 2] = key, value
  return run.git(self, "set_config", words, given)
end

--- A value of the configuration.
---@param key string
---@param given table? as of `set_config`
---@return string|false|nil value false: it is not set
---@return codecell.Error? err
function Git:get_config(key, given)
  run.usable(self, "get_config")
  given = options.check("get_config", given, CONFIG)
  local ok, err = run.check("get_config", "key", key, "path", given.path)
  local words, result
  if ok then
    words, err = config_words("get_config", given)
  end
  if words then
    words[#words + 1], words[#words + 2] = "--get", key
    result, err = run.git(self, "get_config", words, given)
  end
  if not result then
    local code = err.result and err.result.exit_code
    if code == 1 then
      return false
    end
    return nil, err
  end
  return (result.stdout:gsub("\n$", ""))
end

return Git
