-- Addresses as text.
local url = require "codecell.http.url"

describe("an address that a document names", function()
  local base = "https://index.example/simple/name/?page=1"
  local cases = {
    ["../../files/x.whl#sha256=00"] = "https://index.example/files/x.whl",
    ["x.whl"] = "https://index.example/simple/name/x.whl",
    ["/a/./b/../x.whl?y=../z"] = "https://index.example/a/x.whl?y=../z",
    ["../../../../../x.whl"] = "https://index.example/x.whl",
    ["?page=2"] = "https://index.example/simple/name/?page=2",
    [""] = "https://index.example/simple/name/?page=1",
    ["//other.example/x.whl"] = "https://other.example/x.whl",
    ["https://other.example"] = "https://other.example/",
    ["file:///etc/passwd"] = false, ["javascript:x"] = false,
    ["https://me@other.example/x"] = false, ["x y.whl"] = false,
  }
  for text, expected in pairs(cases) do
    it(("is resolved: %q"):format(text), function()
      assert.equal(expected or nil, url.resolve(base, text))
    end)
  end
end)

describe("percent signs", function()
  it("stand for what could not be written, and what is to stay stays", function()
    assert.equal("a%2Fb%20%C3%A9-._~", url.encode("a/b é-._~"))
    assert.equal("a/b%20c", url.encode("a/b c", "/"))
  end)

  it("are taken away once, and left where no byte follows", function()
    assert.equal("a/b %41 %zz %", url.decode("a%2fb%20%2541 %zz %"))
  end)
end)
