--- The calls of process.Process: programs, their input, and their terminals.
local answer = require "codecell.gateway.answer"
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local paths = require "codecell.gateway.envd.paths"
local run = require "codecell.gateway.envd.run"
local shape = require "codecell.e2b.shape"
local wishes = require "codecell.gateway.control.wishes"

local processes = {}

local RUNS_MOST = 1024 -- of a sandbox, running or just ended
local ROWS, COLUMNS = 24, 80

local RULES = {
  args = { type = "strings", least = 1 },
  envs = { type = "envs" },
  cols = { type = "integer", least = 1, most = 65535 },
  rows = { type = "integer", least = 1, most = 65535 },
  tag = { type = "name" },
}

local function wrong(message)
  return nil, errors.new("invalid_argument", message)
end

-- ---- find one ----

local function find(one, body)
  one:forget_ended()
  local selector = shape.table(body.process) or {}
  local pid, tag = shape.number(selector.pid), shape.text(selector.tag)
  if pid and one.runs[pid] then
    return one.runs[pid]
  end
  for _, found in pairs(tag and one.runs or {}) do
    if found.about.tag == tag then
      return found
    end
  end
  return nil, errors.new("not_found", pid and ("process with pid %.0f not found"):format(pid)
    or ("process with tag %s not found"):format(tag or ""))
end

local function find_running(one, body)
  local found, err = find(one, body)
  if found and found:has_ended() then
    return nil, errors.new("not_found", ("process with pid %d not found"):format(found.pid))
  end
  return found, err
end

-- ---- start ----

local function arguments_of(given)
  local list = { given.cmd }
  for i, text in ipairs(shape.table(given.args) or {}) do
    list[i + 1] = text
  end
  return list
end

local function size_of(body)
  local pty = shape.table(body.pty)
  local size = pty and (shape.table(pty.size) or {})
  return pty and { rows = shape.number(size.rows) or ROWS,
    cols = shape.number(size.cols) or COLUMNS }
end

local function check_folder(one, given)
  if given == nil or given == "" then
    return one.sandbox._cwd
  end
  local path, err = paths.resolve(given)
  if not path then
    return nil, err
  end
  local entry
  entry, err = one.sandbox._backend.ask(one.sandbox, "start", "stat", path, true)
  if not entry and answer.is_gone(err) then
    return nil, err
  elseif not entry or entry.type ~= "dir" then
    return wrong(("cwd '%s' does not exist"):format(path))
  end
  return path
end

-- What is wanted, checked: `args envs cwd tag`, and `rows cols` of a terminal.
local function read_wish(one, body)
  local given = shape.table(body.process)
  if not given or type(given.cmd) ~= "string" or given.cmd == "" then
    return wrong("process.cmd: a program was expected")
  end
  local size = size_of(body) or {}
  local wanted, err = wishes.check("start", { args = arguments_of(given),
    envs = shape.texts(given.envs), tag = shape.text(body.tag), rows = size.rows,
    cols = size.cols }, RULES)
  if not wanted then
    return nil, err
  end
  wanted.cwd, err = check_folder(one, given.cwd)
  return wanted.cwd and wanted, err
end

local function spawn(one, wanted, has_input)
  if wanted.rows then
    return one.sandbox.pty:create({ cmd = wanted.args, rows = wanted.rows, cols = wanted.cols,
      envs = wanted.envs, cwd = wanted.cwd })
  end
  return one.sandbox.commands:run(wanted.args, { background = true, envs = wanted.envs,
    cwd = wanted.cwd, stdin = has_input or nil, tag = wanted.tag })
end

-- Those that have ended are known for a while, unless there is no room for another.
local function has_room(one)
  one:forget_ended(one.runs_count >= RUNS_MOST)
  return one.runs_count < RUNS_MOST
end

local methods = {}
processes.methods = methods

