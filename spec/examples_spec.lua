local codecell = require "codecell"
local shell = require "spec.support.shell"

local function root()
  local pipe = io.popen "pwd"
  local path = pipe:read "*l"
  pipe:close()
  return path
end

local ROOT = root()

local function example(name, options)
  local line = (options and options.before or "") .. shell.lua .. " "
    .. shell.quote(ROOT .. "/examples/" .. name)
  return shell.run(line, options)
end

local function has_module(name)
  local sandbox = codecell.assert(codecell.create())
  local execution = codecell.assert(sandbox:run_code("import importlib.util\n"
    .. "importlib.util.find_spec('" .. name .. "') is not None"))
  sandbox:close()
  return execution.text == "True"
end

describe("the examples #user", function()
  local folder

  before_each(function()
    folder = shell.folder()
  end)
  after_each(function()
    shell.remove(folder)
  end)

  local function picture(name)
    return (shell.read(folder .. "/" .. name) or ""):sub(1, 8)
  end

  it("turn three answers into text, a table and a chart, without a key #A05 #A12", function()
    if not has_module "pandas" or not has_module "matplotlib" then
      return pending "pandas and matplotlib are not installed"
    end
    local result = example("quickstart.lua", { folder = folder, before = "env -u E2B_API_KEY " })
    assert.equal(0, result.status, result.stderr)
    for _, text in ipairs { "Fibonacci", "8", "mean", "std", "chart.png" } do
      assert.truthy(result.stdout:find(text, 1, true), text)
    end
    assert.truthy(result.stdout:find "[%d.]+ ms to the first answer")
    assert.equal("\137PNG\r\n\26\n", picture "chart.png")
    assert.falsy(result.stdout:find("\27", 1, true))
  end)

  it("answer the prompt for Fibonacci numbers up to 10 #A12", function()
    local result = example "prompts/fib.lua"
    assert.equal("0\n1\n1\n2\n3\n5\n8\n", result.stdout)
    assert.equal(0, result.status)
  end)

  it("answer the prompt for a chart with a picture, without savefig #A12 #E13", function()
    if not has_module "matplotlib" then
      return pending "matplotlib is not installed"
    end
    local result = example("prompts/chart.lua", { folder = folder })
    assert.equal(0, result.status, result.stderr)
    assert.equal("\137PNG\r\n\26\n", picture "out.png")
  end)

  it("answer the prompt for statistics of a CSV file #A12", function()
    if not has_module "pandas" then
      return pending "pandas is not installed"
    end
    local result = example "prompts/csv.lua"
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find "mean +128.75")
  end)

  it("describe a table and draw a bar chart of 10 by 6 inches #E14", function()
    if not has_module "pandas" or not has_module "matplotlib" then
      return pending "pandas and matplotlib are not installed"
    end
    local result = example("data_analysis.lua", { folder = folder })
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("count", 1, true))
    assert.equal("\137PNG\r\n\26\n", picture "analysis.png")
  end)

  it("define a function in one cell and print ten numbers in the next #E18", function()
    local result = example "cortex/fib.lua"
    assert.equal(0, result.status, result.stderr)
    local _, lines = result.stdout:gsub("\n", "")
    assert.equal(10, lines)
    assert.equal("34\n", result.stdout:match "%d+\n$")
  end)

  it("loop over a model's answers until one has no code #A09", function()
    local result = example "agent.lua"
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("NameError", 1, true))
    assert.truthy(result.stdout:find("4", 1, true))
    assert.truthy(result.stdout:find("The upper median of the numbers is 4", 1, true))
  end)

  it("leave nothing behind but what they say that they save", function()
    example("cortex/fib.lua", { folder = folder })
    local listing = shell.run("ls -A", { folder = folder })
    assert.equal("", listing.stdout)
  end)
end)

describe("a result", function()
  it("names its formats, a picture among them #E13", function()
    local sandbox = codecell.assert(codecell.create())
    local execution = codecell.assert(sandbox:run_code [[
class Picture:
    def _repr_png_(self):
        return b"\x89PNG\r\n\x1a\n"
    def _repr_html_(self):
        return "<p>picture</p>"
Picture()]])
    local formats = table.concat(execution.results[1]:formats(), " ")
    assert.truthy(formats:find("png", 1, true))
    assert.truthy(formats:find("html", 1, true))
    sandbox:close()
  end)
end)
