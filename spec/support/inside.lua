-- inside.lua -- Python programs inside a sandbox that use its network.
local codecell = require "codecell"

local PRELUDE = [[
import os, socket, urllib.error, urllib.request
def outcome(called):
    try:
        return called()
    except urllib.error.HTTPError as error:
        return "%d %s" % (error.code, error.reason)
    except Exception as error:
        return "%s %s" % (type(error).__name__, error)
def get(url):
    print(outcome(lambda: urllib.request.urlopen(url, timeout=20).read().decode()))
def proxy(text, count=1):
    peer = socket.create_connection(("127.0.0.1", 1008), 20)
    peer.sendall(text.encode("latin-1"))
    data = b""
    while count:
        more = peer.recv(4096)
        if not more:
            break
        data += more
        count -= 1
    return data.decode("latin-1")
]]

local inside = {}

--- What runs Python inside, formatted with the arguments, and gives what it printed.
function inside.runner(sandbox)
  return function(code, ...)
    local execution = codecell.assert(sandbox:run_code(PRELUDE .. code:format(...)))
    assert(not execution.error, execution.error and execution.error.traceback)
    return table.concat(execution.logs.stdout), execution
  end
end

return inside
