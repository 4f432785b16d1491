local base64 = require "codecell.base64"
local inflate = require "codecell.packages.inflate"
local names = require "codecell.packages.names"
local policy = require "codecell.packages.policy"
local pypi = require "codecell.packages.pypi"
local shell = require "spec.support.shell"
local sources = require "codecell.packages.sources"

local function hexadecimal(text)
  return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

describe("names of packages", function()
  local good = {
    ["pandas"] = { "pandas", false }, ["Requests[socks]==2"] = { "requests", true },
    ["Foo.Bar_baz"] = { "foo-bar-baz", false }, ["numpy>=1.26,<2"] = { "numpy", false },
    ["a (>=1)"] = { "a", false }, [" spaced == 1.0 "] = { "spaced", true },
    ['tomli; python_version < "3.11"'] = { "tomli", false },
    ["x==1.0 --hash=sha256:00ff"] = { "x", true }, ["x~=1.4.2"] = { "x", false },
    ["x===1.0+local.1"] = { "x", true },
  }
  for text, expected in pairs(good) do
    it(("of Python: %s #H09"):format(text), function()
      local spec = assert(names.python(text))
      assert.equal(expected[1], spec.name)
      assert.equal(expected[2], spec.is_pinned)
    end)
  end

  local bad = { "", "-r other.txt", "--index-url=http://x/", "x; touch /tmp/p", "x && y", "x y",
    "../x", "x @ https://example.com/x.whl", "git+https://example.com/x", "x==1\n-e .", "x\0",
    "x==1 --global-option=y", ".x", "x-", "$(id)", "`id`", ("x"):rep(2000), "x==1 | y",
    "x; import os" }
  for _, text in ipairs(bad) do
    it(("refuses for Python: %q #F19"):format(text:sub(1, 40)), function()
      local spec, problem = names.python(text)
      assert.is_nil(spec)
      assert.is_nil(problem:find("\n"))
    end)
  end

  local npm = {
    ["left-pad"] = { "left-pad", false }, ["left-pad@1.3.0"] = { "left-pad", true },
    ["@types/node@20"] = { "@types/node", false }, ["react@^18.2.0"] = { "react", false },
    ["x@latest"] = { "x", false }, ["x@>=1 <2"] = { "x", false }, ["JSONStream"] =
      { "jsonstream", false },
  }
  for text, expected in pairs(npm) do
    it(("of npm: %s"):format(text), function()
      local spec = assert(names.npm(text))
      assert.equal(expected[1], spec.name)
      assert.equal(expected[2], spec.is_pinned)
    end)
  end

  for _, text in ipairs({ "", "--prefix=/", "-g", "../x", "x@https://example.com/x.tgz", "a/b",
    "github:a/b", "x@npm:other@1", "x@file:../y", "@scope", "x@--global", "x; id", "x\n" }) do
    it(("refuses for npm: %q #F19"):format(text), function()
      assert.is_nil((names.npm(text)))
    end)
  end

  it("say what was probably meant #N06", function()
    assert.equal("pandas", names.nearest("pip", "panda"))
    assert.equal("requests", names.nearest("pip", "reqeusts"))
    assert.equal("scikit-learn", names.nearest("pip", "sklearn"))
    assert.equal("opencv-python", names.nearest("pip", "cv2"))
    assert.equal("lodash", names.nearest("npm", "lodahs"))
    assert.is_nil(names.nearest("pip", "zzzzqqqq"))
  end)
end)

describe("the policy of packages", function()
  local function refusal(given, manager, name, admitted)
    return policy.new(given):refusal(manager, name, admitted)
  end

  it("allows all without a list, and nothing when it is false #I18", function()
    assert.is_nil(refusal(nil, "pip", "requests"))
    assert.is_nil(refusal(true, "pip", "requests"))
    assert.matches("is false", refusal(false, "pip", "requests"))
  end)

  it("compares names in their normal form, without extras and versions #H09 #I19", function()
    local given = { allow = { "Requests[socks]==2", "Foo_Bar", "npm:left-pad", "pip:six" } }
    assert.is_nil(refusal(given, "pip", "requests"))
    assert.is_nil(refusal(given, "pip", "foo-bar"))
    assert.is_nil(refusal(given, "npm", "left-pad"))
    assert.is_truthy(refusal(given, "pip", "left-pad"))
    assert.is_nil(refusal(given, "pip", "six"))
    assert.is_truthy(refusal(given, "npm", "six"))
    local why, allow = refusal(given, "pip", "reqeusts")
    assert.matches('did you mean "requests"', why)
    assert.equal('packages = {allow = {"reqeusts"}}', allow)
  end)

  it("lets deny win #H09", function()
    assert.matches("deny list", refusal({ allow = { "six" }, deny = { "six" } }, "pip", "six"))
  end)

  it("lets what allowed ones need come along, unless it is told not to #H09", function()
    local one = policy.new({ allow = { "requests" } })
    local admitted = one:admit()
    assert.is_truthy(one:refusal("pip", "idna", admitted))
    admitted.pip.idna = true
    assert.is_nil(one:refusal("pip", "idna", admitted))
    assert.is_nil(one:refusal("pip", "setuptools", admitted))
    local strict = policy.new({ allow = { "requests" }, dependencies = false })
    assert.is_truthy(strict:refusal("pip", "setuptools", strict:admit()))
  end)

  it("is another one for layers when it allows other things #L04", function()
    local one = policy.new({ allow = { "a", "b" } }):canonical("pip")
    assert.equal(one, policy.new({ allow = { "B", "A[x]" } }):canonical("pip"))
    assert.is_not.equal(one, policy.new({ allow = { "a" } }):canonical("pip"))
    assert.is_not.equal(one, policy.new(nil):canonical("pip"))
  end)
end)

