-- `codecell mcp`, used by the official clients as they come from their registries.
local mcp = require "spec.support.mcp"
local shell = require "spec.support.shell"

local KEY = "key-of-the-clients"
-- The inspector wants a Node.js that is newer than those that are around: it comes with one.
local INSPECTOR = "node@22 @modelcontextprotocol/inspector@latest"

describe("the official clients of MCP, against codecell mcp #slow #registry #once", function()
  local folder, server, has_python, has_javascript, has_inspector
  setup(function()
    folder = shell.folder()
    has_python = shell.run(("/usr/bin/python3 -m venv %s/python && %s/python/bin/pip install -q "
      .. "mcp"):format(folder, folder), { time = 300 }).status == 0
    has_javascript = shell.run("npm install --silent @modelcontextprotocol/sdk "
      .. "@modelcontextprotocol/client", { folder = folder, time = 400 }).status == 0
    assert(shell.run("mkdir inspector", { folder = folder }).status == 0)
    has_inspector = shell.run("npm install --silent --prefix . " .. INSPECTOR,
      { folder = folder .. "/inspector", time = 400 }).status == 0
    assert(shell.run("cp spec/support/mcp_sdk.* " .. folder, { folder = "." }).status == 0)
    server = mcp.listen("--api-key " .. KEY)
  end)
  teardown(function()
    server.close()
    shell.remove(folder)
  end)

  local function check(line, least, is_there)
    if not is_there then
      return pending("the registry does not answer")
    end
    local result = shell.run(("cd %s && %s"):format(folder, line), { time = 200 })
    local count = select(2, result.stdout:gsub("ok %w+", ""))
    assert.is_nil(result.stdout:match("FAIL[^\n]*"), result.stdout .. result.stderr)
    assert.is_true(count >= least, result.stdout .. result.stderr)
    assert.equal("", server:problems())
  end

  local stdio = shell.codecell .. " mcp"
  local function http()
    return server.url .. " " .. KEY
  end

  it("for JavaScript: @modelcontextprotocol/sdk, by both transports", function()
    check("node mcp_sdk.mjs 1 2025-11-25 " .. stdio, 11, has_javascript)
    check("node mcp_sdk.mjs 1 2025-11-25 " .. http(), 11, has_javascript)
  end)

  it("for JavaScript: @modelcontextprotocol/client, by both transports", function()
    check("node mcp_sdk.mjs 2 2026-07-28 " .. stdio, 11, has_javascript)
    check("node mcp_sdk.mjs 2 2025-11-25 " .. http(), 11, has_javascript)
  end)

  it("for Python, by both transports and with both ways to begin", function()
    local program = "python/bin/python mcp_sdk.py "
    check(program .. "auto 2026-07-28 " .. stdio, 9, has_python)
    check(program .. "legacy 2025-11-25 " .. stdio, 9, has_python)
    check(program .. "auto 2025-11-25 " .. http(), 9, has_python)
    check(program .. "legacy 2025-11-25 " .. http(), 9, has_python)
  end)

  it("the inspector, on the command line, by both transports", function()
    if not has_inspector then
      return pending("the registry does not answer")
    end
    local function inspect(place, words)
      return shell.run(("cd %s/inspector && PATH=$PWD/node_modules/.bin:$PATH node "
        .. "node_modules/.bin/mcp-inspector --cli %s %s"):format(folder, place, words)).stdout
    end
    assert.matches('"name": "run_code"', inspect(stdio, "--method tools/list"))
    assert.matches("42", inspect(stdio, "--method tools/call --tool-name run_code "
      .. "--tool-arg 'code=print(6*7)'"))
    assert.matches("analyze_file", inspect(stdio, "--method prompts/list"))
    assert.matches("sandbox://", inspect(stdio, "--method resources/templates/list"))
    assert.matches("/home/user", inspect(server.url .. " --transport http --header 'X-API-Key: "
      .. KEY .. "'", "--method tools/call --tool-name run_shell --tool-arg command=pwd"))
  end)
end)
