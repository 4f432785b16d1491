local screen = require "spec.support.screen"
local shell = require "spec.support.shell"

local HANGUP, TERMINATE, KILL = 1, 15, 9
local PROMPT = "$ "

local function on_terminal(steps, options)
  return screen.run(shell.codecell .. " shell " .. (options and options.words or ""), steps,
    options)
end

describe("codecell shell #user #once", function()
  it("is a shell in a sandbox, of the size of the terminal, and follows it", function()
    local answer = on_terminal({ { "expect", PROMPT },
      { "send", "stty size; uname -n; echo $TERM\r" }, { "expect", "30 90\r\nsandbox\r\nxterm" },
      { "expect", PROMPT }, { "size", 40, 120 },
      -- The news of the size goes its own way.
      { "send", "until [ \"$(stty size)\" = '40 120' ]; do sleep 0.1; done; echo fol''lowed\r" },
      { "expect", "followed" }, { "send", "exit 3\r" }, { "end" } },
      { rows = 30, columns = 90 })
    assert.equal(3, answer.status)
    assert.is_true(answer.is_restored)
  end)

  it("passes every key on, Ctrl-C too, and ends at Ctrl-D", function()
    local answer = on_terminal { { "expect", PROMPT },
      { "send", "sh -c 'echo be\"\"gun; exec sleep 1000'\r" }, { "expect", "begun" },
      { "send", "\3" }, { "expect", PROMPT }, { "send", "echo status $?\r" },
      { "expect", "status 130" }, { "expect", PROMPT }, { "send", "\4" }, { "end" } }
    assert.equal(0, answer.status) -- that of the last command, as of any shell
    assert.is_true(answer.is_restored)
  end)

  it("runs one command, with its status", function()
    local answer = on_terminal({ { "expect", "it is a terminal" }, { "end" } },
      { words = "'[ -t 0 ] && echo it is a terminal; exit 4'" })
    assert.equal(4, answer.status)
  end)

  it("leaves no mode of the code's, and nothing that it had the terminal say #S061", function()
    local hostile = "'printf \"\\033[?1049h\\033[?1003h\\033[6n\\033]0;mine\"; "
      .. "echo ready; read -r _'"
    local answer = on_terminal({ { "expect", "ready" }, { "send", "\27[1;1R\r" }, { "end" } },
      { words = hostile })
    for _, off in ipairs { "\27\\", "\27[!p", "\27[?1003l", "\27[?1004l", "\27[?1047l" } do
      assert.truthy(answer.rest:find(off, 1, true), off)
    end
    assert.is_true(answer.is_restored)
  end)

  it("leaves the terminal as it was, whatever ends it", function()
    for _, number in ipairs { HANGUP, TERMINATE, KILL } do
      local answer = on_terminal { { "expect", PROMPT }, { "signal", number }, { "end" } }
      assert.equal(-number, answer.status)
      assert.is_true(answer.is_restored)
    end
  end)

  it("ends when its sandbox does, and says so", function()
    local answer = on_terminal { { "expect", PROMPT }, { "send", "kill -9 $$\r" }, { "end" } }
    assert.equal(137, answer.status)
    assert.is_true(answer.is_restored)
  end)

  it("wants a terminal", function()
    local result = shell.run(shell.codecell .. " shell")
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find("codecell run -l bash FILE", 1, true))
  end)
end)
