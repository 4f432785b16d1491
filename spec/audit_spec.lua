local audit_file = require "spec.support.audit_file"
local chain = require "codecell.audit.chain"
local codecell = require "codecell"
local core = require "codecell.core"
local shell = require "spec.support.shell"

-- A file of records, and what they are worth.
describe("an audit", function()
  local audited = audit_file(before_each, after_each)
  local open, verify = audited.open, audited.verify

  local function filled(count, given)
    local audit = open(given)
    for i = 1, count do
      codecell.assert(audit:of(i % 3 == 0 and "someone-else" or "ann-smith"):write({ event = "run",
        phase = "before", sandbox = "i" .. i, code = "x = " .. i }))
    end
    return audit
  end

  local function lines()
    local list = {}
    for line in io.lines(audited.path) do
      list[#list + 1] = line
    end
    return list
  end

  -- The lines that are complained of.
  local function complaints(report)
    local numbers = {}
    for i, problem in ipairs(report.problems) do
      numbers[i] = problem.line
    end
    return numbers
  end

  it("is lines of JSON, each with the digest of its content and of the one before #K11", function()
    filled(3)
    local previous
    for i, line in ipairs(lines()) do
      local record = codecell.assert(codecell.json.decode(line))
      local content = line:match('^{"content":(.*),"head":')
      local head = line:match(',"head":({[^{}]*}),"digest":"%x+"}$')
      assert.equal(i - 1, record.head.number)
      assert.equal(core.digest("sha256"):update(content):finish(), record.head.content)
      assert.equal(core.digest("sha256"):update(head):finish(), record.digest)
      assert.equal(previous or record.head.previous, record.head.previous)
      previous = record.digest
    end
    assert.equal("begin", codecell.json.decode(lines()[1]).head.event)
  end)

  it("is its owner's alone, whatever the folder was #K11", function()
    filled(1)
    local entry
    for _, one in ipairs(codecell.assert(core.host_list(audited.folder))) do
      entry = one.name == "audit.jsonl" and one or entry
    end
    assert.equal(384, entry.mode % 4096) -- 0600
  end)

  it("goes on where it ended, also for another program #K11", function()
    filled(2)
    local program = ('require("codecell.errors").assert(require("codecell.audit").open{path=%q})'
      .. ':write{event="run"}'):format(audited.path)
    local result = shell.run(shell.lua .. " -e " .. shell.quote(program))
    assert.equal(0, result.status, result.stderr)
    filled(1)
    local report = verify()
    assert.is_true(report.ok)
    assert.equal(5, report.records)
  end)

  it("takes records of several programs at the same time in one chain #K11", function()
    local program = ([[
      local audit = require("codecell.errors").assert(require("codecell.audit").open{path=%q})
      for i = 1, 50 do
        assert(audit:write{event="run", text=("x"):rep(i * 20)})
      end]]):format(audited.path)
    local one = shell.lua .. " -e " .. shell.quote(program)
    local result = shell.run(("(%s) & (%s) & (%s) & wait"):format(one, one, one))
    assert.equal("", result.stderr)
    local report = verify()
    assert.same({}, complaints(report))
    assert.equal(151, report.records)
  end)

  -- ---- what verify finds ----

  it("shows a flipped byte wherever it is, with the number of its line #K11", function()
    filled(6)
    local text = shell.read(audited.path)
    local starts, from = {}, 1
    for line in text:gmatch("[^\n]*\n") do
      starts[#starts + 1] = from
      from = from + #line
    end
    for line, start in ipairs(starts) do
      local length = (starts[line + 1] or #text + 1) - start - 1
      for at = start, start + length - 1, 7 do
        local byte = text:byte(at)
        shell.write(audited.path, text:sub(1, at - 1) .. string.char(byte == 126 and 33 or byte + 1)
          .. text:sub(at + 1))
        local report = verify()
        assert.is_false(report.ok)
        assert.equal(line, report.problems[1].line, "byte " .. at)
      end
    end
    shell.write(audited.path, text)
    assert.is_true(verify().ok)
  end)

  it("shows a cut at the end, by what is kept beside it #K11", function()
    filled(5)
    local list = lines()
    shell.write(audited.path, table.concat(list, "\n", 1, 4) .. "\n")
    local report = verify()
    assert.is_false(report.ok)
    assert.truthy(report.problems[1].problem:find("cut off", 1, true))
    assert.equal(4, report.problems[1].line)
  end)

  it("shows by an anchor that was kept elsewhere that all of it was made anew #K11", function()
    filled(3)
    local anchor = verify().anchor
    assert.is_true(verify({ anchor = anchor }).ok)
    os.remove(audited.path)
    os.remove(audited.path .. ".anchor")
    filled(3)
    assert.is_true(verify().ok)
    assert.is_false(verify({ anchor = anchor }).ok)
    local _, err = codecell.audit.verify(audited.path, { anchor = "nonsense" })
    assert.equal("invalid_argument", err.kind)
  end)

  it("shows a removed line, a line that stands twice, and two that changed places #K11", function()
    filled(6)
    local list = lines()
    local function with(...)
      local text = {}
      for i, number in ipairs({ ... }) do
        text[i] = list[number] .. "\n"
      end
      shell.write(audited.path, table.concat(text))
      return complaints(verify())
    end
    assert.same({}, with(1, 2, 3, 4, 5, 6, 7))
    assert.equal(4, with(1, 2, 3, 5, 6, 7)[1])
    assert.equal(4, with(1, 2, 3, 3, 4, 5, 6, 7)[1])
    assert.equal(3, with(1, 2, 4, 3, 5, 6, 7)[1])
    assert.equal(1, with(2, 3, 4, 5, 6, 7)[1])
  end)

  it("shows a content that was emptied by hand #N18", function()
    filled(4)
    local list = lines()
    list[3] = chain.emptied(list[3]):sub(1, -2)
    shell.write(audited.path, table.concat(list, "\n") .. "\n")
    local report = verify()
    assert.same({ 3 }, complaints(report))
    assert.truthy(report.problems[1].problem:find("no purge", 1, true))
  end)

  it("is read as lines of anything, none of which raises or takes for ever #K11", function()
    filled(3)
    local good = shell.read(audited.path)
    for _, junk in ipairs({ "\0\0\0\n", ("x"):rep(300000) .. "\n", '{"content":null}\n', "\n\n",
      '{"content":{},"head":{},"digest":"' .. ("0"):rep(64) .. '"}\n', "\255\254\n" }) do
      shell.write(audited.path, good .. junk)
      assert.same({ 5 }, { complaints(verify())[1] })
    end
    shell.write(audited.path, "")
    assert.is_false(verify().ok)
    local _, err = codecell.audit.verify(audited.folder .. "/none.jsonl")
    assert.equal("not_found", err.kind)
  end)

  it("counts a line that is being written as none #K11", function()
    filled(3)
    local file = io.open(audited.path, "ab")
    file:write('{"content":{"code":"half')
    file:close()
    local report = verify()
    assert.is_true(report.ok)
    assert.is_true(report.is_torn)
    assert.equal(4, report.records)
  end)

  it("is mended by the next record where a line was not written whole, and says so", function()
    filled(2)
    local file = io.open(audited.path, "ab")
    file:write('{"content":{"code":"half')
    file:close()
    filled(1)
    assert.is_true(verify().ok)
    assert.truthy(shell.read(audited.path):find('"event":"recovered"', 1, true))
    assert.falsy(shell.read(audited.path):find("half", 1, true))
  end)

  -- ---- parts ----

  it("puts full files aside, and is one chain through all of them #K11", function()
    filled(600, { max_size = 65536 })
    assert.truthy(shell.read(audited.path .. ".1"))
    assert.truthy(shell.read(audited.path .. ".2"))
    local report = verify()
    assert.is_true(report.ok)
    assert.equal(0, report.first)
    assert.truthy(report.records > 600)
    os.remove(audited.path .. ".1")
    report = verify()
    assert.is_false(report.ok)
    assert.truthy(report.problems[1].problem:find("missing", 1, true))
  end)

  -- ---- purge and retention ----

  it("forgets a subject, and holds all the same #N18", function()
    local audit = filled(9)
    assert.equal(6, codecell.assert(audit:purge("ann-smith")))
    assert.falsy(shell.read(audited.path):find("ann-smith", 1, true))
    assert.truthy(shell.read(audited.path):find("someone-else", 1, true))
    local report = verify()
    assert.is_true(report.ok)
    assert.equal(6, report.emptied)
    assert.equal(0, codecell.assert(audit:purge("ann-smith")))
    filled(2)
    assert.is_true(verify().ok)
  end)

  it("forgets a subject in files that were put aside too #N18", function()
    local audit = filled(600, { max_size = 65536 })
    assert.equal(400, codecell.assert(audit:purge("ann-smith")))
    for _, one in ipairs({ "", ".1", ".2" }) do
      assert.falsy((shell.read(audited.path .. one) or ""):find("ann-smith", 1, true))
    end
    assert.is_true(verify().ok)
  end)

  it("forgets contents that are older than they are to be kept #N18", function()
    filled(4)
    local audit = open({ retention = 1e-6 })
    codecell.assert(audit:write({ event = "run", code = "new" }))
    local report = verify()
    assert.is_true(report.ok)
    assert.equal(4, report.emptied)
    assert.truthy(shell.read(audited.path):find('"code":"new"', 1, true))
  end)

  it("keeps only digests of code and output where it is told to #N18", function()
    local sandbox = codecell.assert(codecell.create({ audit = open({ code = false,
      output = false }) }))
    codecell.assert(sandbox:run_code("word = 'private'\nprint(word + ' output')"))
    codecell.assert(sandbox.commands:run("echo private command"))
    codecell.assert(sandbox.files:write("f", "private file"))
    sandbox:close()
    assert.falsy(shell.read(audited.path):find("private", 1, true))
    local session = codecell.assert(codecell.audit.sessions(audited.path))[1]
    assert.is_nil(session.cells[1].code)
    assert.equal(core.digest("sha256"):update("word = 'private'\nprint(word + ' output')"):finish(),
      session.cells[1].code_digest.sha256)
  end)

  -- ---- where nothing can be written ----

  it("refuses a link, a folder of others, and a file that others can write to #K11", function()
    shell.write(audited.folder .. "/target", "")
    os.execute(("ln -s target %s"):format(shell.quote(audited.path)))
    local audit = open()
    local _, err = audit:write({ event = "run" })
    assert.equal("permission_denied", err.kind)
    assert.equal("", shell.read(audited.folder .. "/target"))
    os.remove(audited.path)
    local word = shell.quote(audited.path)
    os.execute(("umask 0; : > %s; chmod 666 %s"):format(word, word))
    _, err = audit:write({ event = "run" })
    assert.equal("permission_denied", err.kind)
    assert.truthy(err.message:find("chmod 600", 1, true))
    os.execute(("rm %s; mkfifo %s"):format(word, word))
    _, err = audit:write({ event = "run" })
    assert.equal("permission_denied", err.kind)
    os.execute("chmod 777 " .. shell.quote(audited.folder))
    _, err = codecell.audit.open({ path = audited.path })
    assert.equal("permission_denied", err.kind)
  end)

  it("goes on behind no cut, and in no file that is none #K11", function()
    local audit = filled(4)
    shell.write(audited.path, table.concat(lines(), "\n", 1, 3) .. "\n")
    local _, err = audit:write({ event = "run" })
    assert.equal("system", err.kind)
    assert.truthy(err.message:find("codecell audit verify", 1, true))
    os.remove(audited.path)
    _, err = audit:write({ event = "run" })
    assert.equal("system", err.kind)
    os.remove(audited.path .. ".anchor")
    shell.write(audited.path, "notes of mine\n")
    _, err = audit:write({ event = "run" })
    assert.equal("system", err.kind)
    assert.equal("notes of mine\n", shell.read(audited.path))
  end)

  it("refuses code where a record cannot be written: it is not run #K11", function()
    local sandbox = codecell.assert(codecell.create({ audit = open() }))
    codecell.assert(sandbox:run_code("open('ran', 'w').write('1')"))
    local word = shell.quote(audited.path)
    os.execute(("mv %s %s.away; mkdir %s"):format(word, word, word))
    for _, verb in ipairs({
      function() return sandbox:run_code("open('ran', 'w').write('2')") end,
      function() return sandbox.commands:run("echo 2 > ran") end,
      function() return sandbox.files:write("ran", "2") end,
      function() return sandbox.files:remove("ran") end,
      function() return sandbox:create_code_context() end,
      function() return sandbox:set_envs({ A = "b" }) end,
    }) do
      local done, err = verb()
      assert.is_nil(done)
      assert.truthy(err.message:find("audit: ", 1, true), err.message)
      assert.equal("system", err.kind) -- and none that the verb itself has
    end
    os.execute(("rmdir %s; mv %s.away %s"):format(word, word, word))
    assert.equal("1", codecell.assert(sandbox.files:read("ran")))
    sandbox:close()
    assert.is_true(verify().ok)
  end)

  it("makes no sandbox where that cannot be recorded #K11", function()
    os.execute("mkdir -p " .. shell.quote(audited.path .. "/audit.jsonl"))
    local before = #codecell.list()
    local made, err = codecell.create({ audit = audited.path })
    assert.is_nil(made)
    assert.truthy(err.message:find("audit: ", 1, true))
    assert.equal(before, #codecell.list())
  end)

  it("says no_space where the disk is full, and is whole afterwards #K11", function()
    local program = ([[
      local codecell = require "codecell"
      local audit = codecell.assert(codecell.audit.open{path=%q})
      for i = 1, 1000 do
        local number, err = audit:write{event="run", code=("x"):rep(500)}
        if not number then print(err.kind, i) os.exit(0) end
      end]]):format(audited.path)
    -- The shell counts blocks of 1024 bytes.
    local result = shell.run("bash -c " .. shell.quote("ulimit -f 64; " .. shell.lua .. " -e "
      .. shell.quote(program)))
    assert.equal("no_space", result.stdout:match("^%S+"), result.stderr)
    assert.is_true(verify().ok)
    assert.truthy(verify().records > 30)
  end)
end)
