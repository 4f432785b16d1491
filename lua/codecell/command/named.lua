--- `codecell run --name`: code in a sandbox that stays for the next time.
local base64 = require "codecell.base64"
local command = require "codecell.command"
local errors = require "codecell.errors"
local folders = require "codecell.command.folders"
local keeper = require "codecell.command.keeper"
local launch = require "codecell.command.launch"
local show = require "codecell.command.show"

local named = {}

local PICTURES = { "png", "jpeg", "pdf" }

-- What decides how the sandbox is made, when it is.
local function options_of(options)
  local mounts, message = folders.mounts(options)
  if not mounts then
    return nil, message
  end
  for _, mount in ipairs(mounts) do
    mount.host = command.absolute(mount.host)
  end
  return { network = options.network, template = options.template, packages = options.packages,
    mounts = mounts[1] and mounts or nil }
end

local function files_of(options)
  local files = {}
  for i, path in ipairs(options.file or {}) do
    local name = path:gsub("/+$", ""):match "[^/]+$"
    if not name or name == "." or name == ".." then
      return nil, ("--file %s: name the folder, so that it has a name inside"):format(path)
    end
    files[i] = { path = command.absolute(path), name = name }
  end
  return files
end

-- What the keeper is asked for; or nil and what is wrong with the words.
local function order_of(options, given, language)
  local backend, message = launch.backend(options)
  if backend and (options.changes or options.apply) then
    message = "--changes and --apply are for a sandbox that ends with the code, without --name"
  end
  local found, wanted, files
  if not message then
    found, message = launch.configure(options)
  end
  if found then
    wanted, message = options_of(options)
  end
  if wanted then
    files, message = files_of(options)
  end
  if not files then
    return nil, message
  end
  wanted.backend = backend ~= "local" and backend or nil
  local envs
  wanted.secrets, envs = launch.variables(options, found)
  wanted.audit = (options.audit or found.audit) and command.absolute(options.audit or found.audit)
  return { name = options.name, code = base64.encode(given.code), language = language,
    stdin = given.input and base64.encode(given.input), timeout = options.timeout, envs = envs,
    install = options.install, files = files, options = wanted }
end

local function decode_pictures(execution)
  for _, result in ipairs(execution.results) do
    for _, format in ipairs(PICTURES) do
      result[format] = result[format] and base64.decode(result[format])
    end
  end
end

--- Run the code.
---@param what string the command
---@param options table as options.parse gave them
---@param given {code: string, input: string?}
---@param language string
---@param status fun(execution: table): integer of `codecell run`
---@return integer? status nil: bad usage
---@return string? message
function named.run(what, options, given, language, status)
  local order, message = order_of(options, given, language)
  if not order then
    return nil, message
  end
  local client, err = keeper.start()
  if not client then
    return launch.fail(what, err)
  end
  local view, execution, problem = show.open(nil, options.save), nil, nil
  local _
  _, err = keeper.order(client, order, function(line)
    if line.stream and not options.json then
      local out = line.stream == "stdout" and view.out or view.err
      out:foreign(base64.decode(line.data))
    end
    execution, problem = line.execution or execution, line.problem or problem
  end)
  client:close()
  if not execution then
    if problem then
      err = errors.new(problem.kind, problem.message, problem.hint)
      err.log = problem.log
    end
    return launch.fail(what, err
      or errors.new("unavailable", "the program that keeps named sandboxes has ended"))
  elseif options.json then
    command.print_json(execution)
  else
    decode_pictures(execution)
    show.finish(view, execution)
    if execution.state_lost and not show.has_failed(execution) then
      io.stderr:write("codecell: the interpreter was started again: its variables are lost\n")
    end
  end
  return status(execution)
end

return named
