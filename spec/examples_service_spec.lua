-- The documents' own procedures, as programs: on this machine and on the mock.
local shell = require "spec.support.shell"

describe("the examples of the service #user", function()
  local function run(name, arguments)
    local result = shell.run(("CODECELL_LOG=none %s examples/%s.lua %s"):format(shell.lua, name,
      arguments or ""), { folder = "." })
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
    return result.stdout
  end

  it("write, run and analyse, until an answer has no code #A02 #E29", function()
    local said = run "agent_loop"
    assert.truthy(said:find("KeyError", 1, true))
    assert.truthy(said:find("Result:\n\n```text\nthe\n```", 1, true))
    assert.truthy(said:find("2 runs, mode kernel", 1, true))
    assert.truthy(run("agent_loop", "--mock"):find("nothing was executed", 1, true))
  end)

  it("keep variables, functions and files over a conversation #E09 #E10", function()
    local said = run "multi_turn"
    assert.truthy(said:find("2. Twice that? 20", 1, true))
    assert.truthy(said:find("5. What did we keep? 30", 1, true))
    run("multi_turn", "--mock")
  end)

  it("let two agents work in one sandbox, each with its rights #D28", function()
    local said = run "two_agents"
    assert.truthy(said:find("the mean is 2.5", 1, true))
    assert.truthy(said:find("may not", 1, true))
    assert.truthy(said:find("coder write", 1, true))
    run("two_agents", "--mock")
  end)

  it("follow the procedure of a chat #F02 #F28", function()
    local said = run "actions_walkthrough"
    assert.truthy(said:find("my_value", 1, true))
    assert.falsy(said:find("failed", 1, true))
    run("actions_walkthrough", "--mock")
  end)

  it("start a server in the background, and ask it #F24 #F23", function()
    local said = run "background_service"
    assert.truthy(said:find("it listens at 127.0.0.1:", 1, true))
    assert.truthy(said:find("its log: listening", 1, true))
    assert.truthy(said:find("it says: Hello from the sandbox", 1, true))
  end)
end)
