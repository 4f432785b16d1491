local cjson = require "cjson"
local shell = require "spec.support.shell"

describe("codecell audit #once", function()
  local folder, path

  before_each(function()
    folder = shell.folder()
    path = shell.quote(folder .. "/audit.jsonl")
  end)

  after_each(function()
    shell.remove(folder)
  end)

  -- In an environment in which nothing else is kept.
  local function codecell(words, options)
    return shell.run(("env XDG_STATE_HOME=%s %s %s"):format(folder, shell.codecell, words), options)
  end

  local function succeeds(words, options)
    local result = codecell(words, options)
    assert.equal(0, result.status, result.stdout .. result.stderr)
    return result.stdout
  end

  local function record(code)
    return succeeds(("run --audit %s -c %s"):format(path, shell.quote(code)))
  end

  it("verifies what run has recorded, and names the line of a flipped byte #K11", function()
    record "print('one')"
    record "print('two')"
    assert.equal("as it was written: 11 records\n", succeeds("audit verify " .. path))
    local text = shell.read(folder .. "/audit.jsonl")
    shell.write(folder .. "/audit.jsonl", (text:gsub("print%('one'%)", "print('two')", 1)))
    local result = codecell("audit verify " .. path)
    assert.equal(1, result.status)
    assert.truthy(result.stdout:find("line 4: its content", 1, true), result.stdout)
    assert.truthy(result.stdout:find("NOT as it was written", 1, true))
    local report = cjson.decode(codecell("audit verify --json " .. path).stdout)
    assert.is_false(report.ok)
    assert.equal(4, report.problems[1].line)
    assert.equal(1, codecell("audit anchor " .. path).status)
  end)

  it("writes what others can check without codecell, as its document shows #K11", function()
    record "print('one')"
    local anchor = succeeds("audit anchor " .. path)
    local program = shell.read("docs/audit.md"):match("```python\n(.-)```")
    shell.write(folder .. "/check.py", program)
    local line = ("python3 check.py %s"):format(path)
    local result = shell.run(line, { folder = folder })
    assert.equal("6 records, " .. anchor, result.stdout, result.stderr)
    local text = shell.read(folder .. "/audit.jsonl")
    shell.write(folder .. "/audit.jsonl", (text:gsub("'one'", "'two'", 1)))
    result = shell.run(line, { folder = folder })
    assert.truthy(result.stderr:find("line 4: content", 1, true), result.stderr)
  end)

  it("prints an anchor that shows that all was made anew #K11", function()
    record "1"
    local anchor = succeeds("audit anchor " .. path):gsub("\n", "")
    succeeds(("audit verify --anchor %s %s"):format(shell.quote(anchor), path))
    os.execute("rm " .. path .. "*")
    record "1"
    succeeds("audit verify " .. path)
    assert.equal(1, codecell(("audit verify --anchor %s %s"):format(shell.quote(anchor),
      path)).status)
    assert.equal(2, codecell(("audit verify --anchor none %s"):format(path)).status)
  end)

  it("lists sessions, shows records, and hides nothing of a terminal's in them", function()
    record "print('\\x1b[31mred \x7f\xc2\x9b31m\xe2\x80\xaetxt')"
    local listed = cjson.decode(succeeds("audit ls --json " .. path))
    assert.equal(1, #listed)
    assert.equal(1, listed[1].runs)
    assert.truthy(succeeds("audit ls " .. path):find(listed[1].sandbox, 1, true))
    local shown = succeeds("audit show " .. path)
    assert.truthy(shown:find("run before", 1, true))
    local steering = { "\27", "\127", "\194\155", "\226\128\174" }
    for _, bytes in ipairs(steering) do
      assert.falsy(shown:find(bytes, 1, true))
    end
    local one = succeeds(("audit show --json --session %s %s"):format(listed[1].sandbox, path))
    for _, bytes in ipairs(steering) do
      assert.falsy(one:find(bytes, 1, true))
    end
    for line in one:gmatch("[^\n]+") do
      assert.equal(listed[1].sandbox, cjson.decode(line).content.sandbox)
    end
    assert.equal("", succeeds("audit show --session none " .. path))
  end)

  it("exports what was run as a notebook, Markdown and records #L11 #K11", function()
    record "print('hi')\n6 * 7"
    local notebook = cjson.decode(succeeds("audit export --format ipynb " .. path))
    assert.equal(4, notebook.nbformat)
    local text = succeeds("audit export --format md " .. path)
    assert.truthy(text:find("```python\nprint('hi')\n6 * 7\n```", 1, true), text)
    assert.truthy(text:find("42", 1, true))
    local count = 0
    for line in succeeds("audit export " .. path):gmatch("[^\n]+") do
      assert.equal(count, cjson.decode(line).number)
      count = count + 1
    end
    assert.equal(6, count)
  end)

  it("does a session again, and shows what differs #K11", function()
    record "x = sorted({'b', 'a'})\nprint(x)\nlen(x)"
    local result = codecell("audit rerun " .. path)
    assert.equal(0, result.status, result.stdout .. result.stderr)
    assert.truthy(result.stdout:find("1 step: 1 as before, 0 different, 0 left out", 1, true))
    os.execute("rm " .. path .. "*")
    record "import time\nprint('at', time.time_ns())"
    result = codecell("audit rerun " .. path)
    assert.equal(1, result.status)
    assert.truthy(result.stdout:find("\n-at %d+\n%+at %d+\n"), result.stdout)
    local report = cjson.decode(codecell("audit rerun --json " .. path).stdout)
    assert.is_false(report.same)
    assert.equal(1, report.different)
  end)

  it("does files, commands and contexts again, in their order", function()
    local program = ([[
      local codecell = require "codecell"
      local sandbox = codecell.assert(codecell.create{ audit = %q })
      codecell.assert(sandbox.files:write("data.csv", "a,b\n1,2\n"))
      codecell.assert(sandbox:run_code("text = open('data.csv').read()\ntext"))
      local other = codecell.assert(sandbox:create_code_context{ language = "python" })
      codecell.assert(sandbox:run_code("'text' in globals()", { context = other }))
      codecell.assert(sandbox.commands:run("wc -l < data.csv"))
      codecell.assert(sandbox.files:remove("data.csv"))
      codecell.assert(sandbox:run_code("import os\nos.path.exists('data.csv')"))
      sandbox:close()]]):format(folder .. "/audit.jsonl")
    local made = shell.run(shell.lua .. " -e " .. shell.quote(program))
    assert.equal(0, made.status, made.stderr)
    local result = codecell("audit rerun " .. path)
    assert.equal(0, result.status, result.stdout .. result.stderr)
    assert.truthy(result.stdout:find("7 steps: 7 as before", 1, true), result.stdout)
  end)

  it("asks which session to do again where there are several", function()
    record "1"
    record "2"
    local result = codecell("audit rerun " .. path)
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find("--session", 1, true))
    local id = cjson.decode(succeeds("audit ls --json " .. path))[2].sandbox
    succeeds(("audit rerun --session %s %s"):format(id, path))
  end)

  it("is in the user's folder by default, and records what variables ask for", function()
    os.execute(("mkdir -p %s/codecell/audit"):format(folder))
    local result = shell.run(("env XDG_STATE_HOME=%s CODECELL_AUDIT=%s/codecell/audit %s run -c 1")
      :format(folder, folder, shell.codecell))
    assert.equal(0, result.status, result.stderr)
    assert.equal("as it was written: 6 records\n", succeeds("audit verify"))
  end)

  it("runs nothing where it cannot be recorded #K11", function()
    local result = codecell("run --audit /proc/audit.jsonl -c 'print(1)'")
    assert.not_equal(0, result.status)
    assert.equal("", result.stdout)
    assert.truthy(result.stderr:find("audit: ", 1, true))
  end)

  it("says what is wrong with its words", function()
    assert.equal(2, codecell("audit").status)
    assert.truthy(codecell("audit verfy").stderr:find("did you mean verify", 1, true))
    assert.equal(2, codecell("audit verify --subject x").status)
    assert.equal(2, codecell("audit verify " .. folder .. "/none").status)
    assert.equal(2, codecell("purge").status)
  end)

  it("purges a subject #N18", function()
    local program = ([[
      local codecell = require "codecell"
      local audit = codecell.assert(codecell.audit.open{ path = %q })
      for _, name in ipairs{ "ann-smith", "someone-else" } do
        local sandbox = codecell.assert(codecell.create{ audit = audit:of(name) })
        codecell.assert(sandbox:run_code("1"))
        sandbox:close()
      end]]):format(folder .. "/audit.jsonl")
    local made = shell.run(shell.lua .. " -e " .. shell.quote(program))
    assert.equal(0, made.status, made.stderr)
    assert.equal("5 records emptied\n", succeeds("purge --subject ann-smith " .. path))
    assert.falsy(shell.read(folder .. "/audit.jsonl"):find("ann-smith", 1, true))
    assert.equal("as it was written: 12 records, 5 of them emptied\n",
      succeeds("audit verify " .. path))
    assert.equal("5 records emptied\n", succeeds("purge --older 0.000001 " .. path))
    succeeds("audit verify " .. path)
    assert.equal(2, codecell("purge --subject ann " .. folder .. "/none").status)
  end)

  it("gives usage 24 rows of hours #L06 #N10", function()
    record "1"
    local rows = 0
    local runs = 0
    for hour, count in succeeds("usage --histogram hour " .. path):gmatch("(%d%d) +(%d+)") do
      assert.equal(("%02d"):format(rows), hour)
      rows, runs = rows + 1, runs + tonumber(count)
    end
    assert.equal(24, rows)
    assert.equal(1, runs)
  end)
end)
