local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local shell = require "spec.support.shell"

local function lacks(language)
  return not codecell.languages.program(language) and language .. " is not installed"
end

-- A block of a document.
local function block(info, code, fence)
  fence = fence or "```"
  return ("%s%s\n%s\n%s\n"):format(fence, info, code, fence)
end

local function document(...)
  return table.concat({ ... }, "\n")
end

describe("codecell.doctest.check", function()
  local sandbox = one_sandbox(teardown)

  local function check(text, options)
    options = options or {}
    options.sandbox = sandbox()
    return codecell.assert(codecell.doctest.check(text, options))
  end

  local function statuses(report)
    local list = {}
    for i, one in ipairs(report.checks) do
      list[i] = one.status
    end
    return table.concat(list, " ")
  end

  it("runs blocks in order, and compares with the block of output below", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local text = document(block("python", "n = 6\nprint('said')\nn * 7"), "It shows:\n",
      block("python", "print(n)"), block("text", "6"), block("python", "print(n)"),
      "<!-- a comment -->\n", block("output", "7"))
    local report = check(text)
    assert.equal("passed passed failed", statuses(report))
    assert.is_false(report.ok)
    local wrong = report.checks[3]
    assert.equal(18, wrong.line)
    assert.truthy(wrong.diff:find("-7\n+6\n", 1, true))
    assert.equal(text:gsub("7\n```\n$", "6\n```\n"), report.text)
  end)

  it("compares comments, in many languages", function()
    for language, code in pairs {
      lua = "print(6 * 7)          --> 42\nprint('a', 'b') --> a\tb",
      python = "print(6 * 7)  #> 42\nx = '#>no'",
      javascript = "console.log(6 * 7) //> 42",
      bash = "echo 42 #> 42",
    } do
      if not lacks(language) then
        assert.equal("passed", statuses(check(block(language, code))), language)
        local report = check(block(language, (code:gsub("> 42", "> 41"))))
        assert.equal("failed", statuses(report), language)
        assert.equal(block(language, code), report.text)
      end
    end
  end)

  it("compares sessions with prompts, example by example", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local text = block("python", document(">>> names = ['a',", "...          'b']", ">>> names",
      "['a', 'b']", "", ">>> print('one\\n\\ntwo')", "one", "<BLANKLINE>", "two", ">>> 1 / 0",
      "Traceback (most recent call last):", "    ...", "ZeroDivisionError: division by zero",
      ">>> 6 * 7", "41"))
    local report = check(text)
    assert.equal("passed passed passed passed failed", statuses(report))
    assert.equal(15, report.checks[5].line)
    assert.equal(text:gsub("41\n", "42\n"), report.text)
    assert.is_true(check(report.text).ok)
  end)

  it("compares what shells answered, one command after the other", function()
    if lacks "bash" then
      return pending(lacks "bash")
    end
    local text = block("console", "$ x=6\n$ echo $((x * 7))\n42\n$ printf 'a\\nb\\n'\na\nc")
    local report = check(text)
    assert.equal("passed passed failed", statuses(report))
    assert.equal(text:gsub("\nc\n", "\nb\n"), report.text)
  end)

  it("takes dots for anything", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local function says(expected)
      return check(document(block("python", "print('begin', 17, 'middle', 18, 'end')"),
        block("output", expected))).ok
    end
    assert.is_true(says "begin ... end")
    assert.is_true(says "...")
    assert.is_true(says "begin ... middle ... end")
    assert.is_false(says "begin ... middle ... middle ... end")
    assert.is_false(says "begin ... middle")
    assert.is_false(says "begin 1... 17 ... end")
  end)

  it("fails where code raises, unless that is expected or documented", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local text = document(block("python", "1 / 0"), block("python expect-error", "1 / 0"),
      block("python expect-error=ValueError", "1 / 0"), block("python expect-error", "1"),
      block("python", "print(1)\n1 / 0"),
      block("output", "1\nTraceback (most recent call last):\n  whatever\n"
        .. "ZeroDivisionError: division by zero"),
      block("python", "1 / 0"), block("output", "ZeroDivisionError: division by zero"))
    assert.equal("failed passed failed failed passed passed", statuses(check(text)))
  end)

  it("keeps sessions apart, and the state of each", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local text = document(block("python session=one", "x = 1"), block("python session=two",
      "x = 2"), block("python session=one", "print(x)  #> 1"),
      "<!-- codecell: session=two -->\n" .. block("python", "print(x)  #> 2"))
    assert.equal("passed passed passed passed", statuses(check(text)))
  end)

  it("skips what says so, what is no program, and what cannot run here", function()
    local text = document(block("bash skip", "exit 1"),
      "<!-- codecell: skip -->\n\n" .. block("bash", "exit 1"), block("json", "{}"),
      block("fortran", "end"), "<!--\n" .. block("bash", "exit 1") .. "-->\n",
      "<!--\n" .. block("bash hidden", "true") .. "-->\n")
    assert.equal("skipped skipped skipped passed", statuses(check(text)))
  end)

  it("runs Lua that uses codecell only when it is told to trust it #S001", function()
    local trace = os.tmpname()
    os.remove(trace)
    local text = block("lua", document('local codecell = require "codecell"',
      ("io.open(%q, 'w'):close()"):format(trace), "print(codecell._NAME)  --> codecell"))
    local report = check(text)
    assert.equal("skipped", statuses(report))
    assert.truthy(report.checks[1].why:find("--host-lua", 1, true))
    assert.is_nil(shell.read(trace))
    assert.equal("passed", statuses(check(text, { host_lua = true })))
    assert.equal("", shell.read(trace))
    os.remove(trace)
  end)

  it("tells what trusted Lua raises, and does not let it end this program", function()
    local text = document(block("lua", "require 'codecell'\nos.exit(3)"),
      block("lua", "require 'codecell'\nerror('gone wrong')"),
      block("lua", "require 'codecell'\nx = = 1"),
      block("lua", "require 'codecell'\nshared = 1"),
      block("lua", "require 'codecell'\nprint(shared)\nio.stdout:write('x', 1)\n--> 1\n--> x1"))
    assert.equal("failed failed failed passed passed",
      statuses(check(text, { host_lua = true })))
    assert.is_nil(rawget(_G, "shared"))
  end)

  it("writes into quotes and lists, and lets no output end its fence #S001", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local text = "> " .. block("python", "print('```\\n<b>')"):gsub("\n(.)", "\n> %1")
      .. ">\n> ```output\n> ```\n\n- item\n\n  ```python\n  >>> 1 + 1\n  3\n  ```\n"
    local report = check(text)
    assert.equal("failed failed", statuses(report))
    assert.truthy(report.text:find("> ````output\n> ```\n> <b>\n> ````\n", 1, true), report.text)
    assert.truthy(report.text:find("  >>> 1 + 1\n  2\n  ```\n", 1, true))
    assert.is_true(check(report.text).ok)
  end)

  it("writes no answer that would be read as a prompt", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local text = block("python", ">>> print('>>> import os')\nx\n>>> 1 + 1\n3")
    local report = check(text)
    assert.equal("failed failed", statuses(report))
    assert.equal(text:gsub("\n3\n", "\n2\n"), report.text)
  end)

  it("fails a block that is never closed", function()
    assert.equal("failed", statuses(check "```bash\necho"))
  end)

  it("has an end for hostile documents #S001", function()
    local many = ("<!-- "):rep(20000) .. ("`"):rep(20000) .. "\n" .. ("#> "):rep(20000)
    assert.equal("", statuses(check(many)))
    local text = document(block("lua", "print(('a'):rep(20000))"),
      block("output", ("a..."):rep(5000) .. "b"))
    if not lacks "lua" then
      assert.equal("failed", statuses(check(text)))
    end
  end)

  it("checks what export has made of a session", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local one = codecell.assert(codecell.create())
    one:run_code "print('``` there')\nx = 6\nx * 7"
    one:run_code "x / 0"
    one:run_code("x = 5\nx", { context = codecell.assert(one:create_code_context()) })
    one:run_code "x"
    local text = codecell.assert(one:export "md")
    one:close()
    local report = codecell.assert(codecell.doctest.check(text))
    assert.equal("passed passed passed passed", statuses(report))
  end)
end)

