-- e2b.lua -- a server that answers as E2B does, or as it should not, by a script.
local base64 = require "codecell.base64"
local codecell = require "codecell"
local core = require "codecell.core"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local e2b = {}

e2b.key = "e2b_" .. ("0"):rep(40)
e2b.token = ("ab"):rep(32)
e2b.id = "i0123456789abcdefghij"

local Server = {}
Server.__index = Server

--- Start one; it ends with its folder.
function e2b.start()
  local self = setmetatable({ folder = shell.folder(), serial = 0 }, Server)
  self:script({})
  os.execute(("/usr/bin/python3 spec/support/e2b_server.py %s %d > /dev/null 2>&1 < /dev/null &")
    :format(shell.quote(self.folder), core.getpid()))
  local patience = os.time() + 60
  local text
  repeat
    text = shell.read(self.folder .. "/port")
    codecell.step(0.02)
  until text or os.time() > patience
  local port, mute = assert(text, "the server did not start"):match("^(%d+) (%d+)$")
  self.url, self.mute = "http://127.0.0.1:" .. port, "http://127.0.0.1:" .. mute
  return self
end

function Server:stop()
  shell.remove(self.folder)
end

--- Answer by these rules from now on, and treat connections to the port that says nothing by
--- `accept` ("close", "reset" or "hang"); the log starts anew.
function Server:script(rules, accept)
  self.serial = self.serial + 1
  local list = json.list()
  for i, rule in ipairs(rules) do
    local one = {}
    for name, value in pairs(rule) do
      one[name] = value
    end
    one.body = base64.encode(rule.json and json.encode(rule.json) or rule.body or "")
    one.raw = rule.raw and base64.encode(rule.raw)
    one.endless = rule.endless and base64.encode(rule.endless)
    one.bodies = rule.bodies and json.list()
    for at, body in ipairs(rule.bodies or {}) do
      one.bodies[at] = base64.encode(body)
    end
    one.json = nil
    list[i] = one
  end
  shell.write(self.folder .. "/log", "")
  shell.write(self.folder .. "/script.new", assert(json.encode({ serial = self.serial,
    accept = accept, rules = list })))
  assert(os.rename(self.folder .. "/script.new", self.folder .. "/script.json"))
end

--- The requests since the script was given.
function Server:requests()
  local list = {}
  for line in (shell.read(self.folder .. "/log") or ""):gmatch("[^\n]+") do
    local request = json.decode(line)
    request.body = base64.decode(request.body)
    list[#list + 1] = request
  end
  return list
end

--- Those of a method and a path.
function Server:asked(method, path)
  local list = {}
  for _, request in ipairs(self:requests()) do
    if request.method == method and request.path:find(path) then
      list[#list + 1] = request
    end
  end
  return list
end

--- Options that lead to it, and others.
function Server:options(more)
  local options = { backend = "e2b", api_key = e2b.key, api_url = self.url,
    sandbox_url = self.url, request_timeout = 60, max_retries = 3 }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end

--- What the control plane says of a new sandbox.
function e2b.record(more)
  local record = { templateID = "code-interpreter-v1", sandboxID = e2b.id, clientID = "6532622b",
    envdVersion = "0.6.13", envdAccessToken = e2b.token, domain = json.null,
    trafficAccessToken = json.null }
  for name, value in pairs(more or {}) do
    record[name] = value
  end
  return record
end

--- What it says of one that runs.
function e2b.detail(more)
  local detail = { templateID = "code-interpreter-v1", sandboxID = e2b.id, clientID = "6532622b",
    startedAt = "2026-08-01T10:00:00Z", endAt = "2099-08-01T10:05:00.5Z", envdVersion = "0.6.13",
    cpuCount = 2, memoryMB = 1024, diskSizeMB = 2048, state = "running",
    metadata = { kind = "test" } }
  for name, value in pairs(more or {}) do
    detail[name] = value
  end
  return detail
end

--- The rules that make and end a sandbox, before others.
function e2b.rules(...)
  local rules = {
    { method = "POST", path = "^/sandboxes$", status = 201, json = e2b.record() },
    { method = "DELETE", path = "^/sandboxes/", status = 204 },
  }
  for i = 1, select("#", ...) do
    rules[#rules + 1] = (select(i, ...))
  end
  rules[#rules + 1] = { method = "GET", path = "^/sandboxes/[^/]*$", json = e2b.detail() }
  return rules
end

--- One envelope of a stream.
function e2b.envelope(value, flags)
  local text = type(value) == "string" and value or json.encode(value)
  local size, floor = #text, math.floor
  return string.char(flags or 0, floor(size / 16777216), floor(size / 65536) % 256,
    floor(size / 256) % 256, size % 256) .. text
end

--- A whole stream of events of a process, with its end.
function e2b.process(...)
  local pieces = { e2b.envelope({ event = { start = { pid = 42 } } }) }
  for i = 1, select("#", ...) do
    pieces[#pieces + 1] = e2b.envelope({ event = (select(i, ...)) })
  end
  pieces[#pieces + 1] = e2b.envelope({}, 2)
  return table.concat(pieces)
end

function e2b.out(text, stream)
  return { data = { [stream or "stdout"] = base64.encode(text) } }
end

e2b.exit0 = { ["end"] = { exited = true, status = "exit status 0" } }

--- Lines as the code interpreter sends them.
function e2b.lines(...)
  local pieces = {}
  for i = 1, select("#", ...) do
    pieces[i] = json.encode((select(i, ...))) .. "\n"
  end
  return table.concat(pieces)
end

return e2b
