-- What holds of code in every language that is compiled and run once.
local codecell = require "codecell"
local in_language = require "spec.support.in_language"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"
local programs = require "spec.support.programs"

local function describe_program(name, tag)
  local of = programs[name]

  describe("a program in " .. name .. " #E04" .. tag, function()
    local sandbox = one_sandbox(teardown, { timeout = 3600, limits = { output = 65536 } })

    before_each(function()
      local program, err = codecell.languages.program(name)
      if not program then
        pending(tostring(err))
      end
    end)

    local tests = in_language(name, sandbox)
    local run, start, output = tests.run, tests.start, tests.output

    it("prints in order, a stream for itself, has no value, and is counted", function()
      local code = of.whole(of.print("one\n"), of.complain("bad\n"), of.print("né€😀\n"))
      local execution = run(code)
      assert.same({ "one\nné€😀\n" }, execution.logs.stdout)
      assert.same({ "bad\n" }, execution.logs.stderr)
      assert.is_nil(execution.error)
      assert.is_nil(execution.text)
      assert.equal(execution.execution_count + 1, run(code).execution_count)
    end)

    it("leaves its files to the next, says which they are, and counts #E08", function()
      local execution = run(of.whole(of.write:format(name)))
      assert.equal(1, #execution.files_changed)
      assert.equal("/home/user/" .. name, execution.files_changed[1].path)
      assert.equal("still here", output(of.whole(of.read:format(name))))
      assert.equal("still here", codecell.assert(sandbox().files:read(name)))
    end)

    it("has variables, an input and a folder of its own #E33", function()
      sandbox():set_envs({ LASTING = "all" })
      local context = codecell.assert(sandbox():create_code_context({ language = name,
        cwd = "/tmp" }))
      local code = of.whole(of.variable, of.input, of.folder)
      assert.equal("once all\nAda\n/tmp", output(code,
        { context = context, envs = { ONCE = "once" }, stdin = "Ada\nByron\n" }))
      assert.equal("- all\n-/home/user", output(code))
      assert.is_true(sandbox():remove_code_context(context))
    end)

    it("that fails is an Execution, with all that it did before #J11", function()
      local heard
      local execution = run(of.whole(of.print("before"), of.fail),
        { on_error = function(failure) heard = failure end })
      assert.equal("ExitError", execution.error.name)
      assert.equal("the program ended with status 7", execution.error.value)
      assert.equal(heard, execution.error)
      assert.same({ "before" }, execution.logs.stdout)
    end)

    it("that makes no sense says where #J10", function()
      local execution = run(of.whole("", "", of.nonsense))
      local line = select(2, of.whole("", "", ""):gsub("\n", "")) + 1
      assert.truthy(execution.error.line and execution.error.line <= line + 2,
        tostring(execution.error.line))
      assert.same({}, execution.logs.stdout)
    end)

    it("that runs too long is ended, and what it printed is kept #J08", function()
      local heard
      local execution = out_of_time(1, function(timeout)
        return run(of.whole(of.print("so far"), of.forever), { timeout = timeout,
          on_error = function(failure) heard = failure end })
      end)
      assert.equal("TimeoutError", execution.error.name)
      assert.equal(heard, execution.error)
      assert.is_true(execution.timed_out)
      assert.is_false(execution.state_lost)
      assert.same({ "so far" }, execution.logs.stdout)
    end)

    it("is heard while it runs, and stopped by a callback that raises", function()
      local seen = {}
      run(of.whole(of.print("one"), of.await:format("heard-" .. name), of.complain("two"),
        of.fail), {
        on_stdout = function(text)
          seen[#seen + 1] = text
          sandbox().files:write("heard-" .. name, "")
        end,
        on_stderr = function(text) seen[#seen + 1] = text end,
        on_error = function(failure) seen[#seen + 1] = failure.name end,
      })
      assert.same({ "one", "two", "ExitError" }, seen)
      assert.has_error(function()
        run(of.whole(of.print("x"), of.forever), {
          on_stdout = function() error("enough", 0) end })
      end, "enough")
    end)

    it("may print bytes, and without end", function()
      local execution = run(of.whole(of.binary, of.flood, of.print("end")))
      local text = table.concat(execution.logs.stdout)
      assert.equal(1000007, execution.truncated.stdout.total)
      assert.equal(#text, execution.truncated.stdout.kept)
      assert.truthy(#text <= 65536)
      assert.equal("a\255\0b", text:sub(1, 4))
      assert.equal("end", text:sub(-3))
    end)

    it("that takes too much memory fails, and the next one works #I12", function()
      local own = codecell.assert(codecell.create({ limits = { memory = 400 * 1024 * 1024 } }))
      local execution = codecell.assert(own:run_code(of.whole(of.hog), { language = name }))
      assert.truthy(execution.error)
      assert.is_false(execution.timed_out)
      execution = codecell.assert(own:run_code(of.whole(of.print("next")), { language = name }))
      assert.same({ "next" }, execution.logs.stdout)
      own:close()
    end)

    it("may kill itself, or be killed", function()
      local execution = run(of.whole(of.print("last words"), of.suicide))
      assert.equal("SignalError", execution.error.name)
      assert.truthy(execution.error.value:find("SIGKILL", 1, true))
      assert.is_false(execution.state_lost)
      assert.same({ "last words" }, execution.logs.stdout)
      local started
      started = start(of.whole(of.print("up"), of.forever), {
        on_stdout = function() started:kill() end })
      assert.is_false(started:poll())
      execution = codecell.assert(started:wait(60))
      assert.equal("SignalError", execution.error.name)
      assert.truthy(execution.error.value:find("SIGKILL", 1, true))
    end)

    it("waits for the one before in its context, and for none of another", function()
      local context = codecell.assert(sandbox():create_code_context({ language = name }))
      local function meet(mine, other)
        return of.whole(of.write:format(mine .. name), of.await:format(other .. name),
          of.print("met"))
      end
      local one = start(of.whole(of.await:format("b" .. name), of.write:format("c" .. name)))
      local two = start(of.whole(of.read:format("c" .. name)))
      local three = start(meet("a", "b"), { context = context })
      codecell.assert(sandbox().files:write("b" .. name, ""))
      assert.same({ "met" }, codecell.assert(three:wait(60)).logs.stdout)
      codecell.assert(one:wait(60))
      assert.same({ "still here" }, codecell.assert(two:wait(60)).logs.stdout)
      sandbox():remove_code_context(context)
    end)

    it("is cancelled by a restart, a removal or a close, and gone with its sandbox", function()
      local code = of.whole(of.print("up"), of.forever)
      for verb, kind in pairs({ restart_code_context = "cancelled",
        remove_code_context = "cancelled", close = "cancelled", kill = "sandbox_gone" }) do
        local own = codecell.assert(codecell.create())
        local context = codecell.assert(own:create_code_context({ language = name }))
        local execution, err = own:run_code(code, {
          context = context,
          on_stdout = function() own[verb](own, verb:find("context") and context or nil) end,
        })
        assert.is_nil(execution)
        assert.equal(kind, err.kind)
        own:close()
      end
    end)

    it("may have lines of Windows, hold a NUL, be huge, or nothing but a comment", function()
      local code = of.whole(of.print("one"), of.print("two"))
      assert.equal("onetwo", output((code:gsub("\n", "\r\n"))))
      run(of.whole(of.print("a\0b")))
      assert.equal("at its end", output(of.whole(("\n"):rep(2 ^ 20), of.print("at its end"))))
      if of.comment then
        assert.is_nil(run(of.comment).error)
      end
      assert.is_nil(run(" \n").error)
    end)
  end)
end

for _, name in ipairs(programs.names) do
  describe_program(name, "")
end

for _, name in ipairs(programs.slow) do
  describe_program(name, " #slow #once")
end
