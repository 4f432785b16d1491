-- The Lua kernel: runs cells in this process and speaks frames (protocol.h, enum
-- cell_kernel_message) on two pipes, which plain Lua opens by their path. For every Lua from 5.1 to
-- 5.4 and LuaJIT. It is run by `-e` of the interpreter's command line, after lua_text.lua,
-- lua_display.lua and lua_shell.lua.
--
-- An interrupt. The interpreter's own handler of SIGINT sets a hook in the main thread: it raises
-- "interrupted!" in what runs there, once, and there is no handler any more before the interpreter
-- runs its next `-e`. So cells run in the main thread; frames are read and written in coroutines,
-- where no hook cuts them in two; and serve(), which every `-e` that follows calls (lua.boot),
-- returns after an interrupt for the next one to go on.
--
-- User code shares this process. What it could replace is held in locals, strings are never asked
-- for methods, and nothing is looked up in _G once this file has run.
local kernel = debug.getregistry().codecell

local error, pcall, select, tostring, type, xpcall = error, pcall, select, tostring, type, xpcall
local rawget, setmetatable = rawget, setmetatable
local byte, char, find, format, gmatch, gsub, match, sub = string.byte, string.char, string.find,
  string.format, string.gmatch, string.gsub, string.match, string.sub
local concat = table.concat
local floor, max = math.floor, math.max
local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status,
  coroutine.yield
local gethook, getinfo, getmetatable, sethook = debug.gethook, debug.getinfo, debug.getmetatable,
  debug.sethook
local traceback = debug.traceback
local clock, exit, time = os.clock, os.exit, os.time
local open, stdout, stderr = io.open, io.stdout, io.stderr
local close, flush, read, write = stdout.close, stdout.flush, stdout.read, stdout.write
local compile, jit = setfenv and loadstring or load, jit
local bounded, show_values = kernel.bounded, kernel.show_values

local EXECUTE, ENV, REHEARSE, READY, ERROR, DONE = 2, 3, 4, 16, 18, 19 -- src/wire/protocol.h
local SLICE = 4096 -- PIPE_BUF: written whole, or not at all when a signal comes
local INTERRUPTED = 4 -- EINTR
local BROKEN = 70 -- status of the process
local TAILS_MAX, TAIL_MAX = 100, 65536 -- places where a last expression is looked for; its bytes
local HERE = "(command line)" -- the name of this file in tracebacks
local OWN_LINE = "^%(command line%):%d+: " -- what a message starts with if this file called

local reader, writer = open("/dev/fd/3", "rb"), open("/dev/fd/4", "wb")
local listener, speaker -- coroutines
local count = 0 -- of cells
local last_used, last_second = clock(), time() -- processor time and time at the end of a cell

-- ---- frames ----

local small = {} -- numbers as they are in frames; most are the same ones each time

local function u32(number)
  local bytes = small[number]
  if not bytes then
    bytes = char(number % 256, floor(number / 256) % 256, floor(number / 65536) % 256,
      floor(number / 16777216))
    if number < 256 then
      small[number] = bytes
    end
  end
  return bytes
end

