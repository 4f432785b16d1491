-- secret.lua [URL [NAME_SERVER ADDRESS CA_FILE]] -- code uses an API with the
-- key of the variable API_KEY, which never enters the sandbox: the code asks
-- by http://, and the header is added outside, on the way to https://. For an
-- API of your own network name the server that knows its name, the address that
-- it has and the authority that has signed its certificate.
local codecell = require "codecell"

local URL = arg[1] or "https://api.github.com/user"
local NAME_SERVER, ADDRESS, CA_FILE = arg[2], arg[3], arg[4]

local CODE = [[
import urllib.request
with urllib.request.urlopen("URL", timeout=60) as answer:
    print(answer.status, answer.read().decode())
]]

local key = os.getenv "API_KEY"
if not key then
  io.stderr:write("secret.lua: set the variable API_KEY\n")
  os.exit(2)
end
local host = assert(URL:match "^https://([^/]+)", "secret.lua: an https:// URL is expected")
codecell.setup { name_servers = { NAME_SERVER } }
local sandbox = codecell.assert(codecell.create {
  network = {
    allow = { host, ADDRESS },
    rules = { [host] = { headers = { Authorization = "Bearer " .. key }, ca_file = CA_FILE } },
  },
})
local execution = codecell.assert(sandbox:run_code((CODE:gsub("URL", function()
  return (URL:gsub("^https", "http"))
end))))
io.write(table.concat(execution.logs.stdout))
if execution.error then
  print(execution.error.name .. ": " .. execution.error.value)
end
print("added outside: " .. table.concat(sandbox:get_info().network.rules[host].headers, ", "))
sandbox:close()
os.exit(execution.error and 1 or 0, true)
