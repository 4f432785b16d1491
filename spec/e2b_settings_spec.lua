local codecell = require "codecell"
local base64 = require "codecell.base64"
local control = require "codecell.e2b.control"
local e2b = require "spec.support.e2b"
local settings = require "codecell.e2b.settings"
local shape = require "codecell.e2b.shape"
local shell = require "spec.support.shell"
local signature = require "codecell.e2b.signature"

-- In a program with that environment and nothing else of E2B's.
local function in_environment(variables, code)
  local result = shell.run(("env -u E2B_API_KEY -u E2B_DOMAIN -u E2B_API_URL %s %s -e %s")
    :format(variables, shell.lua, shell.quote("local settings = require 'codecell.e2b.settings' "
      .. code)), { folder = "." })
  assert.equal("", result.stderr)
  return result.stdout
end

describe("where E2B is", function()
  it("is said by options, else by the environment, else by defaults", function()
    local show = "local s = settings.resolve('x', %s) io.write(s.api_url, ' ', s.domain, ' ', "
      .. "tostring(s.sandbox_url), ' ', s.request_timeout)"
    local key = "E2B_API_KEY=" .. e2b.key
    assert.equal("https://api.e2b.app e2b.app nil 60", in_environment(key, show:format "nil"))
    assert.equal("https://api.example.org example.org nil 60",
      in_environment(key .. " E2B_DOMAIN=example.org", show:format "nil"))
    assert.equal("https://api.example.com example.com nil 60",
      in_environment(key .. " E2B_DOMAIN=example.org", show:format "{domain = 'example.com'}"))
    assert.equal("http://a e2b.app http://b 5", in_environment(
      key .. " E2B_API_URL=http://a/ E2B_SANDBOX_URL=http://b",
      show:format "{request_timeout = 5}"))
    assert.equal("http://localhost:3000 e2b.app nil 60",
      in_environment("E2B_DEBUG=True", show:format "{api_key = ''}"))
  end)

  it("needs a key of E2B's shape before anything is sent #J01 #B01", function()
    local show = "local s, err = settings.resolve('create', %s) "
      .. "io.write(err and err.kind .. '|' .. err.message or 'ok')"
    local missing = in_environment("", show:format "nil")
    assert.truthy(missing:find("unauthenticated|create: No E2B_API_KEY provided", 1, true), missing)
    local wrong = in_environment("E2B_API_KEY=hunter2", show:format "nil")
    assert.truthy(wrong:find("unauthenticated|create: the API key is not one", 1, true), wrong)
    assert.falsy(wrong:find("hunter2", 1, true))
    assert.equal("ok", in_environment("E2B_API_KEY=hunter2 E2B_VALIDATE_API_KEY=FALSE",
      show:format "nil"))
    assert.equal("ok", in_environment("E2B_API_KEY=hunter2",
      show:format "{validate_api_key = false}"))
    assert.equal("ok", in_environment("E2B_API_KEY=" .. e2b.key, show:format "{api_key = ''}"))
  end)

  it("keeps the key where nobody prints it #B01", function()
    local found = settings.resolve("x", { api_key = e2b.key })
    for _, value in pairs(found) do
      assert.falsy(tostring(value):find(e2b.key, 1, true))
    end
    local _, err = codecell.create({ backend = "e2b", api_key = e2b.key,
      api_url = "ftp://" .. e2b.key .. "@host" })
    assert.equal("invalid_argument", err.kind)
    assert.falsy(err.message:find(e2b.key, 1, true))
  end)

  it("has a host for each port, one for all envds of the cloud, or one URL for all", function()
    local cloud = settings.resolve("x", { api_key = e2b.key })
    assert.equal("8080-abc.e2b.app", settings.host(cloud, "abc", nil, 8080))
    assert.equal("8080-abc.eu.example", settings.host(cloud, "abc", "eu.example", 8080))
    assert.equal("https://sandbox.e2b.app", settings.envd(cloud, "abc", nil, 49983))
    assert.equal("https://49983-abc.eu.example", settings.envd(cloud, "abc", "eu.example", 49983))
    assert.equal("https://49999-abc.e2b.app", settings.url(cloud, "abc", nil, 49999))
    local debug = settings.resolve("x", { debug = true })
    assert.equal("http://localhost:49983", settings.envd(debug, "abc", nil, 49983))
    assert.equal("localhost:80", settings.host(debug, "abc", nil, 80))
    local shared = settings.resolve("x", { api_key = e2b.key, sandbox_url = "http://one:1/" })
    assert.equal("http://one:1", settings.envd(shared, "abc", nil, 49983))
    assert.equal("http://one:1", settings.url(shared, "abc", nil, 49999))
    assert.equal("80-abc.e2b.app", settings.host(shared, "abc", nil, 80))
  end)

  it("refuses options that it does not know, with the nearest", function()
    assert.error_matches(function()
      codecell.create { backend = "e2b", api_kee = "x" }
    end, "api_key")
  end)
end)

