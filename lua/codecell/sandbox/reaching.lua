--- Verbs by which host and sandbox reach each other: ports of the one, functions of the other.
local core = require "codecell.core"
local errors = require "codecell.errors"
local options = require "codecell.options"
local receiver = require "codecell.receiver"

local Sandbox = core.Sandbox

local check_open = receiver.sandbox

local PORT = { type = "integer", least = 1, most = 65535 }

--- Where a server inside is reached from this machine: "127.0.0.1:41234". Connections go through as
--- bytes do, HTTP upgrades included, while the reactor is stepped: by any verb that waits, by
--- `codecell.step`, or by an attached host.
---@param port integer inside, 1 to 65535
---@return string? host address and port, the same each time, until the sandbox ends
---@return codecell.Error? err kinds "limit_exceeded", "sandbox_gone", "system", "unsupported" (the
---port that `expose` answers at)
function Sandbox:get_host(port)
  check_open(self, "get_host")
  options.argument("get_host", "port", port, "integer", PORT)
  if self._exposed and self._exposed.port == port then
    return nil, errors.new("unsupported",
      ("get_host: port %d leads to what the sandbox exposes, for its code alone"):format(port))
  end
  return self._backend.host(self, port)
end

--- Wait until something listens on a port inside.
---@param port integer
---@param timeout number? seconds; default 60
---@return true? listening
---@return codecell.Error? err kind "timeout"
function Sandbox:wait_port(port, timeout)
  check_open(self, "wait_port")
  options.argument("wait_port", "port", port, "integer", PORT)
  options.timeout("wait_port", timeout, 3)
  return require("codecell.network.port").wait(self, port, timeout or 60)
end

--- Let code call functions of the host, whatever its language and its network: Python by `from
--- host import tools`, JavaScript by `import { tools } from "host"` (a call is a promise), Lua by
--- `require("host").tools`, commands by `host tools.search '"text"'`. Arguments and result are
--- JSON; null is nil as an argument or a result, and `codecell.json.null` within a table. What the
--- function raises, or returns after nil, is an exception in the code. It may wait, and is called
--- in a task of its own while the reactor is stepped: by any verb that waits, by `codecell.step`,
--- or by an attached host. When its time is over, or who called it has gone, its waits end with
--- the error "cancelled".
---@param name string of letters, digits and _
---@param functions table<string, function>? by name; nil: take them back
---@param given codecell.ExposeOptions? `timeout` (30 s), `rate` ({calls = 10, per = 1}), `policy`,
---`limits` ({arguments = 1 MiB, result = 8 MiB})
---@return true? done
---@return codecell.Error? err kinds "unsupported" (the backend; libmicrohttpd is not installed),
---"limit_exceeded", "no_space", "sandbox_gone"
function Sandbox:expose(name, functions, given)
  check_open(self, "expose")
  local ok, err = require("codecell.expose").expose(self, name, functions, given, 2)
  return ok, err
end
