-- What a cell of the Lua kernel (lua.lua) is given: variables of the environment, standard input;
-- and the commands that it starts.
local kernel = debug.getregistry().codecell

local error, next, pcall, select, tostring, type = error, next, pcall, select, tostring, type
local find, format, gsub = string.find, string.format, string.gsub
local concat = table.concat
local execute, getenv, remove, tmpname = os.execute, os.getenv, os.remove, os.tmpname
local set_input, open, popen = io.input, io.open, io.popen
local os, io, stdin, stdout = os, io, io.stdin, io.stdout
local close, flush, write = stdout.close, stdout.flush, stdout.write

-- Nothing that this process starts has its wire.
local WITHOUT_WIRE = "exec 3<&- 4>&- 5<&- 6>&-"
local HAS_STATUS = _VERSION ~= "Lua 5.1" -- the end of a pipe has
local SIGINT = 2
local KILLED = 128 -- and the signal: what a shell says of its last program

local variables = {} -- of the environment, as the host has changed it
local envs, input_path = {}, nil -- of the running cell
local input -- of the running cell: a file

-- The first argument of a function that stands for one of the interpreter's, as that takes it; what
-- is wrong with it is told in the caller's line.
local function text_argument(called, ...)
  local value = ...
  if type(value) ~= "string" and type(value) ~= "number" then
    local got = select("#", ...) == 0 and "no value" or type(value)
    error(format("bad argument #1 to '%s' (string expected, got %s)", called, got), 3)
  end
  return tostring(value)
end

local function find_variable(...)
  local name = text_argument("getenv", ...)
  return envs[name] or variables[name] or getenv(name)
end

-- The interpreter's own function, as long as it knows as much.
local function replace_getenv()
  if os.getenv == getenv and (next(variables) or next(envs)) then
    os.getenv = find_variable
  end
end

--- Set a variable for good. What the host has exposed since the start is a module too.
function kernel.set_variable(name, value)
  if name == "CODECELL_HOST" and not variables[name] then
    package.path = package.path .. ";" .. value .. "/lua/?.lua"
  end
  variables[name] = value
  replace_getenv()
end

local function shell_quoted(text)
  return "'" .. gsub(text, "'", "'\\''") .. "'"
end

-- A command with what this cell has.
local function dressed(command, is_fed)
  local pieces = { WITHOUT_WIRE }
  if not is_fed then
    pieces[1] = pieces[1] .. " <" .. shell_quoted(input_path or "/dev/null")
  end
  for _, set in next, { variables, envs } do
    for name, value in next, set do
      if find(name, "^[%a_][%w_]*$") then
        pieces[#pieces + 1] = "export " .. name .. "=" .. shell_quoted(value)
      end
    end
  end
  -- dash drops an interrupt that comes as it starts a program, but not in a shell of its own.
  -- A text in the command may end where the command does.
  pieces[#pieces + 1] = find(command, "<<", 1, true) and command or "(" .. command .. "\n)"
  return concat(pieces, "; ")
end

-- What a program that an interrupt has ended amounts to, by its wait status.
local function outcome(...)
  if ... == SIGINT or ... == (KILLED + SIGINT) * 256 then
    error("interrupted!", 3)
  end
  return ...
end

-- The interpreter is deaf to an interrupt while it waits for a program in os.execute, but not in
-- the end of a pipe, which tells the same since 5.2.
function os.execute(command)
  if command == nil then
    return execute()
  end
  command = text_argument("execute", command)
  flush(stdout)
  if not HAS_STATUS then
    return outcome(execute(dressed(command)))
  end
  local program, message, number = popen(dressed(command), "w")
  if not program then
    return program, message, number
  end
  return close(program)
end

function io.popen(...)
  local command, mode = text_argument("popen", ...), select(2, ...)
  if mode ~= nil and mode ~= "r" and mode ~= "w" then
    error("bad argument #2 to 'popen' (invalid mode)", 2)
  end
  flush(stdout)
  return popen(dressed(command, mode == "w"), mode)
end

--- Interrupt what the cell's programs are. An interrupt that comes as one starts ends the cell but
--- not the program, which nobody waits for any more but the collector: for as long as it runs, and
--- deaf. In here this interpreter and the shell are deaf too, and so nothing else ends.
function kernel.interrupt_programs()
  execute("trap '' INT; kill -INT 0")
end

-- The file stays as long as a program that the last cell has started may be about to open it.
local function remove_input()
  if input_path then
    remove(input_path)
    input_path = nil
  end
end

local function checked(value, message)
  if not value then
    error("the input of the cell cannot be kept: " .. message, 0)
  end
  return value
end

--- Give a cell its own variables and input.
function kernel.enter(cell)
  envs = cell.envs
  replace_getenv()
  kernel.let_answer(cell)
  remove_input()
  if cell.stdin then
    input_path = tmpname()
    local file = checked(open(input_path, "wb"))
    checked(write(file, cell.stdin))
    checked(close(file))
    input = checked(open(input_path, "rb"))
    io.stdin = input
    set_input(input)
  end
end

--- Take them back.
function kernel.leave()
  envs = {}
  kernel.let_answer()
  if input then
    io.stdin = stdin
    set_input(stdin)
    pcall(close, input)
    input = nil
  end
end
