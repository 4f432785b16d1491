-- Requests by HTTP, to servers that do what they should and to others.
local codecell = require "codecell"
local core = require "codecell.core"
local fields = require "codecell.http.fields"
local http = require "codecell.http"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"
local web = require "spec.support.web"

local function count(folder)
  local pipe = assert(io.popen(("ls /proc/%d/%s | wc -l"):format(core.getpid(), folder)))
  local found = pipe:read("*n")
  pipe:close()
  return found
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("http.request", function()
  local server, client, base

  setup(function()
    if web.is_possible() then
      server = web.start()
      client = codecell.assert(http.client({ ca_file = server.ca }))
      base = "http://127.0.0.1:" .. server.http
    end
  end)

  teardown(function()
    if server then
      client:close()
      web.stop(server)
    end
  end)

  before_each(function()
    if not server then
      pending "openssl is not installed"
    end
  end)

  local function ask(path, given)
    given = given or {}
    given.url = base .. path
    return client:request(given)
  end

  local function get(path, given)
    local response = codecell.assert(ask(path, given))
    return codecell.assert(response:all(2 ^ 26)), response
  end

  local function failure(path, given)
    local response, err = ask(path, given)
    if response then
      local body
      body, err = response:all(2 ^ 26)
      assert.is_nil(body, "no failure")
    end
    return err
  end

  it("gives status, fields and body, and no field that nobody asked for", function()
    local text, response = get("/head?a=b%20c", { headers = { { "X-A", "1" }, { "x-a", "2" } } })
    assert.equal(200, response.status)
    assert.equal(("GET /head?a=b%%20c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-A: 1\r\nx-a: 2\r\n\r\n")
      :format(server.http), text)
    assert.equal(tostring(#text), response.headers["content-length"])
  end)

  it("gives fields as a list and by name, those that cannot be ones left out", function()
    local _, response = get "/fields"
    assert.same({ "Set-Cookie", "a=1" }, response.headers[1])
    assert.same({ "Set-Cookie", "b=2" }, response.headers[2])
    assert.equal("a=1, b=2", response.headers["set-cookie"])
    assert.equal("", response.headers["x-empty"])
    assert.is_nil(response.headers["bad name"])
  end)

  it("takes a line for a field from its beginning to its end, or not at all", function()
    local list = fields.parse("A:1\r\n\r\nB : 2\nno field\r\n: 3\rc: x: y\0\r\nD: \t4  5 \t\r\n"
      .. "e f: 6\r\nG:\r\nh:  \nI: i\0j\r\nA:7")
    assert.same({ { "A", "1" }, { "D", "4  5" }, { "G", "" }, { "h", "" }, { "A", "7" },
      a = "1, 7", d = "4  5", g = "", h = "" }, list)
  end)

  it("sends a string, nothing, or what a function gives, of a known length or not", function()
    assert.equal("POST /size 5", get("/size", { method = "POST", body = "hello" }))
    assert.equal("POST /size 0", get("/size", { method = "POST" }))
    assert.equal("PUT /size 3000000", get("/size", { method = "PUT", body = ("x"):rep(3e6) }))
    for _, length in ipairs { false, 1000000 } do
      local left = 100
      assert.equal("PATCH /slow-to-take 1000000", get("/slow-to-take", { method = "PATCH",
        length = length or nil, body = function()
          left = left - 1
          return left >= 0 and ("y"):rep(10000) or nil
        end }))
    end
  end)

  it("ends with the error that a function gives instead of a body, and raises what it raises",
    function()
      local err = failure("/size", { method = "POST", body = function()
        return nil, { kind = "system", message = "the disk is on fire" }
      end })
      assert.equal("the disk is on fire", err.message)
      assert.has_error(function()
        ask("/size", { method = "POST", body = function()
          error("boom", 0)
        end })
      end, "boom")
    end)

  it("is content with an answer that comes before all was sent", function()
    local response = codecell.assert(ask("/early", { method = "POST", body = function()
      return ("x"):rep(65536)
    end }))
    assert.equal(413, response.status)
    response:close()
  end)

  it("understands interim answers, chunks, no body, and HEAD", function()
    assert.equal("after", get "/interim")
    assert.equal("abcdefg", get "/chunks")
    local body, response = get "/empty"
    assert.same({ "", 204 }, { body, response.status })
    body, response = get "/not-modified"
    assert.same({ "", 304 }, { body, response.status })
    body, response = get("/size", { method = "HEAD" })
    assert.same({ "", "12" }, { body, response.headers["content-length"] })
  end)

  it("verifies the server's certificate, for its name too", function()
    local url = ("https://127.0.0.1:%d/size"):format(server.https)
    local response = codecell.assert(client:request({ url = url }))
    assert.equal("GET /size 0", response:all(100))
    local _, err = http.request({ url = url })
    assert.equal("protocol", err.kind)
    assert.truthy(err.message:find("certificate", 1, true), err.message)
    _, err = client:request({ url = ("https://localhost:%d/size"):format(server.https) })
    assert.equal("protocol", err.kind)
    assert.truthy(err.message:find("localhost", 1, true), err.message)
  end)

  it("uses a connection again, and only those of its own client", function()
    local other = codecell.assert(http.client())
    local before = get "/peer"
    for _ = 1, 5 do
      get "/size"
    end
    assert.equal(before, (get "/peer"))
    local response = codecell.assert(other:request({ url = base .. "/peer" }))
    assert.not_equal(before, response:all(10))
    other:close()
  end)

  it("asks again where a kept connection is closed, but never what could run twice", function()
    get "/last"
    assert.equal("GET /size 0", get "/size")
    get "/last"
    local err = failure("/twice", { method = "POST", body = "abc" })
    assert.equal("unavailable", err.kind)
    assert.equal(1, select(2, (get "/seen"):gsub("POST /twice", "")))
    get "/last"
    assert.equal("POST /once 0", get("/once", { method = "POST" }))
    assert.equal(1, select(2, (get "/seen"):gsub("POST /once", "")))
  end)

  it("follows no redirect unless told to, and takes no secret along to another server", function()
    local _, response = get("/redirect/" .. base .. "/size")
    assert.equal(302, response.status)
    assert.equal(base .. "/size", response.headers.location)
    assert.equal("GET /size 0", get("/redirect/" .. base .. "/size", { redirects = 1 }))
    assert.equal("POST /size 3", get("/moved", { method = "POST", body = "abc", redirects = 3 }))
    local headers = { Authorization = "secret", ["X-A"] = "b" }
    local text = get("/redirect//head", { redirects = 1, headers = headers })
    assert.truthy(text:find("Authorization: secret", 1, true))
    text = get("/redirect/http://localhost:" .. server.http .. "/head",
      { redirects = 1, headers = headers })
    assert.falsy(text:find("secret", 1, true))
    assert.truthy(text:find("X-A: b", 1, true))
    response = codecell.assert(client:request({ redirects = 5,
      url = ("https://127.0.0.1:%d/redirect/%s/size"):format(server.https, base) }))
    assert.equal(302, response.status) -- not down to what has no TLS
  end)

  it("decodes nothing that was not asked for", function()
    local body, response = get "/gzip"
    assert.equal("gzip", response.headers["content-encoding"])
    assert.truthy(#body < 5000)
    assert.equal("protocol", failure("/bomb").kind)
  end)

  it("keeps a bounded part of what nobody reads", function()
    collect()
    local response = codecell.assert(ask "/endless")
    local size = 0
    for _ = 1, 20 do
      codecell.step(0.01) -- the server sends as long as anything is taken
    end
    while size < 2 ^ 20 do
      local chunk = codecell.assert(response:read())
      assert.truthy(#chunk <= 2 ^ 18)
      size = size + #chunk
    end
    response:close()
    local body, err = codecell.assert(ask "/big"):all(2 ^ 20)
    assert.is_nil(body)
    assert.equal("limit_exceeded", err.kind)
    assert.equal(2 ^ 25, #get "/big")
  end)

  it("reports what is wrong with an answer", function()
    for path, kind in pairs { ["/short"] = "unavailable", ["/cut-chunk"] = "unavailable",
      ["/bad-chunk"] = "unavailable", ["/no-answer"] = "unavailable", ["/reset"] = "unavailable",
      ["/garbage"] = "protocol", ["/long-head"] = "protocol", ["/long-line"] = "protocol" } do
      local err = failure(path)
      assert.truthy(err.kind == kind or err.kind == "protocol", path .. " " .. tostring(err.kind))
      assert.equal(1, (err.message:find("GET " .. base .. ": ", 1, true)), path)
      assert.falsy(err.message:find("[\r\n]"), path)
    end
  end)

  it("gives up after a time that one can choose", function()
    for _, path in ipairs { "/silent", "/half-head" } do
      local err = failure(path, { timeout = 0.05 })
      assert.equal("timeout", err.kind)
    end
    local response = codecell.assert(ask("/endless"))
    response:close()
    local _, err = response:read()
    assert.equal("cancelled", err.kind)
  end)

  it("says who is not there", function()
    local _, err = http.request({ url = "http://127.0.0.1:1/" })
    assert.equal("unavailable", err.kind)
    _, err = http.request({ url = "http://no-such-name.invalid/" })
    assert.equal("unavailable", err.kind)
    assert.truthy(err.message:find("^GET http://no%-such%-name.invalid: "))
  end)

  it("connects to public addresses alone where it is told to, each looked at as it is used",
    function()
      local public = codecell.assert(http.client({ public = true }))
      for _, host in ipairs { "127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254",
        "[::ffff:127.0.0.1]", "0.0.0.0" } do
        local _, err = public:request({ url = ("http://%s:%d/"):format(host, server.http) })
        assert.equal("denied_by_policy", err.kind, host)
      end
      public:close()
    end)

  it("takes names below localhost for this machine, whatever name servers say", function()
    local url = ("http://api.sandbox.localhost:%d/head"):format(server.http)
    local text = codecell.assert(client:request({ url = url })):all(2 ^ 20)
    assert.truthy(text:find(("Host: api.sandbox.localhost:%d\r\n"):format(server.http), 1, true))
  end)

  it("asks only what a policy allows", function()
    local policy = core.policy("named", { "localhost:" .. server.http, "127.0.0.1:"
      .. server.http }, {})
    local bound = codecell.assert(http.client({ policy = policy }))
    local response = codecell.assert(bound:request({ url = "http://localhost:" .. server.http }))
    assert.equal("GET / 0", response:all(100))
    for _, url in ipairs { "http://localhost:1/", "http://other.example/", "http://127.0.0.2/" } do
      local _, err = bound:request({ url = url })
      assert.equal("denied_by_policy", err.kind, url)
    end
    bound:close()
  end)

  it("raises for a request that cannot be one, and never shows a value", function()
    for problem, given in pairs {
      ["user or a password"] = { url = "http://me:secret@example.com/" },
      ["http:// or https://"] = { url = "ftp://example.com/" },
      ["percent%-encoded"] = { url = "http://example.com/a b" },
      ["fragment"] = { url = "http://example.com/#secret" },
      ["CR and LF"] = { url = "http://example.com/", headers = { A = "secret\r\nB: c" } },
      ["name of a field"] = { url = "http://example.com/", headers = { ["A b"] = "secret" } },
      ["host is set"] = { url = "http://example.com/", headers = { host = "secret" } },
      ["Content%-Length is set"] = { url = "http://x/", headers = { ["Content-Length"] = "5" } },
      ["Connection is set"] = { url = "http://example.com/", headers = { Connection = "x" } },
      ["method"] = { url = "http://example.com/", method = "GE T" },
    } do
      local ok, raised = pcall(function()
        http.request(given)
      end)
      assert.is_false(ok, problem)
      assert.truthy(tostring(raised):find(problem), tostring(raised))
      assert.truthy(tostring(raised):find("^spec/"), tostring(raised))
      assert.falsy(tostring(raised):find("secret", 1, true), tostring(raised))
    end
    local _, err = http.request({ url = "http://0x7f.1/" })
    assert.equal("invalid_argument", err.kind)
  end)

  it("looks at no proxy, password or cookie of the machine's", function()
    local result = shell.run(("env http_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 "
      .. "HOME=$PWD %s -e %s"):format(shell.lua, shell.quote(([[
local file = io.open(".netrc", "w"); file:write("machine 127.0.0.1 login a password b\n")
file:close()
local codecell = require "codecell"
local response = codecell.assert(require("codecell.http").request({ url = "%s/head" }))
io.write(response:all(1000))]]):format(base))))
    assert.equal(("GET /head HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"):format(server.http),
      result.stdout, result.stderr)
  end)

  it("runs beside other requests, without a thread", function()
    get "/size"
    local threads, tasks = count "task", {}
    for i = 1, 30 do
      tasks[i] = codecell.assert(codecell.async(function()
        local response = codecell.assert(client:request({
          url = ("http://localhost:%d/%d"):format(server.http, i) }))
        return response:all(100)
      end))
    end
    assert.equal(threads, count "task")
    for i = 1, 30 do
      assert.equal(("GET /%d 0"):format(i), (tasks[i]:wait(20)))
    end
    assert.equal(threads, count "task")
  end)

  it("can be cancelled, and leaves nothing", function()
    local running = codecell.async(function()
      return ask "/silent"
    end)
    codecell.step(0.05)
    running:cancel()
    local response, err = running:wait(60)
    assert.is_nil(response)
    assert.equal("cancelled", err.kind)
  end)

  it("closes what is let go of, and every descriptor", function()
    collect()
    local before = count "fd"
    do
      local mine = codecell.assert(http.client())
      for _, path in ipairs { "/endless", "/silent", "/size", "/big", "/half-head" } do
        mine:request({ url = base .. path, timeout = 0.1 })
      end
    end
    collect()
    wait_until(function()
      return count "fd" <= before
    end)
    local mine = codecell.assert(http.client())
    local response = codecell.assert(mine:request({ url = base .. "/endless" }))
    mine:close()
    local _, err = response:read()
    assert.truthy(err)
    _, err = pcall(mine.request, mine, { url = base })
    assert.truthy(err)
    wait_until(function()
      return count "fd" <= before
    end)
  end)

  it("says what to install where libcurl is missing", function()
    local found = package.loaded["codecell.curl"]
    package.loaded["codecell.curl"] = nil
    package.preload["codecell.curl"] = function()
      error("libcurl.so.4: cannot open shared object file")
    end
    local made, err = http.client()
    package.preload["codecell.curl"], package.loaded["codecell.curl"] = nil, found
    assert.is_nil(made)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.hint:find("libcurl4", 1, true))
  end)
end)
