--- The actions of the shell: in the foreground, in the background, and servers.
local core = require "codecell.core"
local errors = require "codecell.errors"
local fields = require "codecell.actions.fields"
local quoted = require "codecell.process.quoted"
local reactor = require "codecell.reactor"
local shape = require "codecell.actions.shape"
local tail = require "codecell.process.tail"
local task = require "codecell.task"

local commands = {}

local FOREGROUND = 60 -- seconds
local KEPT = 65536 -- bytes of what one of the background has printed
local MOST = 64 -- commands of the background that one sandbox may have
local SERVER, LOOK = 30, 0.5 -- seconds that a server may take to listen; between looks at it

local function text_of(result)
  local parts = {}
  if result.stdout ~= "" then
    parts[#parts + 1] = result.stdout
  end
  if result.stderr ~= "" then
    parts[#parts + 1] = "stderr:\n" .. result.stderr
  end
  if result.exitCode ~= 0 then
    parts[#parts + 1] = ("exit code %d"):format(result.exitCode)
  end
  return parts[1] and table.concat(parts, "\n") or "The command printed nothing."
end

local function failure_of(result)
  if result.timed_out then
    return { message = ("the command took more than %d s"):format(FOREGROUND), kind = "timeout",
      hint = "use background for what takes long" }
  elseif result.exit_code ~= 0 then
    return { message = ("exit code %d"):format(result.exit_code), kind = "exit",
      hint = "the output of the command says why" }
  end
end

local function foreground(call, found, given)
  local result, err = found.commands:run(given.command, { cwd = given.cwd, envs = given.envs,
    timeout = FOREGROUND })
  if not result then
    return nil, err
  end
  local stdout, is_cut = call:cut(result.stdout)
  local stderr, is_short = call:cut(result.stderr)
  local told = { sandboxId = found.id, stdout = stdout, stderr = stderr,
    exitCode = result.exit_code, failed = failure_of(result),
    truncated = result.truncated and true or is_cut or is_short or nil }
  told.output, told.text = told.stdout, text_of(told)
  return told
end

-- The commands of a sandbox, by their ids; they go with it.
local function of_sandbox(found)
  found._background = found._background or { by_id = {}, order = {} }
  return found._background
end

local function forget_ended(list)
  local left = {}
  for _, one in ipairs(list.order) do
    if one.over and #list.order > MOST / 2 then
      list.by_id[one.id] = nil
    else
      left[#left + 1] = one
    end
  end
  list.order = left
end

-- What it prints is read on, so that it never waits for a reader; its end is kept. A sandbox in
-- which something runs is in use.
local function attend(one, roster, entry)
  while true do
    local chunk = one.process:read()
    if not chunk then
      break
    end
    one.add(chunk)
  end
  local result = not one.process:_closed() and one.process:wait() -- it may live on, and be silent
  one.over = { exit_code = result and result.exit_code or nil }
  if not one.process:_closed() then
    one.process:close()
  end
  roster:release(entry)
end

local function background(call, found, given)
  local list = of_sandbox(found)
  forget_ended(list)
  if #list.order >= MOST then
    return nil, errors.new("limit_exceeded", ("%d commands run in the background, which is the "
      .. "most; end one by kill_command"):format(MOST))
  end
  local process, err = found.commands:run(given.command, { background = true, cwd = given.cwd,
    envs = given.envs })
  if not process then
    return nil, err
  end
  local one = { id = core.random_id(12), process = process, pid = process.pid,
    command = given.command, began = os.time() }
  one.add, one.printed, one.total = tail(KEPT)
  list.by_id[one.id] = one
  list.order[#list.order + 1] = one
  call.service.roster:hold(call.entry)
  task.background(attend, one, call.service.roster, call.entry)
  return one
end

function commands.shell(call, given)
  local found, err = call:sandbox(given)
  if not found then
    return nil, err
  elseif not given.background then
    return foreground(call, found, given)
  end
  local one
  one, err = background(call, found, given)
  if not one then
    return nil, err
  end
  return { sandboxId = found.id, commandId = one.id, pid = one.pid,
    text = ("Started in the background; its commandId is %s."):format(one.id) }
end

-- One of the background, of the sandbox of that request alone; and the sandbox, or the error.
local function known(call, given)
  local found, err = call:sandbox(given)
  if not found then
    return nil, err
  end
  local one = of_sandbox(found).by_id[given.commandId]
  if not one then
    return nil, errors.new("not_found", ("there is no command %q in this sandbox; command_list "
      .. "shows those there are"):format(given.commandId))
  end
  return one, found
end

-- End it and what it has started; false: it had ended.
local function stop(one)
  if one.over or one.process:_closed() then
    return false
  end
  return one.process:kill("sigkill", { group = true })
end

function commands.kill_command(call, given)
  local one, found = known(call, given)
  if not one then
    return nil, found
  end
  local killed, err = stop(one)
  if killed == nil then
    return nil, err
  end
  return { sandboxId = found.id, commandId = one.id, killed = killed,
    text = killed and "The command was ended." or "The command had ended already." }
end

function commands.command_list(call, given)
  local found, err = call:sandbox(given)
  if not found then
    return nil, err
  end
  local list, lines = {}, {}
  for i, one in ipairs(of_sandbox(found).order) do
    list[i] = { commandId = one.id, pid = one.pid, command = one.command,
      running = one.over == nil, exitCode = one.over and one.over.exit_code or nil,
      startedAt = shape.time(one.began) }
    lines[i] = ("%s %s: %s"):format(one.id, one.over and "ended" or "runs", one.command)
  end
  return { sandboxId = found.id, commands = shape.list(list),
    text = lines[1] and table.concat(lines, "\n") or "No command was started in the background." }
end

function commands.command_logs(call, given)
  local one, found = known(call, given)
  if not one then
    return nil, found
  end
  local printed = one.printed()
  local output, is_cut = call:cut(printed)
  return { sandboxId = found.id, commandId = one.id, output = output,
    running = one.over == nil, exitCode = one.over and one.over.exit_code or nil,
    truncated = #printed < one.total() or is_cut or nil,
    text = output ~= "" and output or "It has printed nothing so far." }
end

function commands.processinfo(call, given)
  local found, err = call:sandbox(given)
  local result
  if found then
    result, err = found.commands:run({ "ps", "-eo", "pid,ppid,pcpu,pmem,etime,args",
      "--cols", "120" })
  end
  if not result then
    return nil, err
  end
  local output = call:cut(result.stdout ~= "" and result.stdout or result.stderr)
  return { sandboxId = found.id, output = output, text = output }
end

-- Until it listens. One that has failed will not; one that ended well may have left another behind.
local function wait_for(found, one, port)
  local deadline = reactor.now() + SERVER
  local ok, err
  repeat
    ok, err = found:wait_port(port, LOOK)
    if not ok and one.over and one.over.exit_code ~= 0 then
      return nil, errors.new("not_found", ("its command ended with exit code %s"):format(
        tostring(one.over.exit_code)), "read what it printed, and mend the command")
    end
  until ok or err.kind ~= "timeout" or reactor.now() >= deadline
  return ok, err
end

function commands.start_server(call, given)
  local found, err = call:sandbox(given)
  local one
  if found then
    local command, file = given.command, fields.log_file(given)
    if file then
      command = ("{ %s\n} >%s 2>&1"):format(command, quoted(file))
    end
    one, err = background(call, found, { command = command, cwd = given.cwd, envs = given.envs })
  end
  local ok, host
  if one then
    ok, err = wait_for(found, one, given.port)
  end
  if ok then
    host, err = found:get_host(given.port)
  end
  if not host then
    if one then
      stop(one)
      local told = errors.new(err.kind, ("nothing listens at port %d: %s%s"):format(given.port,
        err.message, one.total() > 0 and "; it printed: " .. call:cut(one.printed()) or ""),
        err.hint)
      return nil, told
    end
    return nil, err
  end
  return { sandboxId = found.id, commandId = one.id, host = host,
    text = ("The server runs at %s; its commandId is %s."):format(host, one.id) }
end

return commands
