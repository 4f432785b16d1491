--- The same small pieces of code in every language, for the tests of what holds in each of them.
---
--- Of each language: `print(text)` and `complain(text)` on the two streams, at once; `run` puts
--- pieces together to a program; and pieces by what they do. In those `%s` is for a name of a file.
local snippets = {}

-- As every language here but PHP and bash reads it.
local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function pattern(format)
  return function(text)
    return (format:gsub("TEXT", function() return quoted(text) end))
  end
end

local JAVASCRIPT = {
  print = pattern("process.stdout.write(TEXT)"),
  complain = pattern("process.stderr.write(TEXT)"),
  value = { code = "6 * 7", text = "42" },
  set = "kept = 'here'",
  get = "typeof kept === 'undefined' ? 'gone' : kept",
  write = "require('fs').writeFileSync('%s', 'still here')",
  append = "require('fs').appendFileSync('%s', 'x')",
  read = "process.stdout.write(require('fs').readFileSync('%s', 'utf8'))",
  fail = { code = "throw new RangeError('oops')", name = "RangeError", value = "oops" },
  nonsense = { code = "x = = 1", name = "SyntaxError" },
  forever = "while (true) {}",
  flood = "process.stdout.write('x'.repeat(1000000))",
  variable = "console.log(process.env.ONCE ?? '-', process.env.LASTING ?? '-')",
  input = "console.log(require('fs').readFileSync(0, 'utf8').split('\\n')[0])",
  folder = "process.stdout.write(process.cwd())",
  display = "display('shown')",
  displays = "for (let i = 0; i < 1500; i++) display(i)",
  fill = "require('fs').writeFileSync('big', Buffer.alloc(20000000))",
  hog = "hog = []; while (true) hog.push(new Array(100000).fill(hog.length))",
  leave = "process.exit(3)",
  suicide = "process.kill(process.pid, 'SIGKILL')",
  binary = "process.stdout.write(Buffer.from([97, 255, 0, 98]))",
  child = "require('child_process').execSync('%s')",
  await = "while (!require('fs').existsSync('%s')) await new Promise(go => setTimeout(go, 5))",
  comment = "// nothing",
  pad = "// padding\n",
}

local function with(base, more)
  local all = {}
  for name, code in pairs(base) do
    all[name] = code
  end
  for name, code in pairs(more) do
    all[name] = code
  end
  return all
end

--- Those that keep a session.
snippets.names = { "python", "javascript", "typescript", "lua", "bash" }
snippets.sessions = {
  python = {
    print = pattern("print(TEXT, end='', flush=True)"),
    complain = pattern("import sys; print(TEXT, end='', file=sys.stderr, flush=True)"),
    value = { code = "6 * 7", text = "42" },
    set = "kept = 'here'",
    get = "globals().get('kept', 'gone')",
    write = "_ = open('%s', 'w').write('still here')",
    append = "_ = open('%s', 'a').write('x')",
    read = "print(open('%s').read(), end='')",
    fail = { code = "raise IndexError('oops')", name = "IndexError", value = "oops" },
    nonsense = { code = "x = = 1", name = "SyntaxError" },
    forever = "while True: pass",
    stubborn = "try:\n  while True: pass\nexcept KeyboardInterrupt: pass\nwhile True: pass",
    flood = "print('x' * 1000000, end='')",
    variable = "import os; print(os.environ.get('ONCE', '-'), os.environ.get('LASTING', '-'))",
    input = "print(input())",
    folder = "import os; print(os.getcwd(), end='')",
    display = "display('shown')",
    displays = "for i in range(1500): display(i)",
    fill = "_ = open('big', 'wb').write(bytes(20000000))",
    hog = "hog = []\nwhile True: hog.append(b'x' * (1 << 22))",
    refused = "MemoryError",
    leave = "import os; os._exit(3)",
    suicide = "import os; os.kill(os.getpid(), 9)",
    binary = "import os; _ = os.write(1, b'a\\xff\\0b')",
    child = "import subprocess; subprocess.run('%s'.split())",
    await = "import os, time\nwhile not os.path.exists('%s'): time.sleep(0.005)",
    comment = "# nothing",
    pad = "# padding\n",
  },
  javascript = JAVASCRIPT,
  typescript = with(JAVASCRIPT, {
    value = { code = "const six: number = 6; six * 7", text = "42" },
    set = "var kept: string = 'here'",
  }),
  lua = {
    print = pattern("io.stdout:write(TEXT) io.stdout:flush()"),
    complain = pattern("io.stderr:write(TEXT)"),
    value = { code = "return 6 * 7", text = "42" },
    set = "kept = 'here'",
    get = "kept or 'gone'",
    write = "local file = io.open('%s', 'w') file:write('still here') file:close()",
    append = "local file = io.open('%s', 'a') file:write('x') file:close()",
    read = "local file = io.open('%s') io.write(file:read('*a')) file:close()",
    fail = { code = "error('oops')", name = "LuaError", value = "cell:2: oops" },
    nonsense = { code = "x = = 1", name = "SyntaxError" },
    forever = "while true do end",
    flood = "io.write(('x'):rep(1000000))",
    variable = "print((os.getenv('ONCE') or '-') .. ' ' .. (os.getenv('LASTING') or '-'))",
    input = "print(io.read())",
    folder = "local pipe = io.popen('pwd') io.write(pipe:read()) pipe:close()",
    display = "display('shown')",
    displays = "for i = 1, 1500 do display(i) end",
    fill = "local file = io.open('big', 'w') assert(file:write(('x'):rep(20000000)))",
    hog = "hog = {} while true do hog[#hog + 1] = ('x'):rep(2 ^ 22 + #hog) end",
    leave = "os.exit(3)",
    refused = "LuaError",
    suicide = "os.execute('kill -9 $PPID')",
    binary = "io.write('a\\255\\0b')",
    child = "os.execute('%s')",
    await = "os.execute('until test -e %s; do sleep 0.005; done')",
    comment = "-- nothing",
    pad = "-- padding\n",
  },
  bash = {
    print = function(text) return "printf %s '" .. text .. "'" end,
    complain = function(text) return "printf %s '" .. text .. "' >&2" end,
    set = "kept=here",
    get = "echo ${kept-gone}",
    write = "printf 'still here' >%s",
    append = "printf x >>%s",
    read = "cat %s",
    fail = { code = "(exit 7)", name = "ExitError", value = "7", no_line = true },
    nonsense = { code = "done", name = "SyntaxError", is_late = true },
    forever = "while :; do :; done",
    flood = "head -c 1000000 /dev/zero | tr '\\0' x",
    variable = "echo ${ONCE--} ${LASTING--}",
    input = "read line; echo $line",
    folder = "printf %s \"$PWD\"",
    fill = "head -c 20000000 /dev/zero >big",
    hog = "hog=x; while :; do hog=$hog$hog; done",
    leave = "exit 3",
    suicide = "kill -9 $$",
    binary = "printf 'a\\377\\0b'",
    child = "%s",
    await = "until [[ -e %s ]]; do sleep 0.005; done",
    comment = "# nothing",
    pad = "# padding\n",
  },
}

--- Those that are compiled and run once; `run` makes a program of pieces.
snippets.programs = {}

return snippets
