--- The steps of a build as a client writes them, in the words of `codecell.template.build`.
local errors = require "codecell.errors"
local shape = require "codecell.e2b.shape"
local uploads = require "codecell.gateway.templates.uploads"

local steps = {}

local MOST = 1000
local LONGEST = 128 * 1024 - 1 -- bytes of a command: MAX_ARG_STRLEN of execve(2), without its NUL
local USER = "user"
local ROOT = "step %s is to run as root: there is no root here, everything runs as user"

local function wrong(number, text)
  return nil, errors.new("invalid_argument", ("steps[%d]: %s"):format(number, text))
end

local function arguments(step)
  local list = {}
  for i, one in ipairs(shape.table(step.args) or {}) do
    if type(one) ~= "string" or one:find("%z") then
      return nil
    end
    list[i] = one
  end
  return list
end

local readers = {}

function readers.RUN(_, args, number)
  if not args[1] or args[1] == "" then
    return wrong(number, "RUN needs a command")
  end
  return { kind = "run", command = args[1], user = args[2] }
end

function readers.ENV(_, args, number)
  local envs = {}
  for i = 1, #args, 2 do
    if not args[i]:find("^[%a_][%w_]*$") or not args[i + 1] then
      return wrong(number, "ENV needs names and values in turn")
    end
    envs[args[i]] = args[i + 1]
  end
  return { kind = "env", envs = envs }
end

function readers.WORKDIR(_, args, number)
  if not args[1] or args[1] == "" then
    return wrong(number, "WORKDIR needs a folder")
  end
  return { kind = "workdir", path = args[1] }
end

function readers.USER(_, args, number)
  if not args[1] or args[1] == "" then
    return wrong(number, "USER needs a name")
  end
  return { kind = "user", user = args[1] }
end

function readers.COPY(step, args, number, owner)
  local from, to, mode = args[1], args[2], args[4] or ""
  if not from or not to or from:sub(1, 1) == "/"
    or ("/" .. from .. "/"):find("/../", 1, true) then
    return wrong(number, "COPY needs what lies in the context, and where it is to be")
  elseif mode ~= "" and not mode:find("^[0-7][0-7]?[0-7]?[0-7]?$") then
    return wrong(number, "COPY: the mode is no octal number")
  end
  local path = uploads.find(step.filesHash, owner)
  if not path then
    return wrong(number, "the files of this COPY were not sent")
  end
  return { kind = "unpack", path = path, from = from, to = to, mode = mode,
    user = (args[3] or ""):match("^[^:]*") }
end

-- Who is to do it: there is one user. nil: somebody whom nobody knows.
local function check_user(step, user)
  if user == "root" or user == "0" then
    step.notes = { ROOT:format(step.number) }
  elseif user ~= USER then
    return nil
  end
  return true
end

local TRIED = { run = "run command '%s'", unpack = "copy '%s'", user = "set user '%s'" }

local function refusal(step, user)
  return { step = step.number, message = ("failed to %s: command failed: unauthenticated: invalid "
    .. "username: '%s'"):format(TRIED[step.kind]:format(step.command or step.from or step.user),
    user) }
end

local function read_one(step, number, owner)
  step = shape.table(step) or {}
  local args = arguments(step)
  local reader = readers[step.type]
  if not args or not reader then
    return wrong(number, "RUN, COPY, ENV, WORKDIR or USER with a list of texts expected")
  end
  local read, err = reader(step, args, number, owner)
  if read then
    read.number = tostring(number)
  end
  return read, err
end

--- Read the body of a request to build.
---@param body table
---@param owner string? who has sent the archives
---@return table[]? list of steps for `build.perform`, with `number` and `notes`; `refusal`: why it
---cannot be done; `start` and `ready`, commands
---@return codecell.Error? err kind "invalid_argument"
function steps.read(body, owner)
  local given = shape.table(body.steps) or {}
  if #given > MOST then
    return nil, errors.new("invalid_argument", ("steps: at most %d"):format(MOST))
  end
  local list, current = {}, USER
  for number, step in ipairs(given) do
    local one, err = read_one(step, number, owner)
    if not one then
      return nil, err
    end
    local user = one.user and one.user ~= "" and one.user or current
    if TRIED[one.kind] and not check_user(one, user) then
      list.refusal = list.refusal or refusal(one, user)
    end
    current = one.kind == "user" and user or current
    if one.kind ~= "user" then
      list[#list + 1] = one
    end
  end
  for field, name in pairs({ startCmd = "start", readyCmd = "ready" }) do
    local command = body[field]
    if type(command) == "string" and (command:find("%z") or #command > LONGEST) then
      return nil, errors.new("invalid_argument",
        ("%s: a command without NUL, of at most %d bytes, was expected"):format(field, LONGEST))
    end
    list[name] = type(command) == "string" and command ~= "" and command or nil
  end
  if list.start or list.ready then
    list[#list + 1] = { kind = "start", command = list.start, ready = list.ready,
      number = "finalize" }
  end
  return list
end

return steps