describe("codecell doctest", function()
  it("tells what differs, with status 1; --update writes it", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local folder = shell.folder()
    local page = folder .. "/page.md"
    shell.write(page, document(block("python", "6 * 7"), block("output", "41"),
      block("lua", "require 'codecell'")))
    local result = shell.run(shell.codecell .. " doctest " .. page)
    assert.equal(1, result.status)
    assert.truthy(result.stdout:find(page .. ":2: python: what it shows is not", 1, true))
    assert.truthy(result.stdout:find("-41\n+42\n", 1, true))
    assert.truthy(result.stdout:find("0 passed, 1 failed, 1 skipped\n", 1, true))
    result = shell.run(shell.codecell .. " doctest --update " .. page)
    assert.equal(0, result.status, result.stdout)
    assert.truthy(shell.read(page):find("```output\n42\n```\n", 1, true))
    result = shell.run(shell.codecell .. " doctest --json " .. page)
    assert.equal(0, result.status)
    local reports = codecell.json.decode(result.stdout)
    assert.same({ page, true, 1, "skipped" }, { reports[1].file, reports[1].ok,
      reports[1].passed, reports[1].checks[2].status })
    assert.equal("page.md\n", shell.run("ls", { folder = folder }).stdout)
    shell.remove(folder)
  end)

  it("leaves a document as it was where the disk is full #once", function()
    if lacks "python" then
      return pending(lacks "python")
    elseif shell.run("unshare -rm mount -t tmpfs none /mnt").status ~= 0 then
      return pending "this machine forbids to mount a file system"
    end
    local folder = shell.folder()
    shell.write(folder .. "/page.md", document(block("python", "print('y' * 20000)"),
      block("output", "x")))
    local result = shell.run(("unshare -rm sh -c %s"):format(shell.quote(("mount -t tmpfs -o "
      .. "size=16k none /mnt && cp page.md /mnt && cd /mnt && %s doctest --update page.md; "
      .. "echo $?; ls /mnt; cat /mnt/page.md"):format(shell.codecell))), { folder = folder })
    assert.equal("125\npage.md\n" .. shell.read(folder .. "/page.md"), result.stdout)
    assert.truthy(result.stderr:find("No space left on device; the document is as it was", 1, true),
      result.stderr)
    shell.remove(folder)
  end)

  it("tells a failure without a traceback once", function()
    local folder = shell.folder()
    local page = folder .. "/page.md"
    shell.write(page, block("bash", "sleep 60"))
    local result = shell.run(shell.codecell .. " doctest --timeout 0.5 " .. page)
    assert.equal(1, result.status)
    assert.equal(page .. ":2: bash: it raised TimeoutError: the code ran longer than 0.5 s; "
      .. "pass a longer timeout\n" .. page .. ": 0 passed, 1 failed, 0 skipped\n", result.stdout)
    shell.remove(folder)
  end)

  it("says what is wrong with its words", function()
    assert.equal(2, shell.run(shell.codecell .. " doctest").status)
    assert.equal(2, shell.run(shell.codecell .. " doctest /no/such/file.md").status)
  end)
end)