describe("signatures of URLs", function()
  it("are those of the documented vectors #F22", function()
    for _, case in ipairs(require "spec.cases.e2b.signatures") do
      assert.equal(case[6], signature.of(case[1], case[2], case[3], case[4], case[5]))
    end
  end)
end)

describe("shapes of E2B's JSON", function()
  it("read times of RFC 3339", function()
    assert.equal(0, shape.time "1970-01-01T00:00:00Z")
    assert.equal(1785578400.25, shape.time "2026-08-01T10:00:00.250Z")
    assert.equal(1785571200, shape.time "2026-08-01T10:00:00+02:00")
    assert.equal(951782400, shape.time "2000-02-29T00:00:00.000000000Z")
    for _, text in ipairs { "", "yesterday", "2026-08-01", "2026-08-01T10:00:00", ("9"):rep(99) } do
      assert.is_nil(shape.time(text))
    end
  end)

  it("compare versions by their numbers", function()
    assert.truthy(shape.version "0.6.13" > shape.version "0.6.4")
    assert.truthy(shape.version "99.99.99" > shape.version "0.6.4")
    assert.equal(0, shape.version "latest")
    assert.equal(0, shape.version(nil))
  end)

  it("take 64-bit numbers as text, and nothing of another type", function()
    assert.equal(1e15, shape.number "1000000000000000")
    assert.is_nil(shape.number "0x10")
    assert.is_nil(shape.number(codecell.json.null))
    assert.is_nil(shape.text(5))
    assert.is_nil(shape.table(codecell.json.null))
    assert.same({ a = "b" }, shape.texts { a = "b", c = 1, [1] = "x" })
  end)

  it("take the id of a sandbox without the old suffix, and no other thing for one", function()
    assert.equal("abc", control.record("x", { sandboxID = "abc-123" }).id)
    for _, id in ipairs { "", "a/b", "a b", ("\n"), 5, codecell.json.null } do
      local record, err = control.record("x", { sandboxID = id })
      assert.is_nil(record)
      assert.equal("protocol", err.kind)
    end
    local record = control.record("x", { sandboxID = "abc", envdAccessToken = "a\r\nb" })
    assert.is_nil(record.token())
  end)
end)

describe("base64", function()
  it("gives back every byte, with padding and without", function()
    local bytes = {}
    for i = 0, 255 do
      bytes[#bytes + 1] = string.char(i, (i * 7) % 256)
    end
    bytes = table.concat(bytes)
    for size = 0, 20 do
      local piece = bytes:sub(1, size)
      assert.equal(piece, base64.decode(base64.encode(piece)))
      assert.equal(piece, base64.decode((base64.encode(piece):gsub("=", ""))))
    end
    assert.equal(bytes, base64.decode((base64.encode(bytes):gsub("....", "%0\n"))))
  end)

  it("says what is none", function()
    for _, text in ipairs { "a", "a=", "ab=", "ab=c", "YWI=YWI=", "a b c", "a*bc", "====", "=" } do
      assert.is_nil(base64.decode(text), text)
    end
  end)
end)
