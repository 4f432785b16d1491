require "codecell"
local fields = require "codecell.http.fields"
local inflate = require "codecell.packages.inflate"
local managers = require "codecell.packages.managers"

-- Texts by strangers that are small, and would keep the host busy for seconds or for hours if it
-- looked at a part of them again and again. The bounds are a hundred times what is needed.
describe("texts that strangers write", function()
  local function cost(act, ...)
    local before = os.clock()
    local result = act(...)
    assert.is_true(os.clock() - before < 2, "it took " .. os.clock() - before .. " s")
    return result
  end

  -- What an index answers, without any.
  local function with_text(text, act)
    local fetch = require "codecell.packages.fetch"
    local original = fetch.text
    fetch.text = function()
      return text, "http://index.example/x/", "text/html"
    end
    local ok, problem = pcall(act, { url = "http://index.example/", origin = "http://index.example",
      trusted = {} })
    fetch.text = original
    assert.is_true(ok, problem)
  end

  it("cost no more than their length: a field of HTTP full of blanks #S109", function()
    local list = cost(fields.parse, "X: a" .. (" "):rep(64000) .. "b \t\r\nY:\t\r\n")
    assert.same({ { "X", "a" .. (" "):rep(64000) .. "b" }, { "Y", "" } }, { list[1], list[2] })
  end)

  it("cost no more than their length: tags of an index #S109", function()
    local pypi = require "codecell.packages.pypi"
    local word = ("a"):rep(4000)
    local tags = ("<a " .. word .. "><a href=x-1.whl data-yanked='" .. word .. "'>"):rep(200)
    with_text(tags .. '<a data-yanked href="x-2.whl" data-requires-python = \'&gt;3&#99999999999999'
      .. '999999;&#x41;\'>', function(source)
        local page = cost(pypi.page, source, "x")
        assert.equal(1, #page.list)
        assert.equal("x-2.whl", page.list[1].name)
        assert.equal("", page.list[1].yanked)
        assert.equal(">3A", page.list[1].requires)
      end)
  end)

  it("cost no more than their length: nested objects of a registry #S064", function()
    local registry = require "codecell.packages.registry"
    local text = ('{"dist":{"dependencies":'):rep(400000)
    with_text(text, function(source)
      local document = cost(registry.document, source, "x", false)
      assert.same({}, cost(registry.needs, document))
    end)
  end)

  it("cost no more than their length: what installers say #S080", function()
    local pip = managers.find("python")
    local begin = "Could not find a version that satisfies the requirement "
    local log = begin:rep(500) .. (" (from versions: "):rep(2000) .. "\n"
    local missing = cost(pip.missing, log .. begin .. "Some_Name>=2 (from versions: none)\n"
      .. begin .. "other==9 (from versions: 1.0, 2.0)")
    assert.equal("no_file", missing["some-name"])
    assert.equal("no_version", missing.other)
  end)

  it("cost no more than their length: packed blocks that hold nothing #S066", function()
    assert.is_nil(cost(inflate, ("\2\8\32\128\0"):rep(200000), 262144))
    assert.is_nil(cost(inflate, ("\0\0\0\255\255"):rep(200000), 262144))
  end)

  it("name no file of another package #S107", function()
    local registry = require "codecell.packages.registry"
    with_text('{"versions":{"1.0.0":{"config":{"dist":{"tarball":"http://index.example/secret/'
      .. '-/secret-1.0.0.tgz"}},"dist":{"tarball":"http://index.example/@a/evil/-/'
      .. 'evil-1.0.0.tgz"}}}}',
      function(source)
        local files = registry.document(source, "@a/evil", false).files
        assert.is_nil(files["secret-1.0.0.tgz"])
        assert.equal("http://index.example/@a/evil/-/evil-1.0.0.tgz", files["evil-1.0.0.tgz"].url)
      end)
  end)
end)
