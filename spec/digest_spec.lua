local core = require "codecell.core"

local KNOWN = { -- of the standards, and of lengths around a block
  sha1 = {
    [""] = "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    abc = "a9993e364706816aba3e25717850c26c9cd0d89d",
    [("a"):rep(55)] = "c1c8bbdc22796e28c0e15163d20899b65621d65a",
    [("a"):rep(64)] = "0098ba824b5c16427bd7a1122a5a442a25ec644d",
    [("a"):rep(111)] = "ac877859d427d9192054eea8feb3b8a403ef83a5",
    [("a"):rep(112)] = "689993727ba37386bb032495e9dbdfb4dd1ba744",
    [("a"):rep(1000)] = "291e9a6c66994949b57ba5e650361e98fc36b1ba",
  },
  sha256 = {
    [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    [("a"):rep(55)] = "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318",
    [("a"):rep(64)] = "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
    [("a"):rep(111)] = "6374f73208854473827f6f6a3f43b1f53eaa3b82c21c1a6d69a2110b2a79baad",
    [("a"):rep(112)] = "f54353008a2553262ecdc4a34749563ba0950e8b0fc8652780b0a614b99683c1",
    [("a"):rep(1000)] = "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3",
  },
  sha512 = {
    [""] = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      .. "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    abc = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    [("a"):rep(55)] = "b0220c772cbf6c1822e2cb38a437d0e1d58772417a4bbb21c961364f8b6143e0"
      .. "5aa6316dca8d1d7b19e16448419076395f6086cb55101fbd6d5497b148e1745f",
    [("a"):rep(64)] = "01d35c10c6c38c2dcf48f7eebb3235fb5ad74a65ec4cd016e2354c637a8fb49b"
      .. "695ef3c1d6f7ae4cd74d78cc9c9bcac9d4f23a73019998a7f73038a5c9b2dbde",
    [("a"):rep(111)] = "fa9121c7b32b9e01733d034cfc78cbf67f926c7ed83e82200ef8681819692176"
      .. "0b4beff48404df811b953828274461673c68d04e297b0eb7b2b4d60fc6b566a2",
    [("a"):rep(112)] = "c01d080efd492776a1c43bd23dd99d0a2e626d481e16782e75d54c2503b5dc32"
      .. "bd05f0f1ba33e568b88fd2d970929b719ecbb152f58f130a407c8830604b70ca",
    [("a"):rep(1000)] = "67ba5535a46e3f86dbfbed8cbbaf0125c76ed549ff8b0b9e03e0c88cf90fa634"
      .. "fa7b12b47d77b694de488ace8d9a65967dc96df599727d3292a8d9d447709c97",
  },
}

describe("digest", function()
  it("is that of the standards, in one piece or in many", function()
    for kind, list in pairs(KNOWN) do
      for text, expected in pairs(list) do
        assert.equal(expected, core.digest(kind):update(text):finish())
        local pieces = core.digest(kind)
        for at = 1, #text, 7 do
          pieces:update(text:sub(at, at + 6))
        end
        assert.equal(expected, pieces:finish())
      end
    end
  end)

  it("can go on after it was asked", function()
    local digest = core.digest("sha256"):update("a")
    digest:finish()
    assert.equal(core.digest("sha256"):update("abc"):finish(), digest:update("bc"):finish())
  end)

  it("refuses a kind that it does not know", function()
    assert.has_error(function() core.digest("md5") end)
  end)
end)
