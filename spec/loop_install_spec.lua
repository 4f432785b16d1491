local codecell = require "codecell"
local package_index = require "spec.support.package_index"

-- Offline: the index is a program of this machine.
describe("codecell.agent.loop with a module that is missing", function()
  local index = package_index.new(setup, teardown, after_each)

  local function run(codes, rules, language)
    local answers = {}
    for i, code in ipairs(codes) do
      answers[i] = ("```%s\n%s\n```\n"):format(language or "python", code)
    end
    answers[#answers + 1] = "Done."
    local next_one = 0
    return codecell.agent.loop { prompt = "Go.", sandbox = index.create(),
      policy = rules and codecell.policy.new { mode = "auto", rules = rules },
      ask = function()
        next_one = next_one + 1
        return answers[next_one]
      end }
  end

  it("installs the package that it is known to come with, and runs the code again", function()
    if package_index.needs_pip(pending) then return end
    local outcome = run({ "# of pyserial\nimport os, serial\nserial.value" }, {})
    assert.same({ "pyserial" }, outcome.installed)
    assert.equal(1, #outcome.executions)
    assert.equal("5", outcome.executions[1].text)
    assert.equal(2, outcome.usage.steps)
  end)

  it("does so in JavaScript too", function()
    if package_index.needs_npm(pending) then return end
    local outcome = run({ "const pad = require('left-pad')\npad.value" }, {}, "javascript")
    assert.same({ "left-pad" }, outcome.installed)
    assert.equal("6", outcome.executions[1].text)
  end)

  it("installs nothing without a policy, or against it", function()
    index.log()
    for _, rules in ipairs { false, { { "deny", verb = "install", package = "py*" } } } do
      local outcome = run({ "import serial" }, rules or nil)
      assert.same({}, outcome.installed)
      assert.equal("ModuleNotFoundError", outcome.executions[1].error.name)
      assert.truthy(outcome.messages[4].content:find("comes with the package pyserial", 1, true))
    end
    assert.falsy(index.log():find("pyserial", 1, true))
  end)

  it("never guesses a name, and never runs twice what may have done something", function()
    index.log()
    for _, codes in ipairs {
      { "import beta" }, -- there is one of that name, which nobody knows
      { "print(1)\nimport serial" },
      { "x = open('made', 'w')\nimport serial" },
      { "def load():\n    import serial\nload()" },
      { "import os; os.mkdir('made')\nimport serial" },
      { "1", "import serial" },
      { "try:\n    import serial\nexcept ValueError:\n    pass" },
    } do
      local outcome = run(codes, {})
      assert.same({}, outcome.installed, codes[1])
      assert.equal("ModuleNotFoundError", outcome.executions[#codes].error.name)
    end
    local log = index.log()
    assert.falsy(log:find("pyserial", 1, true) or log:find("beta", 1, true))
  end)
end)
