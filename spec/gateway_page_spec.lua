-- The page that `codecell serve` shows a browser at "/".
local browser = require "spec.support.browser"
local gateway = require "spec.support.gateway"
local shell = require "spec.support.shell"

local FOLDER = "lua/codecell/gateway/page"
local BYTES_MOST = 200000

describe("the page of codecell serve, asked by curl #M10", function()
  local server, status, text, head
  setup(function()
    server = gateway.start()
    status, text, head = server:ask("/", { key = false })
  end)
  teardown(function() server:stop() end)

  it("is one document, which needs no key and holds none", function()
    assert.equal(200, status)
    assert.matches("^<!doctype html>", text)
    assert.matches("\nContent%-Type: text/html; charset=utf%-8\r\n", head)
    assert.falsy(text:find(gateway.key, 1, true))
    assert.is_true(#text < BYTES_MOST, #text)
  end)

  it("loads nothing, from nowhere", function()
    assert.falsy(text:find("<script[^>]- src=") or text:find("<link[^>]- rel=.stylesheet"))
    assert.falsy(text:find("@import", 1, true) or text:find("url(", 1, true))
    for url in text:gmatch("%l+://[^%s\"'`]+") do
      assert.equal("http://www.w3.org/2000/svg", url) -- the name of a language, which nobody asks
    end
  end)

  it("has a policy that lets its own script run, and nothing else do anything", function()
    local policy = head:match("\nContent%-Security%-Policy: ([^\r]+)\r\n")
    for _, word in ipairs({ "default-src 'none'", "connect-src 'self'", "img-src data:",
      "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
      "require-trusted-types-for 'script'" }) do
      assert.truthy(policy:find(word, 1, true), word)
    end
    assert.falsy(policy:match("script%-src[^;]*unsafe"))
    local script = text:match("<script type=\"module\">(.-)</script>")
    local core, base64 = require "codecell.core", require "codecell.base64"
    local digits = core.digest("sha256"):update(script):finish()
    local digest = digits:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end)
    assert.equal("'sha256-" .. base64.encode(digest) .. "'", policy:match("script%-src ([^;]+)"))
    assert.falsy(text:find("%son%l+%s*=%s*[\"']"))
    for _, pattern in ipairs({ "eval%(", "innerHTML%s*=", "document%.write" }) do
      assert.falsy(script:find(pattern), pattern)
    end
    for _, line in ipairs({ "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
      "Referrer-Policy: no-referrer", "Cross-Origin-Opener-Policy: same-origin" }) do
      assert.truthy(head:find(line, 1, true), line)
    end
    assert.falsy(head:find("Access-Control-Allow-Origin", 1, true))
  end)

  it("is sent once", function()
    local tag = head:match("\nETag: ([^\r]+)\r\n")
    local again, nothing = server:ask("/", { key = false, headers = { "If-None-Match: " .. tag } })
    assert.same({ 304, "" }, { again, nothing })
    assert.equal(200, (server:ask("/", { key = false, headers = { 'If-None-Match: "x"' } })))
  end)

  it("has nothing to ask without the key: what happens is told to who has it", function()
    for _, key in ipairs({ false, gateway.key .. "0" }) do
      assert.equal(401, (server:ask("/codecell/live", { key = key })))
    end
    assert.equal(401, (server:ask("/codecell/live?key=" .. gateway.key, { key = false })))
    assert.equal(404, (server:ask("/", { method = "POST", body = {} })))
  end)

  it("is the only page that is answered where there are no keys", function()
    local open = gateway.start("--no-auth")
    assert.equal(200, (open:ask("/", { key = false })))
    local function live(from)
      return (open:ask("/v2/sandboxes", { key = false, headers = { "Origin: " .. from } }))
    end
    assert.same({ 200, 403, 403 }, { live(open.url), live("null"), live("http://example.com") })
    open:stop()
  end)

  it("is announced with the key that was made for it, and without one that was given", function()
    assert.matches("\npage at " .. server.url .. "/\n$", shell.read(server.folder .. "/out"))
    local other = gateway.start("")
    local told = shell.read(other.folder .. "/out")
    other:stop()
    assert.equal(told:match("E2B_API_KEY=(e2b_%x+)\n"), told:match("/#key=(%S+)\n"))
  end)

  it("is told what happens as it happens: sandboxes, their use, and what they are refused",
  function()
    local one = server:create()
    local reading = io.popen(("curl -sN --max-time 20 -H 'X-API-Key: %s' %s/codecell/live")
      :format(gateway.key, server.url))
    local hello = reading:read("*l")
    assert.matches('"languages":%[.-"python"', hello)
    local lists = {}
    repeat
      local line = reading:read("*l")
      lists[#lists + 1] = line:find('"type":"sandboxes"', 1, true) and line or nil
    until line:find("Sandbox created", 1, true)
    assert.matches('"id":"' .. one.sandboxID, lists[1])
    assert.matches('"memoryTotal":%d', lists[1])
    server:ask("/execute", { to = one, port = 49999, method = "POST",
      body = { code = "import socket\nsocket.getaddrinfo('example.com', 80)" } })
    local refused
    repeat
      refused = reading:read("*l")
    until refused == nil or refused:find('"event":"refused"', 1, true)
    assert.matches('"what":"example.com', refused)
    assert.equal(204, (server:ask("/sandboxes/" .. one.sandboxID, { method = "DELETE" })))
    local last
    repeat
      last = reading:read("*l")
    until last == nil or last:find('"count":0', 1, true)
    assert.truthy(last)
    reading:close()
    assert.equal("", server:problems())
  end)

  it("shares its place with files from sandboxes, which can do nothing there", function()
    local one = server:create()
    for name, kind in pairs({ ["a.html"] = "text/html", ["a.svg"] = "image/svg%+xml" }) do
      server:ask("/files?path=" .. name, { to = one, method = "POST", body = "<script>1</script>",
        kind = "application/octet-stream" })
      local found, _, fields = server:ask("/files?path=" .. name, { to = one })
      assert.equal(200, found)
      assert.matches("\nContent%-Type: " .. kind, fields)
      assert.matches("\nContent%-Security%-Policy: sandbox; default%-src 'none'", fields)
    end
    server:ask("/sandboxes/" .. one.sandboxID, { method = "DELETE" })
  end)

  it("is of files that a person can read", function()
    local list = shell.run("ls " .. FOLDER, { folder = "." }).stdout
    for name in list:gmatch("%S+") do
      local _, lines = shell.read(FOLDER .. "/" .. name):gsub("\n", "")
      assert.is_true(lines <= 500, name)
    end
  end)
end)

describe("the page of codecell serve, in a browser #M10 #slow #registry #once", function()
  local CASES = {
    { "key", "asks for the key, keeps it in its tab alone, and takes it out of the address" },
    { "streams", "makes a sandbox, and shows what code prints while it runs" },
    { "follows", "shows the end of what is printed, until whoever looks has gone up" },
    { "chart", "draws charts from what they were made of" },
    { "table", "shows tables, sorts them and saves them, and HTML in a locked frame" },
    { "forms", "shows Markdown, formulas and JSON" },
    { "error", "shows an exception with its traceback" },
    { "refusal", "shows what a sandbox is refused, where and when it happens" },
    { "interrupt", "interrupts code, and its variables stay" },
    { "languages", "has an example in each language of this machine, and runs it" },
    { "contexts", "makes contexts, restarts and removes them" },
    { "files", "shows files, takes and gives them, makes folders, renames and removes" },
    { "terminal", "has a terminal" },
    { "life", "pauses, resumes and gives time" },
    { "others", "shows what other programs do, as it happens" },
    { "quiet", "asks nobody but its gateway, and no browser complains" },
    { "hostile", "takes results as they are: nothing in them does anything, or is asked for" },
    { "names", "takes names as they are" },
    { "flood", "keeps within its bounds, however much comes" },
    { "keyboard", "can be used without a mouse" },
    { "looks", "fits windows and telephones, light and dark" },
    { "kill", "kills a sandbox with all that runs" },
  }
  local folder, server, told, missing
  setup(function()
    folder = shell.folder()
    local program
    program, missing = browser.prepare(folder)
    if missing then
      return
    end
    server = gateway.start()
    assert(shell.run(("cp spec/support/page.mjs spec/support/page_attacks.mjs %s/"):format(folder),
      { folder = "." }).status == 0)
    local result = shell.run(("cd %s && node page.mjs %s %s %s %s"):format(folder, server.url,
      gateway.key, os.getenv "CODECELL_PICTURES" or folder, program), { time = 500 })
    told = result.stdout .. result.stderr
  end)
  teardown(function()
    if server then
      server:stop()
    end
    shell.remove(folder)
  end)

  for _, case in ipairs(CASES) do
    it(case[2], function()
      browser.expect(case[1], told, missing)
    end)
  end

  it("leaves the gateway without a complaint", function()
    if missing then
      return pending(missing)
    end
    assert.equal("", server:problems())
  end)
end)
