-- shell.lua -- runs command lines as a user would, and gives back what they wrote.

local shell = {}

local TIME_MAX = 200 -- seconds that nothing here takes

--- A word for the shell.
function shell.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- The `codecell` command under test, as a word for the shell.
shell.codecell = shell.quote(os.getenv "CODECELL_COMMAND" or "codecell")

--- The interpreter under test, as a word for the shell.
shell.lua = shell.quote(os.getenv "CODECELL_LUA" or arg[-1] or "lua")

--- What a file holds; nil when there is none.
function shell.read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read "*a"
  file:close()
  return text
end

function shell.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

--- A new empty folder; the caller removes it with shell.remove.
function shell.folder()
  local pipe = assert(io.popen "mktemp -d")
  local path = pipe:read "*l"
  pipe:close()
  return assert(path)
end

function shell.remove(path)
  os.execute("rm -rf " .. shell.quote(path))
end

--- Run a command line in a folder of its own (or options.folder) to its end,
--- with options.stdin as its input. Returns {stdout, stderr, status}.
function shell.run(line, options)
  options = options or {}
  local work = shell.folder()
  shell.write(work .. "/in", options.stdin or "")
  local folder = shell.quote(options.folder or work)
  os.execute(("cd %s && timeout -k 5 %d sh -c %s <%s/in >%s/out 2>%s/err; echo $? >%s/status")
    :format(folder, options.time or TIME_MAX, shell.quote(line), work, work, work, work))
  local result = {
    stdout = shell.read(work .. "/out"),
    stderr = shell.read(work .. "/err"),
    status = tonumber((shell.read(work .. "/status"))),
  }
  shell.remove(work)
  return result
end

return shell
