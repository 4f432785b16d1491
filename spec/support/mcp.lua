-- mcp.lua -- clients of `codecell mcp`, that write what they like: of a session in this Lua state,
-- and of the command as a process of its own.
local codecell = require "codecell"
local core = require "codecell.core"
local json = require "codecell.json"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local mcp = {}

local Client = {}
Client.__index = Client

local function new(more)
  more.serial, more.heard = 0, {}
  return setmetatable(more, Client)
end

--- A session in this Lua state.
function mcp.inside(given)
  local self = new({})
  local all = { emit = function(value)
    table.insert(self.heard, assert(json.decode((assert(json.encode(value))))))
  end }
  for name, value in pairs(given or {}) do
    all[name] = value
  end
  self.session = codecell.mcp.session(all)
  self.write = function(text) self.session:receive(text) end
  self.look = function() end
  self.close = function() self.session:close() end
  return self
end

--- The command as a process; it ends with `close`.
function mcp.start(options)
  local folder = shell.folder()
  os.execute(("mkfifo %s/in; %s mcp %s < %s/in > %s/out 2> %s/err & echo $! > %s/pid"):format(
    folder, shell.codecell, options or "", folder, folder, folder, folder))
  local input = assert(io.open(folder .. "/in", "wb"))
  local self = new({ folder = folder, pid = shell.read(folder .. "/pid"):match("%d+") })
  local seen = 0
  self.write_raw = function(text)
    assert(self:lives(), "the command has ended") -- else the signal of a pipe would end us
    input:write(text)
    input:flush()
  end
  self.write = function(text)
    self.write_raw(text .. "\n")
  end
  self.look = function()
    local text = (shell.read(folder .. "/out") or ""):sub(seen + 1)
    for line in text:gmatch("([^\n]*)\n") do
      seen = seen + #line + 1
      table.insert(self.heard, (assert(json.decode(line), line)))
    end
  end
  self.hang_up = function()
    if input then
      input:close()
      input = nil
    end
  end
  self.close = function()
    self.hang_up()
    wait_until(function() return not self:lives() end)
    shell.remove(folder)
  end
  return self
end

function Client:lives()
  return shell.read("/proc/" .. self.pid .. "/stat") ~= nil
    and not shell.read("/proc/" .. self.pid .. "/stat"):find("%) Z ")
end

function Client:problems()
  return shell.read(self.folder .. "/err")
end

function Client:send(value)
  self.write(type(value) == "string" and value or assert(json.encode(value)))
end

--- Ask for something: the id of the request.
function Client:ask(method, params)
  self.serial = self.serial + 1
  self:send({ jsonrpc = "2.0", id = self.serial, method = method, params = params })
  return self.serial
end

function Client:tell(method, params)
  self:send({ jsonrpc = "2.0", method = method, params = params })
end

--- What has come that `called` likes, which is then forgotten; nil: nothing.
function Client:take(called)
  self.look()
  for i, value in ipairs(self.heard) do
    if called(value) then
      return table.remove(self.heard, i)
    end
  end
end

--- The same, waiting for it.
function Client:wait(called)
  local found
  wait_until(function()
    found = self:take(called)
    return found ~= nil
  end)
  return found
end

function Client:answer(id)
  return self:wait(function(value) return value.id == id end)
end

--- A notification of that method.
function Client:note(method)
  return self:wait(function(value) return value.method == method end)
end

--- Ask, and wait: the result, or nil and the error.
function Client:call(method, params)
  local answer = self:answer(self:ask(method, params))
  return answer.result, answer.error
end

function Client:begin(version)
  local result = assert(self:call("initialize", { protocolVersion = version or "2025-06-18",
    capabilities = {}, clientInfo = { name = "spec", version = "1" } }))
  self:tell("notifications/initialized")
  return result
end

local function tool_params(name, arguments, token)
  return { name = name, arguments = arguments, _meta = token and { progressToken = token } or nil }
end

function Client:ask_tool(name, arguments, token)
  return self:ask("tools/call", tool_params(name, arguments, token))
end

function Client:tool(name, arguments, token)
  return self:call("tools/call", tool_params(name, arguments, token))
end

