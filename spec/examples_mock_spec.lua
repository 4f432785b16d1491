-- The documents' own examples, recorded once on this machine and played by the mock, unchanged.
local codecell = require "codecell"
local shell = require "spec.support.shell"

local ROOT = shell.run("pwd", { folder = "." }).stdout:gsub("\n$", "")

describe("the examples of the documents, on the mock #user #once", function()
  local function run(name, folder, arguments)
    return shell.run(("CASSETTES=%s %s -l spec.support.on_cassette %s %s"):format(
      shell.quote(folder), shell.lua, shell.quote(ROOT .. "/examples/" .. name .. ".lua"),
      arguments or ""), { folder = folder })
  end

  for _, name in ipairs({ "prompts/fib", "prompts/csv", "prompts/chart", "data_analysis",
    "cortex/fib", "cortex/factorial", "cortex/scatter", "cortex/ml", "ml_iris" }) do
    local is_slow = name == "ml_iris" or name == "cortex/ml"
    it(name .. " says there what it has said here #C01 #C11" .. (is_slow and " #slow" or ""),
      function()
        local folder = shell.folder()
        local here = run(name, folder)
        local before = #codecell.list()
        local there = run(name, folder)
        shell.remove(folder)
        if here.status ~= 0 and here.stderr:find("ModuleNotFoundError", 1, true) then
          return pending("this machine's Python lacks a module")
        end
        assert.equal(0, here.status, here.stderr)
        assert.equal(0, there.status, there.stderr)
        assert.equal(here.stdout, there.stdout)
        assert.equal(before, #codecell.list())
      end)
  end
end)
