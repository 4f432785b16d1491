-- The examples that use a network, against a server of this machine with one allowed name.
local registry = require "spec.support.registry"
local shell = require "spec.support.shell"
local world = require "spec.support.world"

local pipe = io.popen "pwd"
local ROOT = pipe:read "*l"
pipe:close()

describe("the examples with a network #user", function()
  local earth = world.new(setup, teardown)
  local server

  setup(function()
    server = registry.start()
  end)

  teardown(function()
    server.close()
  end)

  local function example(name, path)
    return shell.run(("%s %s/examples/%s http://good.example:%d/%s 127.0.0.1:%d 127.0.0.1:%d")
      :format(shell.lua, shell.quote(ROOT), name, server.plain, path, earth.names, server.plain))
  end

  it("count what an API answers, and say what was refused #E15", function()
    local result = example("api.lua", "api")
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("^3 items\nelsewhere.example:443 refused: "), result.stdout)
    assert.truthy(result.stdout:find('allow it with network = {allow = {"elsewhere.example"}}\n'
      .. "1 connections, ", 1, true), result.stdout)
  end)

  it("find the title of a page #E16", function()
    local result = example("scrape.lua", "page")
    assert.equal("A small page\n", result.stdout, result.stderr)
    assert.equal(0, result.status)
  end)

  it("fail with what was refused, where the name is not allowed", function()
    local result = shell.run(("%s %s/examples/scrape.lua http://good.example:%d/page 127.0.0.1:%d")
      :format(shell.lua, shell.quote(ROOT), server.plain, earth.names))
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find("its name leads to an address that must be named: 127.0.0.1",
      1, true), result.stderr)
  end)
end)