describe("the sources of packages", function()
  it("keep apart who asks from where #F21 #S116", function()
    local source = sources.new(policy.new({ index = "https://me:se%40cret@Index.example/simple" }))
    local one = source.index()
    assert.equal("https://index.example/simple/", one.url)
    assert.equal("Basic " .. base64.encode("me:se@cret"), one.authorization)
  end)

  it("are taken out of the variables of an install #F21", function()
    local rest, source = sources.take(sources.new(policy.new(nil)), {
      PIP_INDEX_URL = "https://a:b@index.example/simple/", CFLAGS = "-O2", NPM_TOKEN = "token",
      npm_config_registry = "https://npm.example/" })
    assert.same({ CFLAGS = "-O2" }, rest)
    assert.equal("https://index.example/simple/", source.index().url)
    assert.equal("Bearer token", source.registry().authorization)
    local none, err = sources.take(sources.new(policy.new(nil)), { PIP_EXTRA_INDEX_URL = "x" })
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
  end)
end)

describe("what a wheel needs", function()
  it("is read from its metadata, up to the description", function()
    assert.same({ "charset-normalizer", "idna" }, pypi.needs("Name: x\r\nRequires-Dist: "
      .. "charset_normalizer (<4,>=2)\r\nRequires-Dist: idna<4\r\n\r\nRequires-Dist: evil\r\n"))
  end)

  it("is decompressed: stored, fixed and dynamic blocks", function()
    assert.equal("text", inflate(hexadecimal("010400fbff74657874"), 100))
    assert.equal("hello hello hello hello", inflate(hexadecimal("cb48cdc9c957c8402701"), 100))
    assert.equal("hello", inflate(hexadecimal("cb48cdc9c957c8402701"), 5))
    local letters, state = {}, 42
    for i = 1, 300 do
      state = state * 16807 % 2147483647
      letters[i] = ("aaaabbcd"):sub(state % 8 + 1, state % 8 + 1)
    end
    local packed = "454f810dc03008ba55e0ff1b26e0b63631451128359a1e0df6fac1c3b338f35004b80c432d73"
      .. "115c0fe47009d4a7a9aa206a488fbb049c96bbde201084327f17974bb6340f82da7dc3950055"
      .. "308e33bc9f59c2d947ce6807429f6202fe16b16bcf6b6864d31e"
    assert.equal(table.concat(letters), inflate(hexadecimal(packed), 1000))
  end)

  it("is not found in what is no stream, and that ends", function()
    for _, data in ipairs({ "", "\7", "\5", "\255\255\255", ("\4"):rep(100),
      hexadecimal("01ffff0000"), hexadecimal("edc00000") }) do
      assert.is_nil((inflate(data, 1000)))
    end
    local state = 42
    for _ = 1, 200 do
      local bytes = {}
      for i = 1, 60 do
        state = state * 16807 % 2147483647
        bytes[i] = string.char(math.floor(state / 65536) % 256)
      end
      local text = inflate(table.concat(bytes), 1000)
      assert.is_true(text == nil or #text <= 1000)
    end
  end)
end)

describe("base64.decode", function()
  it("is the opposite of encode", function()
    for length = 0, 70 do
      local bytes = {}
      for i = 1, length do
        bytes[i] = string.char((i * 37 + length) % 256)
      end
      local text = table.concat(bytes)
      assert.equal(text, base64.decode(base64.encode(text)))
    end
    assert.is_nil(base64.decode("a"))
    assert.is_nil(base64.decode("a*=="))
  end)
end)

describe("the token of a registry", function()
  local getenv, folder = os.getenv, nil

  setup(function()
    folder = shell.folder()
    rawset(os, "getenv", function(name)
      if name == "HOME" then
        return folder
      end
      return not name:lower():find("registry") and getenv(name) or nil
    end)
  end)

  teardown(function()
    rawset(os, "getenv", getenv)
    shell.remove(folder)
  end)

  it("is told to that registry, and to none whose name only begins like it #S117", function()
    local function said(registry, where)
      shell.write(folder .. "/.npmrc", ("registry=https://%s\n//%s:_authToken=abc\n"):format(
        registry, where))
      return sources.new(policy.new(true)).registry().authorization
    end
    assert.equal("Bearer abc", said("npm.corp/", "npm.corp/"))
    assert.equal("Bearer abc", said("npm.corp/a/b", "npm.corp/a/"))
    assert.equal("Bearer abc", said("npm.corp/a/b/", "npm.corp"))
    assert.is_nil(said("npm.corp.example/", "npm.corp/"))
    assert.is_nil(said("npm.corp/ab/", "npm.corp/a/"))
    assert.is_nil(said("npm.corp:8443/", "npm.corp/"))
    assert.is_nil(said("npm.corp/", ""))
  end)
end)
