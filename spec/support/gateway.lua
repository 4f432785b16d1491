-- gateway.lua -- `codecell serve` on a port of its own, for what speaks E2B's API to it.
local authority = require "spec.support.authority"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local gateway = {}

gateway.key = "e2b_" .. ("0"):rep(40)

local Gateway = {}
Gateway.__index = Gateway

--- Start one; it ends with `stop`. `port`: default any; `before`: a command of the shell.
function gateway.start(options, port, before)
  local folder = shell.folder()
  options = options or "--api-key " .. gateway.key
  os.execute(("%s CODECELL_HOME=%s %s serve --port %d %s > %s/out 2> %s/err < /dev/null & "
    .. "echo $! > %s/pid"):format(before or "", folder, shell.codecell, port or 0, options, folder,
      folder, folder))
  local patience = os.time() + 60
  local url
  repeat
    url = (shell.read(folder .. "/out") or ""):match("listening on (http%S+)\n")
    os.execute(url and "true" or "sleep 0.05")
  until url or os.time() > patience
  assert(url, shell.read(folder .. "/err"))
  return setmetatable({ folder = folder, url = url, pid = shell.read(folder .. "/pid"):match("%d+"),
    port = url:match("%d+$") }, Gateway)
end

--- Start one that speaks TLS, and below whose domain each port of a sandbox has a name.
function gateway.start_with_domain(domain, more)
  local folder = shell.folder()
  authority.make(folder, { "DNS:" .. domain, "DNS:*." .. domain, "IP:127.0.0.1" })
  local self = gateway.start(("--api-key %s --domain %s --tls-cert %s/server.pem "
    .. "--tls-key %s/server.key %s"):format(gateway.key, domain, folder, folder, more or ""))
  self.trust, self.domain = folder, shell.read(self.folder .. "/out"):match("E2B_DOMAIN=(%S+)\n")
  return self
end

function Gateway:stop()
  os.execute("kill " .. self.pid .. " 2>/dev/null")
  shell.remove(self.folder)
  if self.trust then
    shell.remove(self.trust)
  end
end

--- Its own memory in kilobytes, and how many descriptors it has.
function Gateway:weight()
  local memory = shell.read("/proc/" .. self.pid .. "/status"):match("VmRSS:%s*(%d+)")
  local count = 0
  for _ in shell.run("ls /proc/" .. self.pid .. "/fd").stdout:gmatch("%d+") do
    count = count + 1
  end
  return tonumber(memory), count
end

--- A value of its metrics.
function Gateway:metric(name)
  local _, text = self:ask("/metrics")
  return tonumber(("\n" .. text):match("\n" .. name:gsub("%p", "%%%0") .. " (%S+)\n"))
end

--- What it has written on standard error.
function Gateway:problems()
  return shell.read(self.folder .. "/err")
end

--- Options for our own client.
function Gateway:options(more)
  local options = { backend = "e2b", api_key = gateway.key, api_url = self.url,
    sandbox_url = self.url, request_timeout = 60 }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end

--- The variables that lead an SDK to it, before a command line.
function Gateway:environment()
  if self.domain then
    return ("E2B_API_KEY=%s E2B_DOMAIN=%s NODE_EXTRA_CA_CERTS=%s/ca.pem SSL_CERT_FILE=%s/ca.pem "
      .. "NODE_OPTIONS=--require=$LOOPBACK/loopback.cjs PYTHONPATH=$LOOPBACK "):format(gateway.key,
      self.domain, self.trust, self.trust)
  end
  return ("E2B_API_KEY=%s E2B_API_URL=%s E2B_SANDBOX_URL=%s "):format(gateway.key, self.url,
    self.url)
end

--- Ask by curl: status, body (decoded where it is JSON), headers as text. `given`: `method`,
--- `headers` (lines), `body`, `kind` of that, `key` (false: without), `to` (a record: with routing
--- headers), `port`, `host` (a name that leads to it).
function Gateway:ask(path, given)
  given = given or {}
  local words = { "curl", "-sS", "-i", "--max-time", "20", "-X", given.method or "GET" }
  local function header(text)
    words[#words + 1], words[#words + 2] = "-H", shell.quote(text)
  end
  if given.to then
    header("E2b-Sandbox-Id: " .. given.to.sandboxID)
    header(("E2b-Sandbox-Port: %d"):format(given.port or 49983))
    if given.key ~= false and given.to.envdAccessToken then
      header("X-Access-Token: " .. given.to.envdAccessToken)
    end
  elseif given.key ~= false then
    header("X-API-Key: " .. (given.key or gateway.key))
  end
  if given.body then
    header("Content-Type: " .. (given.kind or "application/json"))
    words[#words + 1] = "--data-binary @-"
  end
  for _, text in ipairs(given.headers or {}) do
    header(text)
  end
  local url = self.url
  if self.trust then
    words[#words + 1] = ("--cacert %s/ca.pem --connect-to ::127.0.0.1:%s"):format(self.trust,
      self.port)
    url = "https://" .. (given.host or "api." .. self.domain)
  end
  words[#words + 1] = shell.quote(url .. path)
  local body = type(given.body) == "table" and json.encode(given.body) or given.body
  local result = shell.run(table.concat(words, " "), { stdin = body or "" })
  local head, text = result.stdout:match("^(HTTP/.-\r\n)\r\n(.*)$")
  while head and head:find("^HTTP/%S+ 100") do
    head, text = text:match("^(HTTP/.-\r\n)\r\n(.*)$")
  end
  local status = head and tonumber(head:match("^HTTP/%S+ (%d+)"))
  return status, text and text:find("^%s*[{%[]") and json.decode(text) or text, head
end

--- A new sandbox, as the control plane tells it.
function Gateway:create(more)
  local body = { templateID = "base", timeout = 900, secure = true, allow_internet_access = false }
  for name, value in pairs(more or {}) do
    body[name] = value
  end
  local status, record = self:ask("/sandboxes", { method = "POST", body = body })
  assert(status == 201, json.encode(record))
  return record
end

return gateway
