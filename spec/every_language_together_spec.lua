-- Several cells, contexts and sandboxes at once, in every language.
local codecell = require "codecell"
local attack = require "spec.support.attack"
local programs = require "spec.support.programs"
local snippets = require "spec.support.snippets"

local function lines(...)
  return table.concat({ ... }, "\n")
end

-- Those that this machine has: name, snippets, and what makes code of several.
local function each()
  local list = {}
  for _, name in ipairs(snippets.names) do
    list[#list + 1] = { name = name, of = snippets.sessions[name], whole = lines,
      is_session = true }
  end
  for _, name in ipairs(programs.names) do
    list[#list + 1] = { name = name, of = programs[name], whole = programs[name].whole }
  end
  for i = #list, 1, -1 do
    if not codecell.languages.program(list[i].name) then
      table.remove(list, i)
    end
  end
  return list
end

local function first(execution)
  return execution.text or table.concat(execution.logs.stdout):match("%w+")
end

describe("several at once", function()
  it("are sandboxes with a language each, beside each other", function()
    local languages, tasks = each(), {}
    for i = 1, 2 * #languages do
      local language = languages[(i - 1) % #languages + 1]
      tasks[i] = codecell.async(function()
        local sandbox = codecell.assert(codecell.create())
        local heard = {}
        local execution = codecell.assert(sandbox:run_code(language.whole(
          language.of.print("out " .. i), language.of.write:format("own")), {
          language = language.name,
          on_stdout = function(text) heard[#heard + 1] = text end,
        }))
        sandbox:close()
        return table.concat(heard), table.concat(execution.logs.stdout), execution.error
      end)
    end
    for i, task in ipairs(tasks) do
      assert.same({ "out " .. i, "out " .. i }, { task:wait(60) })
    end
  end)

  it("are contexts of one sandbox, each with its own variables", function()
    local sandbox = codecell.assert(codecell.create({ limits = { memory = 2 ^ 32 } }))
    local tasks = {}
    for i = 1, 3 * #snippets.names do
      local name = snippets.names[(i - 1) % #snippets.names + 1]
      local of = snippets.sessions[name]
      tasks[i] = codecell.languages.program(name) and codecell.async(function()
        local context = codecell.assert(sandbox:create_code_context({ language = name }))
        local function run(code)
          return codecell.assert(sandbox:run_code(code, { context = context }))
        end
        run((of.set:gsub("here", "own" .. i)))
        local execution = run(of.get)
        sandbox:remove_code_context(context)
        return first(execution)
      end)
    end
    for i, task in pairs(tasks) do
      assert.equal("own" .. i, (task:wait(60)))
    end
    sandbox:close()
  end)
end)

for _, language in ipairs(each()) do
  local name, of, whole = language.name, language.of, language.whole

  describe("cells of one context in " .. name, function()
    -- A context in which a cell runs, whose handle this answers too.
    local function busy(sandbox)
      local context = codecell.assert(sandbox:create_code_context({ language = name }))
      local is_up = false
      local started = codecell.assert(sandbox:start_code(whole(of.print("up"), of.forever), {
        context = context, timeout = 60,
        on_stdout = function() is_up = true end,
      }))
      local function wait_up()
        local count = 0
        while not is_up and count < 1000 do
          codecell.step(0.05)
          count = count + 1
        end
        assert.is_true(is_up)
      end
      return context, started, wait_up
    end

    it("that wait may be cancelled; the others run in order after a restart", function()
      local sandbox = codecell.assert(codecell.create())
      local context, running, wait_up = busy(sandbox)
      local waiting, order = {}, {}
      for i = 1, 4 do
        waiting[i] = codecell.assert(sandbox:start_code(whole(of.print("cell " .. i)), {
          context = context,
          on_exit = function(execution, err)
            order[#order + 1] = execution and execution.logs.stdout[1] or err.kind
          end,
        }))
      end
      wait_up()
      assert.is_true(waiting[2]:kill())
      assert.equal("cancelled", select(2, waiting[2]:wait(20)).kind)
      assert.is_true(sandbox:restart_code_context(context))
      assert.equal("cancelled", select(2, running:wait(20)).kind)
      codecell.assert(waiting[4]:wait(20))
      assert.same({ "cancelled", "cell 1", "cell 3", "cell 4" }, order)
      sandbox:close()
    end)

    it("that wait are cancelled when it is removed, and nothing of it is left", function()
      local sandbox = codecell.assert(codecell.create())
      local context, running, wait_up = busy(sandbox)
      local waiting = {}
      for i = 1, 3 do
        waiting[i] = codecell.assert(sandbox:start_code(whole(of.print("x")),
          { context = context }))
      end
      wait_up()
      assert.is_true(sandbox:remove_code_context(context))
      assert.equal("cancelled", select(2, running:wait(20)).kind)
      for i = 1, 3 do
        local execution, err = waiting[i]:wait(20)
        assert.is_nil(execution)
        assert.equal("cancelled", err.kind)
      end
      local count = 0
      while codecell.assert(sandbox:get_metrics()).processes > 0 and count < 200 do
        codecell.step(0.01)
        count = count + 1
      end
      assert.equal(0, sandbox:get_metrics().processes)
      sandbox:close()
    end)

    it("that are stopped right when they print leave the next one all it needs", function()
      local sandbox = codecell.assert(codecell.create())
      if language.is_session then
        codecell.assert(sandbox:run_code(of.set, { language = name }))
      end
      for _ = 1, 5 do
        assert.has_error(function()
          sandbox:run_code(whole(of.print("up"), of.forever), { language = name,
            on_stdout = function() error("enough", 0) end })
        end, "enough")
        local execution = codecell.assert(sandbox:run_code(whole(of.print("next")),
          { language = name }))
        assert.same({ "next" }, execution.logs.stdout)
        assert.is_false(execution.state_lost)
      end
      if language.is_session then
        assert.equal("here",
          first(codecell.assert(sandbox:run_code(of.get, { language = name }))))
      end
      sandbox:close()
    end)
  end)
end

describe("the host of many cells", function()
  local function use(language, count)
    local of, whole = language.of, language.whole
    local sandbox = codecell.assert(codecell.create())
    for _ = 1, count do
      codecell.assert(sandbox:run_code(whole(of.print("x")), { language = language.name,
        on_stdout = function() end }))
    end
    local context = codecell.assert(sandbox:create_code_context({ language = language.name }))
    codecell.assert(sandbox:run_code(whole(of.print("x")), { context = context }))
    sandbox:remove_code_context(context)
    sandbox:close()
  end

  -- What is open and used once sandboxes that are closed have ended, or no more than `wanted`
  -- descriptors are open. Those of other tests may be collected meanwhile.
  local function settled(wanted)
    collectgarbage()
    collectgarbage()
    local count, rounds, same = attack.descriptors(), 0, 0
    while rounds < 200 and same < 3 and not (wanted and count <= wanted) do
      codecell.step(0.02)
      local now = attack.descriptors()
      same, count, rounds = now == count and not wanted and same + 1 or 0, now, rounds + 1
    end
    return count, collectgarbage("count")
  end

  it("has no descriptor and no memory of theirs, in any language", function()
    for _, language in ipairs(each()) do
      use(language, 3)
    end
    local descriptors, memory = settled()
    for _, language in ipairs(each()) do
      use(language, language.is_session and 200 or 10)
    end
    local left, after = settled(descriptors)
    assert.truthy(left <= descriptors, ("%d descriptors more"):format(left - descriptors))
    assert.truthy(after - memory < 256, ("%g KiB more"):format(after - memory))
  end)
end)
