-- packages.lua [PACKAGE [INDEX [URL NAME_SERVER ADDRESS]]] -- code installs a
-- package by pip, and asks a web server for a page. It may have that package
-- and what it needs, and reach the host of the URL: nothing else. The second
-- run downloads no package. For an index and a server of your own network name
-- them, the server that knows the name, and the address that it has.
local codecell = require "codecell"

local PACKAGE, INDEX = arg[1] or "requests", arg[2]
local URL, NAME_SERVER, ADDRESS = arg[3] or "https://example.com/", arg[4], arg[5]

local CODE = [[
import importlib.metadata, subprocess, sys, urllib.request
def pip(name):
    return subprocess.run([sys.executable, "-m", "pip", "install", "-q", name],
                          capture_output=True).returncode == 0
print("installed", pip("PACKAGE") and importlib.metadata.version("PACKAGE"))
with urllib.request.urlopen("URL", timeout=30) as answer:
    print("page of", len(answer.read()), "bytes")
print("another package:", pip("PACKAGE-of-somebody-else"))
]]

codecell.setup { name_servers = { NAME_SERVER } }
local sandbox = codecell.assert(codecell.create {
  packages = { allow = { PACKAGE }, index = INDEX },
  network = { allow = { URL:match "^https?://([^/]+)", ADDRESS } },
})
local execution = codecell.assert(sandbox:run_code((CODE:gsub("%u%u+", {
  PACKAGE = PACKAGE, URL = URL,
}))))
io.write(table.concat(execution.logs.stdout))
for _, refusal in ipairs(execution.refused) do
  print(refusal.message)
end
if execution.error then
  print(execution.error.name .. ": " .. execution.error.value)
end
sandbox:close()
os.exit(execution.error and 1 or 0, true)
