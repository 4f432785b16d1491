--- The `codecell` command: finds the command that is asked for, reads its
--- options, and answers with an exit status.
local core = require "codecell.core"
local help = require "codecell.command.help"
local nearest = require "codecell.nearest"
local options = require "codecell.command.options"

local command = {}

--- Exit statuses, the same for every command.
command.status = {
  success = 0,
  code_failed = 1,
  usage = 2,
  timed_out = 124,
  failed = 125,
  interrupted = 130,
  out_of_memory = 137,
  unread = 141, -- as of a program that SIGPIPE has ended
}

-- In the order in which the help lists them; each is a module of this folder.
local NAMES = {
  "run",
  "interpret",
  "shell",
  "repl",
  "git",
  "doctest",
  "doctor",
  "ls",
  "kill",
  "template",
  "snapshot",
  "packages",
  "actions",
  "agent",
  "agent-config",
  "tools",
  "config",
  "languages",
  "errors",
  "audit",
  "purge",
  "freeze",
  "usage",
  "metrics",
  "bench",
  "serve",
  "mcp",
  "completion",
  "selftest",
}

--- Give up: one line for the user, and status 125.
---@param message string
function command.abort(message)
  error({ abort = message }, 0)
end

--- A path from the root, for a program that runs in another folder, or later.
---@param path string
---@return string
function command.absolute(path)
  if path:sub(1, 1) == "/" then
    return path
  end
  local folder, err = core.working_folder()
  if not folder then
    command.abort(tostring(err))
  end
  return folder:gsub("/$", "") .. "/" .. path
end

-- Characters of several bytes that steer a terminal stand only within texts of JSON.
local function escaped(text)
  return (text:gsub("\194([\128-\159])", function(last)
    return ("\\u%04x"):format(last:byte())
  end):gsub("\127", "\\u007f"):gsub("\226\128[\142\143\168-\174]", function(character)
    return ("\\u%04x"):format(0x2000 + character:byte(3) - 128)
  end):gsub("\226\129[\166-\169]", function(character)
    return ("\\u%04x"):format(0x2040 + character:byte(3) - 128)
  end))
end

--- One line of JSON on standard output; nothing in it is for a terminal to obey.
---@param value any
function command.print_json(value)
  local text, err = require("codecell.json").encode(value)
  if not text then
    command.abort(tostring(err))
  end
  text = text:find("[\127\194\226]") and escaped(text) or text
  command.write(text, "\n")
end

--- What was done to a stream of output, as its verbs return it: gives up if it failed, and without
--- a word if nobody reads it any more.
---@param done any
---@param message string?
---@param number integer?
function command.check_written(done, message, number)
  if not done and number == core.errno.EPIPE then
    error({ is_unread = true }, 0)
  elseif not done then
    command.abort("cannot write the output: " .. tostring(message))
  end
end

--- Text on standard output. Raises when nobody can take it.
---@param ... string
function command.write(...)
  command.check_written(io.stdout:write(...))
end

--- What was written so far leaves this program. Raises when nobody can take it.
function command.flush()
  command.check_written(io.stdout:flush())
end

--- The table of a command, as command/help.lua has it.
---@param name string
---@return table? found nil when there is none of that name
function command.find(name)
  for _, known in ipairs(NAMES) do
    if known == name then
      local found = require("codecell.command." .. name)
      found.name = name
      return found
    end
  end
end

--- All commands, in the order of the help.
---@return table[]
function command.all()
  local list = {}
  for i, name in ipairs(NAMES) do
    list[i] = command.find(name)
  end
  return list
end

local function complain(text)
  io.stderr:write("codecell", (text:gsub("%c", "?")), "\n")
  return command.status.usage
end

local function misused(name, message)
  local joint = message:sub(-1) == "?" and " " or "; "
  return complain((" %s: %s%ssee 'codecell %s --help'"):format(name, message, joint, name))
end

local function show_overview()
  command.write(help.overview(command.all()))
  return command.status.success
end

local function show_help(found)
  command.write(help.text(found))
  return command.status.success
end

local function unknown_command(name)
  local near = nearest(name, NAMES)
  return complain(": unknown command " .. name .. "; "
    .. (near and "did you mean " .. near .. "?" or "'codecell --help' lists all"))
end

-- What was typed before the first command: `--help`, `--version`, nothing.
local function global(word)
  if word == nil then
    io.stderr:write(help.overview(command.all()))
    return complain(": give a command")
  elseif word == "--help" or word == "-h" then
    return show_overview()
  elseif word == "--version" or word == "-V" then
    local codecell = require "codecell"
    command.write(codecell._NAME, " ", codecell._VERSION, "\n")
    return command.status.success
  end
  return complain((": unknown option %s before a command; 'codecell --help' lists all")
    :format(word))
end

local function dispatch(words)
  local name = words[1]
  if name == nil or name:sub(1, 1) == "-" then
    return global(name)
  elseif name == "help" then
    local found = words[2] and command.find(words[2])
    if words[2] and not found then
      return unknown_command(words[2])
    end
    return found and show_help(found) or show_overview()
  end
  local found = command.find(name)
  if not found then
    return unknown_command(name)
  end
  local rest = {}
  for i = 2, #words do
    rest[#rest + 1] = words[i]
  end
  local given, arguments = options.parse(help.options(found), rest, found.stops_at_words)
  if not given then
    return misused(name, arguments)
  elseif given.help then
    return show_help(found)
  end
  local status, message = found.run(given, arguments)
  if not status then
    return misused(name, message)
  end
  return status
end

--- Run one command line. Ends nothing: the caller passes the status to os.exit.
---@param words string[] the words behind the program's name
---@return integer status 0, 1 the code failed, 2 bad usage, 124 out of time, 125 codecell failed,
--- 130 interrupted, 137 out of memory
function command.main(words)
  local function work()
    local status = dispatch(words)
    command.flush()
    return status
  end
  local _, status = xpcall(work, function(problem)
    if type(problem) == "table" and problem.is_unread then
      return command.status.unread
    elseif type(problem) == "table" and problem.abort then
      complain(": " .. problem.abort)
      return command.status.failed
    elseif tostring(problem):find("interrupted!", 1, true) then
      return command.status.interrupted -- so the interpreter's own handler of Ctrl-C says it
    end
    io.stderr:write(debug.traceback("codecell failed: " .. tostring(problem), 2), "\n")
    return command.status.failed
  end)
  local ends = package.loaded["codecell.e2b.ends"]
  if ends then -- before Lua 5.2 os.exit ends no state
    ends.hurry()
  end
  return status
end

return command