--- The command by HTTP, at a port of its own: `url`, `pid`, `problems`, `close`; `key`, if it has
--- made one.
function mcp.listen(options)
  local folder = shell.folder()
  os.execute(("%s mcp --http 0 %s > %s/out 2> %s/err < /dev/null & echo $! > %s/pid"):format(
    shell.codecell, options or "", folder, folder, folder))
  local self = setmetatable({ folder = folder, pid = shell.read(folder .. "/pid"):match("%d+") },
    Client)
  wait_until(function()
    local text = shell.read(folder .. "/out") or ""
    self.url, self.key = text:match("listening on (http%S+)\n"), text:match("Bearer (%S+)\n")
    return self.url ~= nil or not self:lives()
  end)
  assert(self.url, self:problems())
  self.close = function()
    os.execute("kill " .. self.pid)
    wait_until(function() return not self:lives() end)
    shell.remove(folder)
  end
  return self
end

--- Ask one by curl: status, body (decoded where it is JSON), headers by lower-case name. `given`:
--- `method` (POST), `headers` (lines), `body` (a table or a text), `session`, `key`, `accept`,
--- `path`, `time` (seconds, after which curl gives up).
function Client:post(given)
  local words = { "curl", "-sS", "-i", "--max-time", given.time or 20, "-X",
    given.method or "POST" }
  local function header(text)
    words[#words + 1], words[#words + 2] = "-H", shell.quote(text)
  end
  header("Accept: " .. (given.accept or "application/json, text/event-stream"))
  if given.key then
    header("Authorization: Bearer " .. given.key)
  end
  if given.session then
    header("Mcp-Session-Id: " .. given.session)
  end
  for _, text in ipairs(given.headers or {}) do
    header(text)
  end
  local body = type(given.body) == "table" and json.encode(given.body) or given.body
  if body then
    header("Content-Type: " .. (given.kind or "application/json"))
    words[#words + 1] = "--data-binary @-"
  end
  words[#words + 1] = shell.quote(self.url:gsub("/mcp$", given.path or "/mcp"))
  local result = shell.run(table.concat(words, " "), { stdin = body or "" })
  local head, text = result.stdout:match("^(HTTP/.-\r\n)\r\n(.*)$")
  while head and head:find("^HTTP/%S+ 100") do
    head, text = text:match("^(HTTP/.-\r\n)\r\n(.*)$")
  end
  local headers = {}
  for name, value in (head or ""):gmatch("([%w-]+): ([^\r\n]*)") do
    headers[name:lower()] = value
  end
  local status = head and tonumber(head:match("^HTTP/%S+ (%d+)"))
  return status, text and text:find("^%s*[{%[]") and json.decode(text) or text, headers
end

--- Ask by curl without waiting for the end of the answer: `text()`, what has come of it, and
--- `leave()`, which breaks the connection off. Something of the answer has come already.
function Client:post_for_long(given)
  local folder = shell.folder()
  shell.write(folder .. "/body", json.encode(given.body))
  os.execute(("curl -sSN --max-time 120 -H 'Authorization: Bearer %s' -H 'Mcp-Session-Id: %s' "
    .. "-H 'Accept: application/json, text/event-stream' -H 'Content-Type: application/json' "
    .. "--data-binary @%s/body %s > %s/text 2> %s/err & echo $! > %s/pid"):format(given.key,
    given.session, folder, self.url, folder, folder, folder))
  local long = { text = function() return shell.read(folder .. "/text") or "" end }
  function long.leave()
    os.execute("kill " .. shell.read(folder .. "/pid"))
    shell.remove(folder)
  end
  wait_until(function() return long.text():find("\n\n", 1, true) ~= nil end)
  return long
end

--- Begin a session by HTTP: its id.
function Client:begin_session(key, version)
  local status, body, headers = self:post({ key = key, body = { jsonrpc = "2.0", id = 1,
    method = "initialize", params = { protocolVersion = version or "2025-06-18",
      capabilities = {}, clientInfo = { name = "spec", version = "1" } } } })
  assert(status == 200 and body.result, json.encode(body))
  return headers["mcp-session-id"]
end

--- The text of what a tool has answered.
function mcp.text(result)
  local texts = {}
  for _, part in ipairs(result.content) do
    texts[#texts + 1] = part.text
  end
  return table.concat(texts, "\n")
end

--- Something that no other process has in its command line.
function mcp.mark()
  return "mark" .. core.random_id(12)
end

--- Whether a process of this machine, in a sandbox or not, has it there.
function mcp.is_running(mark)
  return shell.run(("env -u LD_PRELOAD pgrep -f '[%s]%s'"):format(mark:sub(1, 1), mark:sub(2)))
    .status == 0
end

return mcp