local function u32_at(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end

function kernel.frame(kind, request, parts)
  local pieces, size = {}, 0
  for i = 1, #parts do
    pieces[2 * i - 1], pieces[2 * i] = u32(#parts[i]), parts[i]
    size = size + 4 + #parts[i]
  end
  return u32(size) .. u32(kind) .. request .. concat(pieces)
end

local function parts_of(payload)
  local parts, at = {}, 1
  while at <= #payload do
    local size = u32_at(payload, at)
    parts[#parts + 1] = sub(payload, at + 4, at + 3 + size)
    at = at + 4 + size
  end
  return parts
end

local function read_exactly(size)
  local bytes = size == 0 and "" or read(reader, size)
  if not bytes or #bytes < size then
    exit(BROKEN)
  end
  return bytes
end

-- The cell that is to run, or runs, is kernel.cell: request, code, envs, stdin if it has one, final
-- if it may have an answer; later began, last (a frame), caught (what it raised), described (the parts of its ERROR).
local function hear(kind, request, payload)
  if kind ~= EXECUTE and kind ~= ENV and kind ~= REHEARSE then
    return
  end
  local parts, cell = parts_of(payload), { request = request, code = "", envs = {}, results = 0 }
  for i = 1, #parts, 2 do
    local name, value = match(parts[i + 1], "^([^=]+)=(.*)$")
    if parts[i] ~= "env" then
      cell[parts[i]] = parts[i + 1]
    elseif name and kind == ENV then
      kernel.set_variable(name, value)
    elseif name then
      cell.envs[name] = value
    end
  end
  if kind ~= ENV then
    cell.is_rehearsal = kind == REHEARSE
    kernel.cell = cell
  end
end

-- Reading nothing waits for the next byte and takes none, so that what comes between is not lost.
local function listen()
  while true do
    local ok, there, _, number = pcall(read, reader, 0)
    if ok and not there and number ~= INTERRUPTED then
      exit(0)
    elseif there == "" then
      local header = read_exactly(16)
      hear(u32_at(header, 5), sub(header, 9, 16), read_exactly(u32_at(header, 1)))
    end
    yield()
  end
end

-- What was printed before a frame is in the pipes before it.
local function speak(bytes, is_last)
  while true do
    local from = 1
    pcall(flush, stdout)
    pcall(flush, stderr)
    while from <= #bytes do
      local ok, _, number = write(writer, sub(bytes, from, from + SLICE - 1))
      if ok then
        from = from + SLICE
      elseif number ~= INTERRUPTED then
        exit(BROKEN)
      end
    end
    if is_last then
      kernel.cell = nil
    end
    bytes, is_last = yield()
  end
end

-- Let a coroutine go on. That may fail where the stack is deep; one that has died takes all along.
local function go_on(thread, ...)
  local ok, problem = resume(thread, ...)
  if not ok then
    if status(thread) == "dead" then
      exit(BROKEN)
    end
    error(problem, 0)
  end
end

--- Send a frame. Code that was interrupted in here has sent it.
function kernel.say(bytes, is_last)
  go_on(speaker, bytes, is_last)
end

-- ---- errors ----

local Note = {} -- metatable

-- Called for an error in here too, where the stack is deep.
local function note(problem)
  if getmetatable(problem) == Note then
    return problem
  end
  return setmetatable({ problem = problem, trace = traceback("", 2) }, Note)
end

-- The lines of a traceback that are the user's: the last ones are of those who called the cell.
local function users(trace)
  local lines, last = {}, 0
  for line in gmatch(trace, "[^\n]+") do
    if not find(line, HERE, 1, true) then
      last = last + 1
      lines[last] = line
    end
  end
  while last > 0 and find(lines[last], "^\t%[C%]") do
    last = last - 1
  end
  return concat(lines, "\n", 1, last) .. "\n\t[C]: in ?"
end

local TELLS_TAIL_CALLS = _VERSION ~= "Lua 5.1" -- which counts them as levels instead

-- The interpreter's own, but for who called the cell: they are in no coroutine.
function debug.traceback(...)
  local message, level = ...
  local kind = type(message)
  if kind == "thread" or kind ~= "nil" and kind ~= "string" and kind ~= "number" then
    return traceback(...)
  elseif level ~= nil and not tonumber(level) then
    error(format("bad argument #2 to 'traceback' (number expected, got %s)", type(level)), 2)
  end
  level = tonumber(level) or 1
  local own = level == 0 and "\n\t[C]: in function 'debug.traceback'" or ""
  if level < 2 and TELLS_TAIL_CALLS and getinfo(1, "t").istailcall then
    own = own .. "\n\t(...tail calls...)"
  end
  local trace = gsub(traceback("", level == 0 and 2 or level + 1), "^\n", "")
  if find(trace, HERE, 1, true) then
    trace = users(trace)
  end
  trace = gsub(trace, "^stack traceback:", function(head)
    return head .. own
  end)
  return message and message .. "\n" .. trace or trace
end

local function text_of(problem)
  if type(problem) == "string" or type(problem) == "number" then
    return tostring(problem)
  end
  local metatable = getmetatable(problem)
  if metatable and rawget(metatable, "__tostring") then
    return tostring(problem)
  end
  return format("(error object is a %s value)", type(problem))
end

-- The parts of ERROR. In here the user's code runs again: for what an error is as text.
local function describe(caught)
  local value, trace = text_of(caught.problem), caught.trace ~= "" and users(caught.trace) or ""
  value = gsub(value, OWN_LINE, "") -- what called the user's code is no line of his
  return {
    "name", find(value, "interrupted!$") and "KeyboardInterrupt" or caught.name or "LuaError",
    "value", bounded(value),
    "line", match(value, "^cell:(%d+):") or match(trace, "\n\tcell:(%d+):") or "",
    "traceback", bounded(trace ~= "" and value .. "\n" .. trace or value),
  }
end

-- ---- cells ----

-- LuaJIT forgets the cell, and with it the line, when what is called last raises: there that call
-- is not the last one.
local function compile_expression(code)
  local chunk = compile("return " .. code, "=cell", "t")
  if chunk and jit then
    local close_it = find(code, "--", 1, true) and "\n)" or ")"
    chunk = compile("return (function(...) return ... end)(" .. code .. close_it, "=cell")
  end
  return chunk
end

-- Statements, and then an expression, as somebody types them one after the other.
local function compile_parts(code)
  local places, count_of = {}, 0
  for place in gmatch(code, "()[\n;]") do
    count_of = count_of + 1
    places[count_of] = place
  end
  for i = count_of, max(1, count_of - TAILS_MAX), -1 do
    local tail = sub(code, places[i] + 1)
    if #tail > TAIL_MAX then
      return nil
    end
    local head = sub(code, 1, places[i])
    if compile("return " .. tail, "=cell", "t") and compile(head, "=cell", "t") then
      return compile(head .. "return " .. tail, "=cell", "t")
    end
  end
end

-- As the interactive interpreter does: an expression, or else statements.
local function compile_cell(code)
  local chunk = compile_expression((gsub(code, "^=", "", 1)))
  if chunk then
    return chunk
  elseif byte(code) == 27 then
    return nil, "attempt to load a binary chunk"
  end
  local problem
  chunk, problem = compile(code, "=cell", "t")
  if chunk then
    return chunk
  end
  return compile_parts(code), problem
end

local function packed(...)
  return { n = select("#", ...), ... }
end

-- Run something of the user's: what it returns, after true; nil and what it raised.
local function attempt(called)
  local values = packed(xpcall(called, note))
  if values[1] then
    return values
  end
  local caught = values[2]
  if getmetatable(caught) ~= Note then -- there was no room for it
    caught = { problem = caught, trace = "" }
  end
  return nil, caught
end

local UNKNOWN = {} -- caught, as long as it is not known

local function run(cell)
  cell.began, kernel.truncated = true, false
  cell.caught = UNKNOWN
  count = count + 1
  kernel.enter(cell)
  local chunk, problem = compile_cell(cell.code)
  if not chunk then
    cell.caught = { name = "SyntaxError", problem = problem, trace = "" }
    return
  end
  local values, caught = attempt(chunk)
  if values then
    values, caught = attempt(function()
      show_values(values)
    end)
  end
  cell.caught = caught
end

-- What an error is as text may be an error again, and then that is what is told.
local function describe_caught(cell)
  cell.described = { "name", "LuaError", "value", "(an error object that has no text)" }
  local values, caught = attempt(function()
    return describe(cell.caught)
  end)
  if not values then
    values = attempt(function()
      return describe(caught)
    end)
  end
  cell.described = values and values[2] or cell.described
end

local function finish(cell)
  if gethook() then
    sethook()
  end
  kernel.leave()
  local bytes = cell.last or ""
  if cell.described then
    bytes = bytes .. kernel.frame(ERROR, cell.request, cell.described)
  end
  local done = { "execution_count", format("%d", count) }
  if kernel.truncated then
    done[3], done[4] = "truncated", "1"
  end
  if cell.is_rehearsal then
    count = 0
  end
  kernel.say(bytes .. kernel.frame(DONE, cell.request, done), true)
end

-- ---- the conversation ----

-- Whether the interpreter still handles an interrupt; where that cannot be known it is taken to.
local function is_armed()
  local file = open("/proc/self/status")
  local text = file and read(file, "*a")
  if file then
    close(file)
  end
  local caught = text and match(text, "SigCgt:%s*%x*(%x)\n")
  return not caught or find("2367abef", caught, 1, true) ~= nil
end

-- Code may have caught an interrupt without a word; it has taken its time then.
local function has_taken_long()
  local used, second = clock(), time()
  local has = used - last_used > 0.001 or second ~= last_second
  last_used, last_second = used, second
  return has
end

local function may_be_deaf(cell)
  return has_taken_long() or cell.caught or gethook()
end

-- One after the other, until the interpreter is deaf to interrupts. Where an interrupt of its own
-- ends this, the next turn goes on with the cell where it was. So it does after a cell that was
-- interrupted: the end is told when the next cell's interrupt would be heard.
local function take_turns()
  repeat
    if not kernel.cell then
      go_on(listener)
    end
    local cell, is_doubtful = kernel.cell, false
    if cell and not cell.began then
      run(cell)
      if may_be_deaf(cell) and not is_armed() then
        kernel.interrupt_programs()
        return
      end
    end
    if cell then
      if cell.caught and not cell.described then
        describe_caught(cell)
      end
      is_doubtful = may_be_deaf(cell)
      finish(cell)
    end
  until is_doubtful and not is_armed()
end

local function serve()
  local ok, problem = pcall(take_turns)
  local cell = kernel.cell
  if not ok and cell and cell.caught == UNKNOWN then
    cell.caught = { problem = problem, trace = "" }
  end
end

-- Before any code of the user's, so that names may be looked up as usual.
local function start()
  local program = arg and arg[0] or ""
  for i = -1, -1000, -1 do
    if not (arg and arg[i]) then
      break
    end
    program = arg[i]
  end
  arg = { [0] = program }
  writer:setvbuf("no")
  stdout:setvbuf("line")
  listener, speaker = create(listen), create(speak)
  debug.getregistry().codecell = serve
  kernel.say(kernel.frame(READY, ("\0"):rep(8), { "language", "lua", "version",
    jit and jit.version or _VERSION, "executable", program }))
end

start()
serve()
