local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local shell = require "spec.support.shell"

describe("the table of what E2B's SDKs have", function()
  local server, places
  setup(function()
    server = e2b.start()
    server:script(e2b.rules(
      { method = "POST", path = "Connect$", hang = true,
        body = e2b.envelope { event = { start = { pid = 5 } } } },
      { method = "POST", path = "WatchDir$", hang = true, body = e2b.envelope { start = {} } },
      { method = "GET", path = "^/volumes/v$",
        json = { volumeID = "v", name = "data", token = "t0ken" } },
      { method = "POST", path = "^/execute$", body = e2b.lines { type = "end_of_execution" } }))
    local sandbox = codecell.assert(codecell.create(server:options()))
    sandbox:detach()
    local account = codecell.e2b.account { api_key = e2b.key, api_url = server.url }
    places = { codecell = codecell, sandbox = sandbox, files = sandbox.files, git = sandbox.git,
      commands = sandbox.commands, pty = sandbox.pty,
      account = account, volume = codecell.assert(account:volume "v"),
      ["codecell.e2b"] = codecell.e2b,
      process = codecell.assert(sandbox.commands:connect(5)),
      watcher = codecell.assert(sandbox.files:watch_dir(".")),
      run = codecell.assert(sandbox:start_code("1")),
      task = codecell.async(function() end) }
  end)
  teardown(function()
    places.sandbox:close()
    server:stop()
  end)

  it("names verbs that are there #C09 #M10", function()
    local count = 0
    for line in assert(shell.read "docs/e2b.md"):gmatch "[^\n]+" do
      local here = line:match "^| .- | (.-) | .- |$" or line:match "^| .- | (.-) | |$"
      for place, mark, verb in (here or ""):gmatch "`([%w_.]+)([:.])([%w_]+)`" do
        assert.truthy(places[place], line)
        assert.equal("function", type(places[place][verb]), place .. mark .. verb)
        count = count + 1
      end
    end
    assert.truthy(count > 80, count .. " verbs")
  end)

  it("leaves out no verb of the parts that a sandbox has", function()
    local text = assert(shell.read "docs/e2b.md")
    for _, part in ipairs { "files", "commands", "pty" } do
      local methods = getmetatable(places[part]).__index
      for verb in pairs(methods) do
        local is_ours = part == "files" and verb == "archive"
        assert.truthy(is_ours or verb:sub(1, 1) == "_" or text:find(part .. ":" .. verb, 1, true),
          part .. ":" .. verb)
      end
    end
  end)
end)
