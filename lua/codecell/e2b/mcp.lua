--- The gateway of MCP servers that a template of E2B may have.
local core = require "codecell.core"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local json = require "codecell.json"

local mcp = {}

mcp.TEMPLATE = "mcp-gateway"
mcp.PORT = 50005
local TOKEN_FILE = "/etc/mcp-gateway/.token"
local TOKEN = 32 -- letters and digits

--- Start it in a sandbox that was just made; where it cannot be, the sandbox ends.
---@param sandbox codecell.Sandbox
---@param config table servers by name
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err
function mcp.start(sandbox, config)
  local token = core.random_id(TOKEN)
  local result, err = sandbox.commands:run({ "mcp-gateway", "--config",
    errors.assert(json.encode(config)) },
    { user = "root", envs = { GATEWAY_ACCESS_TOKEN = token } })
  if result and result.exit_code == 0 then
    sandbox._mcp_token = function() return token end
    return sandbox
  end
  local why = err and err.message or failure.line(result.stderr)
  sandbox:kill()
  sandbox:close()
  return nil, errors.new(err and err.kind or "unsupported",
    ("Sandbox creation failed: the MCP gateway did not start: %s"):format(why),
    "choose a template that has the program mcp-gateway")
end

--- What its clients must send.
---@param sandbox codecell.Sandbox
---@return string? token
---@return codecell.Error? err kind "not_found": there is none
function mcp.token(sandbox)
  if sandbox._mcp_token then
    return sandbox._mcp_token()
  end
  local token, err = sandbox.files:read(TOKEN_FILE, { user = "root" })
  if not token then
    return nil, err
  end
  token = token:gsub("%s+$", "")
  sandbox._mcp_token = function() return token end
  return token
end

return mcp
