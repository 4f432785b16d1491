-- What a network moves, and how much of it a sandbox may.
local codecell = require "codecell"
local inside = require "spec.support.inside"
local world = require "spec.support.world"

local MIB = 1024 * 1024

describe("the traffic of a sandbox #user", function()
  local earth = world.new(setup, teardown)

  local function create(limits)
    local allow = {}
    for _, port in ipairs({ earth.web, earth.echo }) do
      allow[#allow + 1] = "good.example:" .. port
      allow[#allow + 1] = "127.0.0.1:" .. port
    end
    return codecell.assert(codecell.create({ network = { allow = allow }, limits = limits }))
  end

  it("is counted both ways, and has no limit unless one is asked for #S110", function()
    local sandbox = create()
    assert.same({ value = 0, by = "none" }, sandbox:get_info().limits.traffic)
    assert.same({ value = 256, by = "host" }, sandbox:get_info().limits.connections)
    inside.runner(sandbox)([[
request = urllib.request.Request("http://good.example:%d/", data=bytes(3 << 20))
print(urllib.request.urlopen(request).read())]], earth.web)
    local traffic = sandbox:get_metrics().network
    assert.is_true(traffic.sent > 3 * MIB and traffic.sent < 4 * MIB)
    assert.is_true(traffic.received > 0 and traffic.received < MIB)
    assert.equal(1, traffic.connections)
    sandbox:close()
  end)

  it("ends at limits.traffic, and says so #S110", function()
    local sandbox = create({ traffic = 4 * MIB })
    assert.same({ value = 4 * MIB, by = "host" }, sandbox:get_info().limits.traffic)
    local text, execution = inside.runner(sandbox)([[
peer = socket.create_connection(("good.example", %d), 20)
def flood():
    while True:
        peer.sendall(bytes(1 << 20))
        peer.recv(1 << 16)
print(outcome(flood).split()[0])
get("http://good.example:%d/again")]], earth.echo, earth.web)
    assert.equal(("ConnectionResetError\n403 good.example:%d refused: limits.traffic is used up\n")
      :format(earth.web), text:gsub("BrokenPipeError", "ConnectionResetError"))
    assert.equal(2, #execution.refused)
    assert.equal(("good.example:%d refused: limits.traffic is used up; raise it at create")
      :format(earth.echo), execution.refused[1].message)
    assert.is_nil(execution.refused[1].allow)
    local traffic = sandbox:get_metrics().network
    assert.is_true(traffic.sent + traffic.received < 5 * MIB)
    sandbox:close()
  end)

  it("has so many connections at a time, and the others wait #S109", function()
    local sandbox = create({ connections = 3 })
    local text = inside.runner(sandbox)([[
peers = [socket.create_connection(("good.example", %d), 20) for _ in range(5)]
for peer in peers[:3]:
    print(peer.recv(6).decode().strip())
peers[3].settimeout(0.2)
print(outcome(lambda: peers[3].recv(6)).split()[0])
for peer in peers[:3]:
    peer.close()
for peer in peers[3:]:
    peer.settimeout(20)
    print(peer.recv(6).decode().strip())]], earth.echo)
    assert.equal("hello\nhello\nhello\nTimeoutError\nhello\nhello\n", text)
    assert.equal(5, sandbox:get_metrics().network.connections)
    sandbox:close()
  end)
end)
