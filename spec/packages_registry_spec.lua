local codecell = require "codecell"
local http = require "codecell.http"
local package_index = require "spec.support.package_index"

local INDEX, REGISTRY = "https://pypi.org/simple/six/", "https://registry.npmjs.org/left-pad"

-- What the public indexes have. In the long gate alone, where they can be reached.
describe("the public indexes of packages #slow #registry", function()
  package_index.new(setup, teardown) -- for a folder of its own
  local reached

  setup(function()
    reached = {}
    for _, url in ipairs({ INDEX, REGISTRY }) do
      local response, err = http.request { url = url, timeout = 20 }
      reached[url] = response and response.status == 200 and true
        or ("cannot be reached: %s"):format(err and err.message or response.status)
      if response then
        response:close()
      end
    end
  end)

  local function skip(url)
    return reached[url] ~= true and (pending(url .. " " .. reached[url]) or true)
  end

  local function create(packages)
    return codecell.assert(codecell.create({ packages = packages, timeout = 900,
      limits = { disk = 2 ^ 30, memory = 3 * 2 ^ 30 } }))
  end

  it("give requests with what it needs, once #D31 #E32", function()
    if skip(INDEX) or package_index.needs_pip(pending) then return end
    local sandbox = create({ allow = { "requests" } })
    local result = codecell.assert(sandbox:install("requests"))
    assert.is_false(result.cached)
    assert.equal("requests", result.packages[1].name)
    assert.equal(result.packages[1].version,
      sandbox:run_code("import requests; requests.__version__").text)
    sandbox:close()
    sandbox = create({ allow = { "requests" } })
    result = codecell.assert(sandbox:install("requests"))
    assert.is_true(result.cached)
    assert.equal("True", sandbox:run_code("import urllib3, idna, certifi; True").text)
    sandbox:close()
  end)

  it("give a compiled wheel: numpy #E32", function()
    if skip(INDEX) or package_index.needs_pip(pending) then return end
    local sandbox = create(true)
    codecell.assert(sandbox:install("numpy==2.2.6"))
    assert.equal("('2.2.6', 6)",
      sandbox:run_code("import numpy; numpy.__version__, int(numpy.arange(4).sum())").text)
    sandbox:close()
  end)

  it("answer pip inside the code #E23", function()
    if skip(INDEX) or package_index.needs_pip(pending) then return end
    local sandbox = create(true)
    local execution = sandbox:run_code("import subprocess, sys\nsubprocess.run([sys.executable, "
      .. "'-m', 'pip', 'install', '-q', 'six'], check=True)\nimport six\nsix.__name__")
    assert.equal("six", execution.text)
    sandbox:close()
  end)

  it("say what they do not have #J09", function()
    if skip(INDEX) or package_index.needs_pip(pending) then return end
    local sandbox = create(true)
    local none, err = sandbox:install("reqeusts-of-nobody-at-all")
    assert.is_nil(none)
    assert.equal("not_found", err.kind)
    sandbox:close()
  end)

  it("give left-pad, and a package of a scope #E32", function()
    if skip(REGISTRY) or package_index.needs_npm(pending) then return end
    local sandbox = create({ allow = { "npm:left-pad", "@types/node" } })
    local result = codecell.assert(sandbox:install({ "left-pad@1.3.0", "@types/node@20" },
      { language = "javascript" }))
    assert.equal("1.3.0", result.packages[1].version)
    assert.matches("^20%.", result.packages[2].version)
    assert.equal("  1", sandbox:run_code("require('left-pad')(1, 3)",
      { language = "javascript" }).text)
    sandbox:close()
  end)

  it("answer npm inside the code, with many that one needs #E23", function()
    if skip(REGISTRY) or package_index.needs_npm(pending) then return end
    local sandbox = create({ allow = { "express" } })
    local done = sandbox.commands:run("npm install express 2>&1", { timeout = 120 })
    assert.equal(0, done.exit_code)
    assert.equal("function",
      sandbox:run_code("typeof require('express')", { language = "javascript" }).text)
    sandbox:close()
  end)
end)
