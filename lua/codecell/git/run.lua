--- Running git in a sandbox, and what its failures mean.
local errors = require "codecell.errors"
local last_line = require "codecell.last_line"
local options = require "codecell.options"
local receiver = require "codecell.receiver"

local run = {}

local TIMEOUT = 300 -- seconds

--- Told by `-c`: git takes a name and a password of its environment.
run.helper = "credential.helper=!f() { test \"$1\" = get || exit 0; "
  .. "echo \"username=$CODECELL_GIT_USERNAME\"; echo \"password=$CODECELL_GIT_PASSWORD\"; }; f"

-- ---- options ----

--- The options of every verb.
run.COMMON = {
  envs = { type = "envs" },
  timeout = { type = "number", above = 0, most = 86400 },
  user = { type = "name" },
}
--- Those of verbs that speak to another machine.
run.ACCOUNT = { password = { type = "name" }, username = { type = "name" } }

--- The rules of several tables as one.
---@param ... table
---@return table
function run.rules(...)
  local all = {}
  for i = 1, select("#", ...) do
    for name, rule in pairs((select(i, ...))) do
      all[name] = rule
    end
  end
  return all
end

--- Raise unless it is called on `sandbox.git` of an open sandbox.
---@param self codecell.Git
---@param verb string
function run.usable(self, verb)
  receiver.part(self, verb, "git", 4)
end

-- A name that git would take for an option is none.
local function check_word(verb, name, value)
  if value == "" or value:sub(1, 1) == "-" then
    return nil, errors.new("invalid_argument",
      ("git %s: %s: %q cannot be one"):format(verb, name, value))
  end
  return true
end

--- Check names, paths and URLs; to be called by the verb itself.
---@param verb string
---@param ... string? name, value, name, value; what is nil is left out
---@return true? ok
---@return codecell.Error? err kind "invalid_argument"
function run.check(verb, ...)
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if value ~= nil then
      options.argument(verb, name, value, "name", nil, 4)
      local ok, err = check_word(verb, name, value)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

-- ---- running ----

local AUTHENTICATION = { "authentication failed", "could not read username",
  "could not read password", "invalid username or password", "terminal prompts disabled",
  "access denied", "permission denied (publickey" }
local UPSTREAM = { "no upstream branch", "no tracking information", "has no upstream" }

local function says(text, list)
  for _, words in ipairs(list) do
    if text:find(words, 1, true) then
      return true
    end
  end
  return false
end

local function told_by(text)
  local line = text:match("fatal: ([^\n]*)") or text:match("error: ([^\n]*)")
    or last_line(text) or "it said nothing"
  return line:sub(1, 300):gsub("%c", " ")
end

local function explain(verb, result)
  local text = (result.stderr .. "\n" .. result.stdout):lower()
  local kind, hint = "invalid_argument", nil
  if says(text, AUTHENTICATION) then
    kind, hint = "unauthenticated", "give username and password (a token)"
  elseif says(text, UPSTREAM) then
    hint = "name remote and branch, or push with set_upstream = true"
  elseif text:find("not a git repository", 1, true) or text:find("does not exist", 1, true)
    or text:find("repository not found", 1, true) then
    kind = "not_found"
  elseif text:find("already exists", 1, true) then
    kind = "already_exists"
  elseif text:find("could not resolve host", 1, true) then
    kind, hint = "unavailable", "the network of the sandbox must reach it"
  end
  local message = ("git %s: %s"):format(verb, told_by(result.stderr ~= "" and result.stderr
    or result.stdout))
  local err = errors.new(kind, hint and message .. "; " .. hint or message, hint)
  err.result = result
  return err
end

--- Run git; the result of one that succeeded.
---@param self codecell.Git
---@param verb string
---@param words string[]
---@param given table? options of the verb
---@return codecell.CommandResult? result
---@return codecell.Error? err with `result` where git has failed
function run.git(self, verb, words, given)
  given = given or {}
  local argv, envs = { "git" }, { GIT_TERMINAL_PROMPT = "0", LC_ALL = "C" }
  for name, value in pairs(given.envs or {}) do
    envs[name] = value
  end
  if given.username or given.password then
    if not (given.username and given.password) then
      return nil, errors.new("invalid_argument",
        ("git %s: give username and password, or neither"):format(verb))
    end
    envs.CODECELL_GIT_USERNAME, envs.CODECELL_GIT_PASSWORD = given.username, given.password
    argv[2], argv[3], argv[4], argv[5] = "-c", "credential.helper=", "-c", run.helper
  end
  for i = 1, #words do
    argv[#argv + 1] = words[i]
  end
  local result, err = self._sandbox.commands:run(argv, { envs = envs, user = given.user,
    timeout = given.timeout or TIMEOUT })
  if not result then
    if err.kind == "not_found" then
      return nil, errors.unsupported("git", self._sandbox.backend, "install git there")
    end
    return nil, err
  elseif result.timed_out then
    return nil, errors.timeout("git " .. verb, given.timeout or TIMEOUT)
  elseif result.exit_code ~= 0 then
    return nil, explain(verb, result)
  end
  return result
end

--- Arguments of git in a repository.
---@param path string
---@param ... string
---@return string[]
function run.at(path, ...)
  return { "-C", path, ... }
end

return run