methods.Start = { stream = function(one, body)
  if not has_room(one) then
    return nil, errors.new("limit_exceeded", ("more than %d processes"):format(RUNS_MOST))
  end
  local wanted, err = read_wish(one, body)
  if not wanted then
    return nil, err
  end
  local has_input = wanted.rows ~= nil or body.stdin ~= false
  local process
  process, err = spawn(one, wanted, has_input)
  if not process then
    if err.kind == "not_found" or err.kind == "permission_denied" then
      err.kind = "invalid_argument"
    end
    return nil, err
  end
  local started = run.new(one, process, { has_input = has_input, is_terminal = wanted.rows ~= nil,
    about = { cmd = wanted.args[1], args = arguments_of(body.process), envs = wanted.envs,
      cwd = wanted.cwd, tag = wanted.tag } })
  local stream = started:listen()
  stream.late = function() started:kill(9, { group = true }) end
  stream.is_over = function() return started.over ~= nil or process:_closed() end
  started:begin(one)
  return stream
end }

methods.Connect = { stream = function(one, body)
  local found, err = find(one, body)
  return found and found:listen(), err
end }

-- ---- the others ----

methods.List = { call = function(one)
  local list = {}
  for pid, found in pairs(one.runs) do
    local about = found.about
    if not found:has_ended() then
      local arguments = {}
      for i = 2, #about.args do
        arguments[i - 1] = about.args[i]
      end
      list[#list + 1] = { pid = pid, tag = about.tag, config = { cmd = about.cmd, cwd = about.cwd,
        envs = about.envs, args = #arguments > 0 and arguments or nil } }
    end
  end
  table.sort(list, function(left, right) return left.pid < right.pid end)
  return { processes = #list > 0 and list or nil }
end }

local function input_of(found, body)
  local given = shape.table(body.input) or {}
  local name = found.is_terminal and "pty" or "stdin"
  if type(given[name]) ~= "string" then
    return wrong(("input.%s was expected: the process %s a terminal"):format(name,
      found.is_terminal and "has" or "has not"))
  elseif not found.has_input or found.is_closed then
    return nil, errors.new("system", "the standard input of the process is closed")
  end
  local bytes = base64.decode(given[name])
  if not bytes then
    return wrong("input: base64 was expected")
  end
  return bytes
end

local function send_input(found, body)
  local bytes, err = input_of(found, body)
  local ok
  if bytes then
    ok, err = found.process:write(bytes)
  end
  return ok and {}, err
end

methods.SendInput = { call = function(one, body)
  local found, err = find_running(one, body)
  if not found then
    return nil, err
  end
  return send_input(found, body)
end }

-- The first message says whose input it is; what says nothing keeps the connection alive.
methods.StreamInput = { take = function(one, following)
  local message, err = following()
  local found
  if not err then
    found, err = find_running(one, shape.table((message or {}).start) or {})
  end
  while found and not err do
    message, err = following()
    if not message then
      break
    elseif shape.table(message.data) and found.over then
      err = errors.new("not_found", ("process with pid %d not found"):format(found.pid))
    elseif shape.table(message.data) then
      err = select(2, send_input(found, message.data))
    end
  end
  return found and not err and {} or nil, err
end }

methods.CloseStdin = { call = function(one, body)
  local found, err = find_running(one, body)
  if not found then
    return nil, err
  elseif found.is_terminal then
    return wrong("the input of a terminal is not closed: send the character 4")
  elseif not found.has_input then
    return nil, errors.new("system", "the process has no standard input")
  end
  found.is_closed = true
  found.process:close_input()
  return {}
end }

local NUMBERS = { SIGNAL_SIGTERM = 15, SIGNAL_SIGKILL = 9, [15] = 15, [9] = 9 }

methods.SendSignal = { call = function(one, body)
  local found, err = find_running(one, body)
  local number = NUMBERS[body.signal]
  if not found then
    return nil, err
  elseif not number then
    return nil, errors.new("unsupported", "signal: SIGNAL_SIGTERM or SIGNAL_SIGKILL was expected")
  end
  local sent
  sent, err = found:kill(number)
  if sent == false then
    return nil, errors.new("not_found", ("process with pid %d not found"):format(found.pid))
  elseif sent and body.signal == "SIGNAL_SIGKILL" then
    found:await_end() -- who looks for it next is not to see it die
  end
  return sent and {}, err
end }

methods.Update = { call = function(one, body)
  local found, err = find_running(one, body)
  local size = size_of(body)
  local wanted
  if found and (not size or not found.is_terminal) then
    return wrong("pty.size of a process with a terminal was expected")
  elseif found then
    wanted, err = wishes.check("update", size, RULES)
  end
  local ok
  if wanted then
    ok, err = found.process:resize(wanted.rows, wanted.cols)
  end
  return ok and {}, err
end }

return processes
