-- What a cell does in every language that keeps a session.
local codecell = require "codecell"
local in_language = require "spec.support.in_language"
local one_sandbox = require "spec.support.one_sandbox"
local snippets = require "spec.support.snippets"

local function lines(...)
  return table.concat({ ... }, "\n")
end

for _, name in ipairs(snippets.names) do
  local of = snippets.sessions[name]

  describe("a cell in " .. name .. " #user", function()
    local sandbox = one_sandbox(teardown, { timeout = 3600, limits = { output = 65536 } })

    before_each(function()
      local program, err = codecell.languages.program(name)
      if not program then
        pending(tostring(err))
      end
    end)

    local tests = in_language(name, sandbox)
    local run, output = tests.run, tests.output

    local function kept()
      local execution = run(of.get)
      return execution.text or table.concat(execution.logs.stdout):match("^(%w+)\n$")
    end

    it("keeps what is printed, in order, a stream for itself #E02 #E04", function()
      local execution = run(lines(of.print("one\n"), of.complain("bad\n"), of.print("two\n"),
        of.complain("worse\n")))
      assert.same({ "one\ntwo\n" }, execution.logs.stdout)
      assert.same({ "bad\nworse\n" }, execution.logs.stderr)
      assert.is_nil(execution.error)
      assert.equal(name, execution.language)
      assert.truthy(execution.seconds > 0)
    end)

    it("has the value of its last expression #E07", function()
      if of.value then
        local execution = run(lines(of.print("before"), of.value.code))
        assert.equal(of.value.text, execution.text)
        assert.is_true(execution.results[1].is_main_result)
        assert.equal("before", table.concat(execution.logs.stdout))
      end
      assert.is_nil(run(of.set).error)
      assert.is_nil(run(of.print("")).error)
    end)

    it("keeps variables for the next one, and files for all #E06 #E08 #M21", function()
      run(of.set)
      assert.equal("here", kept())
      run(of.write:format(name))
      assert.equal("still here", output(of.read:format(name)))
      assert.equal("still here", codecell.assert(sandbox().files:read(name)))
    end)

    it("says which files it has changed", function()
      local changed = run(of.write:format("changed-" .. name)).files_changed
      assert.equal(1, #changed)
      assert.equal("/home/user/changed-" .. name, changed[1].path)
      assert.equal(10, changed[1].size)
    end)

    it("that fails is an Execution, with all that it did before #J11", function()
      local execution = run(lines(of.print("before"), of.fail.code))
      assert.equal(of.fail.name, execution.error.name)
      assert.equal(of.fail.value, execution.error.value)
      assert.equal(not of.fail.no_line and 2 or nil, execution.error.line)
      assert.truthy(#execution.error.traceback > 0)
      assert.is_nil(execution.error.traceback:find("codecell", 1, true))
      assert.same({ "before" }, execution.logs.stdout)
      assert.is_false(execution.state_lost)
    end)

    it("that makes no sense says where, and runs not at all #J10", function()
      local execution = run(lines(of.print("before"), "", of.nonsense.code))
      assert.equal(of.nonsense.name, execution.error.name)
      assert.equal(3, execution.error.line)
      assert.same(of.nonsense.is_late and { "before" } or {}, execution.logs.stdout)
    end)

    it("is counted", function()
      local first = run(of.print("")).execution_count
      assert.equal(first + 1, run(of.fail.code).execution_count)
      assert.equal(first + 2, run(of.print("")).execution_count)
    end)

    it("has variables of the environment for itself, and those of set_envs #E33", function()
      sandbox():set_envs({ LASTING = "all" })
      assert.equal("once all\n", output(of.variable, { envs = { ONCE = "once" } }))
      assert.equal("- all\n", output(of.variable))
      assert.equal("once it's\n", output(of.variable,
        { envs = { ONCE = "once", LASTING = "it's" } }))
      assert.equal("- all\n", output(of.variable))
      sandbox():set_envs({ LASTING = "later" })
      assert.equal("- later\n", output(of.variable))
    end)

    it("reads what it is given, and nothing of the cell before", function()
      assert.equal("Ada\n", output(of.input, { stdin = "Ada\nByron\n" }))
      assert.equal("Bob\n", output(of.input, { stdin = "Bob\n" }))
      assert.is_nil(output(of.input):find("%u"))
      assert.equal("\n", output(of.input, { stdin = "\n" }))
    end)

    it("runs in the folder of its context", function()
      assert.equal("/home/user", output(of.folder))
      local context = codecell.assert(sandbox():create_code_context({ language = name,
        cwd = "/tmp" }))
      assert.equal("/tmp", output(of.folder, { context = context }))
      sandbox():remove_code_context(context)
    end)

    it("is heard while it runs, in order", function()
      local seen, heard = {}, 0
      local function note(kind)
        return function(value)
          seen[#seen + 1] = kind .. (type(value) == "table"
            and (value.name or (value.text:gsub("'", ""))) or value)
          if value == "one" or type(value) == "table" and value.text then
            heard = heard + 1 -- the code goes on when this is there: it was called meanwhile
            sandbox().files:write(("heard-%s-%d"):format(name, heard), "")
          end
        end
      end
      local function wait_for(number)
        return of.await:format(("heard-%s-%d"):format(name, number))
      end
      run(lines(of.print("one"), wait_for(1), of.display and lines(of.display, wait_for(2)) or "",
        of.complain("two"), of.fail.code), { on_stdout = note("out:"), on_stderr = note("err:"),
        on_result = note("result:"), on_error = note("error:") })
      local expected = { "out:one", "err:two", "error:" .. of.fail.name }
      if of.display then
        table.insert(expected, 2, "result:shown")
      end
      assert.same(expected, seen)
    end)

    it("is stopped by a callback that raises", function()
      assert.has_error(function()
        run(lines(of.set, of.print("x"), of.forever), {
          on_stdout = function() error("enough", 0) end })
      end, "enough")
      assert.equal("here", kept())
    end)

    it("may print bytes, and text of any language", function()
      assert.equal(of.bytes or "a\255\0b", output(of.binary))
      assert.equal("né€😀", output(of.print("né€😀")))
    end)

    it("has no more results than a reader can take, and says so", function()
      if of.displays then
        local execution = run(of.displays)
        assert.equal(1001, #execution.results) -- the last one says what is left out
        assert.truthy(execution.truncated.results)
        assert.is_nil(run(of.display).truncated)
      end
    end)

    it("is the same with lines of Windows", function()
      local execution = run(of.print("one") .. "\r\n" .. of.print("two") .. "\r\n")
      assert.is_nil(execution.error)
      assert.equal("onetwo", table.concat(execution.logs.stdout))
    end)

    it("may hold nothing, or comments alone", function()
      for _, code in ipairs({ "", " \t\n\n", of.comment, of.comment .. "\n" }) do
        local execution = run(code)
        assert.is_nil(execution.error)
        assert.same({}, execution.results)
        assert.same({}, execution.logs.stdout)
      end
    end)

    it("may be a megabyte long, and hold a NUL", function()
      local execution = run(of.pad:rep(100000) .. of.print("at its end"))
      assert.is_nil(execution.error)
      assert.equal("at its end", table.concat(execution.logs.stdout))
      run(of.print("a\0b")) -- whatever that means in it
      assert.equal("next", output(of.print("next")))
    end)
  end)
end
