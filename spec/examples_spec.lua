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

  it("execute nothing where E2B_MODE is mock, and say so #A05 #C11", function()
    local result = example("quickstart.lua", { folder = folder,
      before = "env -u E2B_API_KEY E2B_MODE=mock " })
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("mock: nothing was run", 1, true), result.stdout)
    assert.is_nil(shell.read(folder .. "/chart.png"))
    result = example("quickstart.lua", { folder = folder,
      before = "env -u E2B_API_KEY E2B_MODE=production " })
    assert.equal(1, result.status)
    assert.truthy(result.stdout:find("No E2B_API_KEY provided", 1, true), result.stdout)
  end)

  it("let code work on a project, show what it did and do what is approved", function()
    shell.write(folder .. "/greet.py", "print('Hello')\n")
    shell.write(folder .. "/notes.txt", "Greet by name.\n")
    local result = shell.run(shell.lua .. " " .. shell.quote(ROOT .. "/examples/project.lua")
      .. " .", { folder = folder })
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("^tests pass\nwrite /home/user/project/greet.py\n"))
    assert.truthy(result.stdout:find("\n-print('Hello')\n+import sys\n", 1, true))
    assert.truthy(result.stdout:find("left: remove /home/user/project/notes.txt\n$"))
    assert.equal("Greet by name.\n", shell.read(folder .. "/notes.txt"))
    assert.equal("Hello, me\n", shell.run("python3 greet.py me", { folder = folder }).stdout)
  end)

  it("fetch what code has made, as a tar stream #M25", function()
    local result = example("artefacts.lua", { folder = folder })
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("create\t/home/user/report/squares.csv\t", 1, true))
    local names = shell.run("tar -tf artefacts.tar", { folder = folder })
    assert.equal("report/README.md\nreport/squares.csv\n", names.stdout)
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

  it("train on the iris data and say how often it is right #E17 #slow #once", function()
    if not has_module "sklearn" then
      return pending "scikit-learn is not installed"
    end
    local result = example "ml_iris.lua"
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find "Model accuracy: %d+%.%d%d%%", result.stdout)
  end)

  it("draw a scatter plot of 8 by 6 inches, one picture #E19", function()
    if not has_module "pandas" or not has_module "matplotlib" then
      return pending "pandas and matplotlib are not installed"
    end
    local result = example "cortex/scatter.lua"
    assert.equal(0, result.status, result.stderr)
    local _, lines = result.stdout:gsub("\n", "")
    assert.equal(1, lines, result.stdout)
    assert.truthy(result.stdout:find "^scatter of 100 points, X values by Y values, a picture of")
  end)

  it("train with a seed: the same accuracy each time #E20 #slow #once", function()
    if not has_module "sklearn" then
      return pending "scikit-learn is not installed"
    end
    local first = example "cortex/ml.lua"
    assert.equal(0, first.status, first.stderr)
    assert.truthy(first.stdout:find "^Model accuracy: [01]%.%d%d\n$", first.stdout)
    assert.equal(first.stdout, example("cortex/ml.lua").stdout)
  end)

  it("answer the request for the factorial of 10 with code #E21", function()
    local result = example "cortex/factorial.lua"
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("3628800", 1, true))
  end)

  it("leave nothing behind but what they say that they save", function()
    example("cortex/fib.lua", { folder = folder })
    local listing = shell.run("ls -A", { folder = folder })
    assert.equal("", listing.stdout)
  end)

  it("build a template, share it and keep a snapshot", function()
    local result = example("template.lua", {
      before = "CODECELL_HOME=" .. shell.quote(folder .. "/store") .. " " })
    assert.equal(0, result.status, result.stderr)
    assert.matches("example: 1 file%(s%)\nHello world\nkept\n$", result.stdout)
    assert.equal("", shell.run(("find %s -type f"):format(shell.quote(folder))).stdout)
  end)
end)

describe("the notebook of", function()
  -- What a reader must find in the output of each.
  local notebooks = {
    python = { "mean", "figure-1.png", "['one', 'two']", "ZeroDivisionError", "677" },
    javascript = { "three", "'the' => 3", "TypeError" },
    typescript = { "501.5 of everything", "[ 'g', 'l' ]" },
    bash = { "tue.log: 2 ok", "still in logs" },
    lua = { "12586269025", "THE QUICK BROWN FOX", "attempt to index" },
    c = { "sum of the squares: 55", "undeclared" },
    cpp = { "1 1 2 3 4 5 6 9" },
    go = { "[0 1 4 9 16]" },
    rust = { '"the": 2' },
    ruby = { "the: 2" },
    perl = { "the: 2" },
    php = { "the: 2" },
    java = { "sum of the squares: 30" },
    r = { "1.715" },
  }
  -- Compilers of these take seconds.
  local slow = { go = true, rust = true, java = true, cpp = true }
  local folder

  before_each(function()
    folder = shell.folder()
  end)
  after_each(function()
    shell.remove(folder)
  end)

  for name, texts in pairs(notebooks) do
    it(name .. " shows what each cell did #M23" .. (slow[name] and " #slow #once" or ""), function()
      local result = shell.run(("%s %s %s %s"):format(shell.lua,
        shell.quote(ROOT .. "/examples/notebook.lua"),
        shell.quote(ROOT .. "/examples/notebooks/" .. name .. ".md"), shell.quote(folder)))
      if result.status == 3 then
        return pending(result.stdout:match "Not run: ([^\n]+)")
      elseif name == "python" and not has_module "matplotlib" then
        return pending "matplotlib is not installed"
      end
      assert.equal(0, result.status, result.stderr)
      for _, text in ipairs(texts) do
        assert.truthy(result.stdout:find(text, 1, true), text .. " in\n" .. result.stdout)
      end
    end)
  end
end)

describe("the examples, all of them", function()
  it("are run by these specifications, which `make examples` runs #N20", function()
    local text = shell.run("cat spec/*_spec.lua", { folder = "." }).stdout
    local files = shell.run("find examples -name '*.lua' -o -name '*.py' -o -name '*.mjs'",
      { folder = "." }).stdout
    local count = 0
    for path in files:gmatch "examples/(%S+)" do
      count = count + 1
      local name = path:gsub("%.lua$", "")
      assert.truthy(text:find(name, 1, true), path .. " is run by no specification")
    end
    assert.truthy(count > 20)
    assert.truthy(shell.read("Makefile"):find("\nexamples:", 1, true))
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
