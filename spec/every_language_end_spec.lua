-- How cells end that do not come to their own end, in every language that keeps a session.
local codecell = require "codecell"
local in_language = require "spec.support.in_language"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"
local snippets = require "spec.support.snippets"

local MIB = 1024 * 1024

local function lines(...)
  return table.concat({ ... }, "\n")
end

for _, name in ipairs(snippets.names) do
  local of = snippets.sessions[name]

  describe("a cell in " .. name, function()
    local sandbox = one_sandbox(teardown, { timeout = 3600, limits = { output = 65536,
      memory = 160 * MIB, disk = 10 * MIB } })

    before_each(function()
      local program, err = codecell.languages.program(name)
      if not program then
        pending(tostring(err))
      end
    end)

    local tests = in_language(name, sandbox)
    local run = tests.run

    local function start(code, options)
      options = options or {}
      options.timeout = 20
      return tests.start(code, options)
    end

    local function kept(options)
      local execution = run(of.get, options)
      return execution.text or table.concat(execution.logs.stdout):match("^(%w+)\n$"),
        execution.state_lost
    end

    it("that runs too long is interrupted, each time, and keeps its variables #J08 #I09", function()
      run(of.set)
      local heard = {}
      for i = 1, 3 do
        local execution = out_of_time(0.1, function(timeout)
          return run(lines(of.print("so far"), of.forever), { timeout = timeout,
            on_error = function(failure) heard[i] = failure end })
        end)
        assert.equal("TimeoutError", execution.error.name)
        assert.equal(heard[i], execution.error)
        assert.is_true(execution.timed_out)
        assert.is_false(execution.state_lost)
        assert.same({ "so far" }, execution.logs.stdout)
      end
      assert.equal("here", (kept()))
    end)

    it("that runs too long may wait, or have a child that does #J08", function()
      run(of.set)
      for _, code in ipairs({ of.await:format("never"), of.child:format("sleep 60") }) do
        local execution = run(code, { timeout = 0.1 })
        assert.is_true(execution.timed_out)
        assert.is_false(execution.state_lost, code)
      end
      assert.equal("here", (kept()))
    end)

    it("that goes on after an interrupt is interrupted again", function()
      if of.stubborn then
        run(of.set)
        local execution = run(of.stubborn, { timeout = 0.1 })
        assert.is_true(execution.timed_out)
        assert.is_false(execution.state_lost)
        assert.equal("here", (kept()))
      end
    end)

    it("may print without end: head and tail are kept, what was dropped is counted #I10", function()
      local execution = run(lines(of.print("begin"), of.flood, of.print("end")))
      local text = table.concat(execution.logs.stdout)
      assert.equal(1000008, execution.truncated.stdout.total)
      assert.equal(#text, execution.truncated.stdout.kept)
      assert.truthy(#text <= 65536)
      assert.truthy(text:find("^begin"))
      assert.truthy(text:find("end$"))
      assert.is_nil(run(of.print("next")).truncated)
    end)

    it("that takes too much memory says so, and the next one works #I12", function()
      local execution = run(of.hog, { timeout = 60 })
      if execution.error.name ~= of.refused then -- which it can catch: nothing has ended
        assert.equal("OutOfMemoryError", execution.error.name)
        assert.is_true(execution.out_of_memory)
      end
      assert.same({ "next" }, run(of.print("next")).logs.stdout)
    end)

    it("that fills the disk fails, and the next one works #I13", function()
      local execution = run(of.fill)
      assert.truthy(execution.error)
      assert.is_false(execution.state_lost)
      assert.truthy(codecell.assert(sandbox().files:get_info("big")).size <= 10 * MIB)
      codecell.assert(sandbox().files:remove("big"))
      assert.is_nil(run(of.write:format("small")).error)
    end)

    it("that ends its interpreter says so, what it printed is kept, and it runs once #J15 #M11",
      function()
        for i, ending in ipairs({ of.leave, of.suicide }) do
          run(of.set)
          local heard
          local file = ("ended-%s-%d"):format(name, i)
          local execution = run(lines(of.print("last words"), of.append:format(file), ending),
            { on_error = function(failure) heard = failure end })
          assert.equal("KernelDiedError", execution.error.name)
          assert.equal(heard, execution.error)
          assert.is_true(execution.state_lost)
          assert.same({ "last words" }, execution.logs.stdout)
          local variable, is_lost = kept()
          assert.equal("gone", variable)
          assert.is_true(is_lost)
          assert.is_false(run(of.print("")).state_lost)
          assert.equal("x", codecell.assert(sandbox().files:read(file)))
        end
      end)

    it("forgets all when its context is restarted, and is not run when it is removed", function()
      local context = codecell.assert(sandbox():create_code_context({ language = name }))
      run(of.set, { context = context })
      assert.equal("here", (kept({ context = context })))
      assert.is_true(sandbox():restart_code_context(context))
      assert.equal("gone", (kept({ context = context })))
      assert.equal(2, run(of.print(""), { context = context }).execution_count)
      assert.is_true(sandbox():remove_code_context(context))
      local execution, err = sandbox():run_code(of.print(""), { context = context })
      assert.is_nil(execution)
      assert.equal("not_found", err.kind)
    end)

    it("is cancelled by a restart, with those that wait for it done after", function()
      local context = codecell.assert(sandbox():create_code_context({ language = name }))
      run(of.set, { context = context })
      local waiting
      local started = start(lines(of.print("up"), of.forever), {
        context = context,
        on_stdout = function()
          waiting = start(of.print("after"), { context = context })
          sandbox():restart_code_context(context)
        end,
      })
      local execution, err = started:wait(20)
      assert.is_nil(execution)
      assert.equal("cancelled", err.kind)
      assert.same({ "after" }, codecell.assert(waiting:wait(20)).logs.stdout)
      assert.equal("gone", (kept({ context = context })))
      sandbox():remove_code_context(context)
    end)

    it("may be started, looked at, waited for and killed", function()
      local exit
      local started = start(
        lines(of.print("up"), of.await:format("go-" .. name), of.print("done")), {
        on_exit = function(execution) exit = execution end,
      })
      assert.is_false(started:poll())
      assert.equal("timeout", select(2, started:wait(0.02)).kind)
      sandbox().files:write("go-" .. name, "")
      local execution = codecell.assert(started:wait(20))
      assert.same({ "updone" }, execution.logs.stdout)
      assert.equal(exit, execution)
      assert.equal(execution, started:poll())
      assert.is_false(started:kill())
      started = start(lines(of.print("up"), of.forever), {
        on_stdout = function() started:kill() end,
      })
      execution = codecell.assert(started:wait(20))
      assert.equal("KernelDiedError", execution.error.name)
      assert.same({ "up" }, execution.logs.stdout)
    end)

    it("waits for the one before in its context, and for none of another", function()
      local context = codecell.assert(sandbox():create_code_context({ language = name }))
      local function meet(mine, other)
        return lines(of.write:format(mine .. name), of.await:format(other .. name), of.print("met"))
      end
      local one = start(lines(meet("a", "b"), of.set))
      local two = start(of.get)
      assert.same({ "met" }, run(meet("b", "a"), { context = context }).logs.stdout)
      codecell.assert(one:wait(20))
      local execution = codecell.assert(two:wait(20))
      assert.equal("here", execution.text or execution.logs.stdout[1]:match("%w+"))
      assert.equal("gone", (kept({ context = context })))
      sandbox():remove_code_context(context)
    end)

    it("gives up when the sandbox is closed, or killed, under it", function()
      for verb, kind in pairs({ close = "cancelled", kill = "sandbox_gone" }) do
        local own = codecell.assert(codecell.create())
        local execution, err = own:run_code(lines(of.print("up"), of.forever), {
          language = name,
          on_stdout = function() own[verb](own) end,
        })
        assert.is_nil(execution)
        assert.equal(kind, err.kind)
        own:close()
      end
    end)
  end)
end
