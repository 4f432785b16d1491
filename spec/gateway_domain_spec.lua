-- `codecell serve` with a domain and a certificate: each port of a sandbox has a name.
local authority = require "spec.support.authority"
local gateway = require "spec.support.gateway"
local shell = require "spec.support.shell"

describe("codecell serve --domain --tls-cert --tls-key #C09 #M10 #user", function()
  local server, record
  setup(function()
    if authority.is_possible() then
      server = gateway.start_with_domain("sandbox.test")
      record = server:create()
    end
  end)
  teardown(function()
    if server then
      server:stop()
    end
  end)
  before_each(function()
    if not server then
      pending "openssl is not installed"
    end
  end)

  local function at(port)
    return ("%d-%s.%s"):format(port, record.sandboxID, server.domain)
  end

  it("prints where it listens, and the one variable that programs need", function()
    assert.equal(("listening on https://127.0.0.1:%s\nE2B_DOMAIN=sandbox.test:%s\n"
      .. "page at https://127.0.0.1:%s/\n"):format(server.port, server.port, server.port),
      shell.read(server.folder .. "/out"))
    assert.equal(server.domain, record.domain)
  end)

  it("answers for the account at api.DOMAIN, and for a sandbox at PORT-ID.DOMAIN", function()
    local status, list = server:ask("/v2/sandboxes")
    assert.same({ 200, record.sandboxID }, { status, list[1].sandboxID })
    assert.equal(401, (server:ask("/v2/sandboxes", { key = false })))
    local token = { "X-Access-Token: " .. record.envdAccessToken }
    status = server:ask("/files?path=a", { method = "POST", host = at(49983), headers = token,
      kind = "application/octet-stream", body = "text" })
    assert.equal(200, status)
    assert.equal("text", select(2, server:ask("/files?path=a", { host = at(49983),
      headers = token })))
    assert.equal(401, (server:ask("/files?path=a", { host = at(49983) })))
    local _, lines = server:ask("/execute", { method = "POST", host = at(49999), headers = token,
      body = { code = "6 * 7" } })
    assert.matches('"text": ?"42"', type(lines) == "table" and "" or lines)
  end)

  it("answers for what listens in a sandbox, as for what does not", function()
    local status, problem = server:ask("/", { host = at(8000) })
    assert.same({ 502, 8000 }, { status, problem.port })
    status, problem = server:ask("/", { host = "8000-inobody." .. server.domain })
    assert.same({ 502, "inobody" }, { status, problem.sandboxId })
    assert.equal(400, (server:ask("/", { host = "99999-inobody." .. server.domain })))
  end)

  it("says what is wrong with its options, and does not start", function()
    local files = ("--tls-cert %s/server.pem --tls-key "):format(server.trust)
    local function serve(words)
      local result = shell.run(shell.codecell .. " serve --port 0 " .. words)
      assert.equal("", result.stdout)
      return result.stderr, result.status
    end
    assert.same({ "codecell serve: --tls-cert and --tls-key belong together; "
      .. "see 'codecell serve --help'\n", 2 },
      { serve "--tls-cert a" })
    assert.matches("^codecell serve: %-%-tls%-key: /nowhere: No such file", (serve(files
      .. "/nowhere")))
    assert.matches("the key is not that of the certificate", (serve(files .. server.trust
      .. "/ca.key")))
    assert.matches("not a private key in PEM", (serve(files .. server.trust .. "/names")))
    assert.matches("%-%-domain: a name", (serve "--domain a/b"))
  end)
end)
