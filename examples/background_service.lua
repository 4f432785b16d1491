-- background_service.lua -- a server in the background of a sandbox, its log in a file, and its
-- address: `shell` with background, then `get_host`.
local codecell = require "codecell"

local APP = [[
from http.server import BaseHTTPRequestHandler, HTTPServer

class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Hello from the sandbox")

print("listening", flush=True)
HTTPServer(("", 5000), Hello).serve_forever()
]]

local service = codecell.assert(codecell.service { mode = "kernel" })

local function call(request)
  request.sessionId = "server"
  local reply = codecell.actions.call(request, { service = service, user = "ann" })
  return reply.success and reply or error(reply.text, 0)
end

call { action = "create" }
call { action = "write_file", filePath = "app.py", fileContent = APP }
local started = call { action = "shell", command = "python3 app.py > output.log",
  background = true }
local sandbox = service:get(started.sandboxId)
codecell.assert(sandbox:wait_port(5000, 20))
local host = call({ action = "get_host", port = 5000 }).host
print("it listens at " .. host)
print("its log: " .. call({ action = "read_file", filePath = "output.log" }).content)
local page = call { action = "shell", command = "python3 -c \"import urllib.request as r; "
  .. "print(r.urlopen('http://127.0.0.1:5000').read().decode())\"" }
print("it says: " .. page.output)
call { action = "kill_command", commandId = started.commandId }
call { action = "kill" }
service:close()
