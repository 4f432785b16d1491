local screen = require "spec.support.screen"
local shell = require "spec.support.shell"

local PROMPT = "\27[?2004h" -- each comes with it

local folder

local function on_terminal(steps, words)
  return screen.run(shell.codecell .. " repl " .. (words or ""), steps,
    { variables = "XDG_STATE_HOME=" .. folder })
end

local function history()
  return shell.read(folder .. "/codecell/repl_history") or ""
end

-- A typed line, and what it shows.
local function add(steps, text, expected)
  steps[#steps + 1] = { "send", text }
  steps[#steps + 1] = { "expect", expected }
end

describe("codecell repl #user #once", function()
  before_each(function()
    folder = shell.folder()
  end)

  after_each(function()
    shell.remove(folder)
  end)

  it("keeps variables from line to line, and ends at Ctrl-D", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "x = 20\r", PROMPT)
    add(steps, "x * 2 + 2\r", "42\r\n")
    add(steps, "\4", "\r\n")
    steps[#steps + 1] = { "end" }
    local answer = on_terminal(steps)
    assert.equal(0, answer.status)
    assert.is_true(answer.is_restored)
    assert.equal('"x = 20"\n"x * 2 + 2"\n', history())
    assert.truthy(shell.run("stat -c %a " .. folder .. "/codecell/repl_history").stdout
      :find "^600\n")
  end)

  it("ends at what ends other programs of this sort", function()
    for _, word in ipairs { "exit", "quit()", "%quit", ".exit" } do
      local steps = { { "expect", PROMPT } }
      add(steps, word .. "\r", "\r\n")
      steps[#steps + 1] = { "end" }
      assert.equal(0, on_terminal(steps).status, word)
    end
  end)

  it("shows output as it comes; Ctrl-C interrupts the code and keeps the variables", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "x = 'ke' + 'pt'; import time\r", PROMPT)
    add(steps, "print('beg' + 'un'); time.sleep(1000)\r", "begun\r\n")
    add(steps, "\3", "KeyboardInterrupt")
    add(steps, "x\r", "kept\r\n")
    on_terminal(steps)
  end)

  it("hears Ctrl-C while output floods", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "while True: print('x' * 80)\r", ("x"):rep(80))
    add(steps, "\3", "KeyboardInterrupt")
    add(steps, "6 * 7\r", "42\r\n")
    on_terminal(steps)
  end)

  it("starts the interpreter again when Ctrl-C is typed three times", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "import signal\r", PROMPT)
    add(steps, "exec('signal.signal(2, signal.SIG_IGN); print(20 + 22)\\nwhile True: pass')\r",
      "42\r\n")
    steps[#steps + 1] = { "repeat", "\3", "once more" }
    steps[#steps + 1] = { "repeat", "\3", "variables are lost" }
    add(steps, "6 * 7\r", "42\r\n")
    on_terminal(steps)
  end)

  it("goes on in the next line until the code is whole, with its indentation", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "def double(value):\r", "...")
    steps[#steps + 1] = { "expect", "    " }
    add(steps, "return value * 2", "return value * 2")
    add(steps, "\r", "... ")
    add(steps, "\r", PROMPT)
    add(steps, "double(21)\r", "42\r\n")
    add(steps, "(1 +\r", "...")
    add(steps, "1)\r", "2\r\n")
    on_terminal(steps)
    assert.truthy(history():find('"def double(value):\\n    return value * 2"\n', 1, true))
  end)

  it("runs what is pasted as it is, with its empty lines", function()
    local pasted = "for i in range(2):\n    print('li' + 'ne', i)\n\n    print('al' + 'so')\n"
    local steps = { { "expect", PROMPT } }
    add(steps, "\27[200~" .. pasted .. "\27[201~\r", "line 0\r\nalso\r\nline 1\r\nalso\r\n")
    on_terminal(steps)
  end)

  it("completes names of the session with Tab, and lists them", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "visits_a = visits_b = 41\r", PROMPT)
    add(steps, "vis\t", "visits_")
    add(steps, "\t", "visits_a  visits_b")
    add(steps, "a + 1\r", "42\r\n")
    add(steps, "import os\r", PROMPT)
    add(steps, "os.path.basena\t('a/b" .. "c')\r", "bc\r\n")
    on_terminal(steps)
  end)

  it("edits what was typed before, and looks for it", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "6 * 7\r", "42\r\n")
    add(steps, "'o' + 'ther'\r", "other\r\n")
    add(steps, "\27[A\27[A\127" .. "8\r", "48\r\n") -- 6 * 7 to 6 * 8
    add(steps, "\18ther\r", "other\r\n")
    add(steps, "dropped\1# \3", "^C")
    add(steps, "'e'\1\5 + 'nd'\r", "end\r\n")
    on_terminal(steps)
  end)

  it("has every language, each with variables of its own", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "x = 1\r", PROMPT)
    add(steps, "%lang js\r", PROMPT)
    add(steps, "const found = { key: 6 * 7 }\r", PROMPT)
    add(steps, "fou\t.ke\t\r", "42\r\n")
    add(steps, "%lang bash\r", PROMPT)
    add(steps, "for i in a b; do\r", "... ")
    add(steps, "echo $i$i; done\r", "aa\r\nbb\r\n")
    add(steps, "%lang nothing\r", "unknown language")
    add(steps, "%lang python\r", PROMPT)
    add(steps, "x + 41\r", "42\r\n")
    add(steps, "%reset\r", "forgotten")
    add(steps, "x\r", "NameError")
    on_terminal(steps)
  end)

  it("writes what was run to a file with %save, and over none that is there", function()
    local path = folder .. "/session.py"
    local steps = { { "expect", PROMPT } }
    add(steps, "6 * 7\r", "42\r\n")
    add(steps, "%save " .. path .. "\r", "wrote ")
    add(steps, "%save " .. path .. "\r", "is there already")
    on_terminal(steps)
    assert.truthy(shell.read(path):find("6 * 7", 1, true))
  end)

  it("keeps no secret in its history, and not what begins with a blank", function()
    local steps = { { "expect", PROMPT } }
    local lines = { "password = 'x'", "key = 'sk-abcdefghijklmnopqrst'", "print('from-the-host')",
      "os.environ['API_KEY'] = 'y'", " 5", "6" }
    for _, line in ipairs(lines) do
      add(steps, line .. "\r", PROMPT)
    end
    steps[#steps + 1] = { "send", "\4" }
    steps[#steps + 1] = { "end" }
    on_terminal(steps, "--env GIVEN=from-the-host")
    assert.equal('"6"\n', history())
  end)

  it("draws pictures where the terminal can", function()
    local steps = { { "expect", PROMPT } }
    add(steps, "import struct, zlib; from IPython.display import Image\r", PROMPT)
    add(steps, "part = lambda name, data: struct.pack('>I', len(data)) + name + data + "
      .. "struct.pack('>I', zlib.crc32(name + data))\r", PROMPT)
    add(steps, "size = struct.pack('>IIBBBBB', 2, 2, 8, 2, 0, 0, 0)\r", PROMPT)
    add(steps, "Image(b'\\x89PNG\\r\\n\\x1a\\n' + part(b'IHDR', size) + part(b'IDAT', "
      .. "zlib.compress((b'\\0' + b'\\xff\\0\\0' * 2) * 2)) + part(b'IEND', b''))\r",
      "\226\150\128") -- an upper half block
    on_terminal(steps)
  end)

  it("leaves the terminal as it was when it is killed", function()
    local answer = on_terminal { { "expect", PROMPT }, { "signal", 9 }, { "end" } }
    assert.equal(-9, answer.status)
    assert.is_true(answer.is_restored)
  end)

  it("looks right on a screen", function()
    if shell.run("command -v tmux").status ~= 0 then
      return pending "tmux is not installed"
    end
    -- Wide characters, a long line and one that was edited in its middle.
    local script = ([[
tmux() { SHELL=/bin/sh command tmux -L "codecell-$$" -f /dev/null "$@"; }
trap 'tmux kill-server' EXIT
seen() { i=0; until tmux capture-pane -p | grep -qF "$1"; do
  i=$((i+1)); [ $i -lt 300 ] || { tmux capture-pane -p; exit 1; }; sleep 0.1; done; }
tmux new-session -d -x 40 -y 12 "XDG_STATE_HOME=%s %s repl; echo status \$?; sleep 60"
seen '>>>'
tmux send-keys "text = '中文 und noch viel mehr, das nicht in eine Zeile passt'" Enter
seen 'passt'
tmux send-keys 'len(text' x ')' Left BSpace Enter
tmux send-keys 'lost' C-h C-u '41 + 1' Enter
seen '42'
tmux capture-pane -p
]]):format(folder, shell.codecell)
    local result = shell.run("sh -s", { stdin = script })
    assert.equal(0, result.status, result.stdout .. result.stderr)
    assert.truthy(result.stdout:find(">>> text = '中文 und noch viel mehr, da\n"
      .. "s nicht in eine Zeile passt'\n>>> len(text)\n52\n>>> 41 + 1\n42\n>>>\n", 1, true),
      result.stdout)
  end)
end)

describe("codecell repl in a pipe #user", function()
  local function run(text, words)
    return shell.run(shell.codecell .. " repl " .. (words or ""), { stdin = text })
  end

  it("is what a dumb terminal gets, which would show what it does not obey", function()
    if shell.run("script -qec true /dev/null").status ~= 0 then
      return pending "there is no script command"
    end
    local result = shell.run("TERM=dumb script -qec " .. shell.quote(shell.codecell .. " repl")
      .. " /dev/null", { stdin = "6 * 7\n" })
    assert.truthy(result.stdout:find("42\r\n", 1, true), result.stdout .. result.stderr)
    assert.falsy(result.stdout:find("\27", 1, true))
  end)

  it("runs piece after piece, without prompts", function()
    local result = run("x = 1\nfor i in range(2):\n    print(i)\nprint('then')\n\ndef f():\n"
      .. "    return 41\n\nx + f()\n%lang bash\necho $((6 * 7))\n")
    assert.equal("0\n1\nthen\n42\n42\n", result.stdout)
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)

  it("goes on after an error; its status is that of the last piece", function()
    local result = run "1 / 0\nprint('on')\n"
    assert.equal("on\n", result.stdout)
    assert.truthy(result.stderr:find("ZeroDivisionError", 1, true))
    assert.equal(0, result.status)
    assert.equal(1, run("1\n1 / 0").status)
  end)

  it("says once that variables are lost, and ends at exit", function()
    local result = run("x=1\nexit 0 # of itself\necho [$x]\nkill -9 $$\necho on\nexit\necho no\n",
      "-l bash")
    assert.equal("[]\non\n", result.stdout)
    assert.equal(2, select(2, result.stderr:gsub("variables are lost", "")), result.stderr)
    assert.equal(0, result.status)
  end)

  it("says what is wrong with its words", function()
    local cases = { ["file.py"] = "codecell run FILE", ["-l nothing"] = "unknown language",
      ["--save /nothing"] = "no folder" }
    for words, expected in pairs(cases) do
      local result = run("", words)
      assert.equal(2, result.status, words)
      assert.truthy(result.stderr:find(expected, 1, true), result.stderr)
    end
  end)
end)
