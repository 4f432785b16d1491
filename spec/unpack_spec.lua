local codecell = require "codecell"
local core = require "codecell.core"
local one_sandbox = require "spec.support.one_sandbox"

-- A header, of fields as a table has them; what it leaves out is harmless.
local function header(fields)
  local function octal(value, digits)
    return ("%0" .. digits .. "o"):format(value) .. "\0"
  end
  local function text(value, size)
    return value .. ("\0"):rep(size - #value)
  end
  local block = text(fields.name or "", 100) .. octal(fields.mode or 420, 7) .. octal(0, 7)
    .. octal(0, 7) .. text(fields.size or octal(#(fields.content or ""), 11), 12)
    .. octal(fields.time or 0, 11) .. (" "):rep(8) .. (fields.kind or "0")
    .. text(fields.target or "", 100) .. (fields.magic or "ustar\0") .. "00" .. ("\0"):rep(80)
    .. text(fields.prefix or "", 155) .. ("\0"):rep(12)
  local sum = 0
  for i = 1, 512 do
    sum = sum + block:byte(i)
  end
  block = block:sub(1, 148) .. ("%06o\0 "):format(sum + (fields.off or 0)) .. block:sub(157)
  local content = fields.content or ""
  return block .. content .. ("\0"):rep(-#content % 512)
end

local function record(key, value)
  local rest = (" %s=%s\n"):format(key, value)
  local length = #rest + 1
  while #tostring(length) + #rest ~= length do
    length = #tostring(length) + #rest
  end
  return length .. rest
end

local function stream(...)
  local parts = {}
  for i, fields in ipairs({ ... }) do
    parts[i] = header(fields)
  end
  return table.concat(parts) .. ("\0"):rep(1024)
end

describe("unpack, of a tar stream into a sandbox #user", function()
  local sandbox = one_sandbox(teardown)

  local function unpack(bytes, folder)
    local source = core.memory(bytes)
    local ok, err = sandbox()._backend.ask(sandbox(), "unpack", "unpack", folder or "in", source)
    source:close()
    return ok, err
  end

  before_each(function()
    sandbox().files:remove("in")
  end)

  it("lays out files, directories and links with modes and times", function()
    assert(unpack(stream(
      { name = "a/", kind = "5", mode = 493 },
      { name = "a/one", content = "first", mode = 493, time = 1600000000 },
      { name = "b/c/two", content = ("x"):rep(1000) },
      { name = "a/link", kind = "2", target = "one" })))
    local files = sandbox().files
    assert.equal("first", files:read("in/a/link"))
    assert.equal(("x"):rep(1000), files:read("in/b/c/two"))
    local entry = files:get_info("in/a/one")
    assert.equal(493, entry.mode)
    assert.equal(1600000000, entry.modified_time)
    assert.equal(420, files:get_info("in/b/c/two").mode)
  end)

  it("takes what it packed itself, long names and large files too", function()
    local files = sandbox().files
    local long = ("d"):rep(120) .. "/" .. ("n"):rep(130)
    files:write("out/" .. long, "far down")
    files:write("out/large", ("0123456789"):rep(100000))
    local archive = assert(files:archive("out"))
    local parts = {}
    for piece in function() return archive:read() end do
      parts[#parts + 1] = piece
    end
    assert(unpack(table.concat(parts)))
    assert.equal("far down", files:read("in/out/" .. long))
    assert.equal(("0123456789"):rep(100000), files:read("in/out/large"))
    files:remove("out")
  end)

  it("replaces a file by a new one: who has the old one open keeps it", function()
    sandbox().files:write("in/module", "old")
    sandbox():run_code("kept = open('in/module')")
    assert(unpack(stream({ name = "module", content = "new" })))
    assert.equal("old", sandbox():run_code("kept.read()").text)
    assert.equal("new", sandbox().files:read("in/module"))
  end)

  it("leaves what the stream does not name", function()
    sandbox().files:write("in/a/other", "stays")
    assert(unpack(stream({ name = "a/", kind = "5" }, { name = "a/one", content = "1" })))
    assert.equal("stays", sandbox().files:read("in/a/other"))
  end)

  it("takes no set-user-ID from a stream", function()
    assert(unpack(stream({ name = "tool", content = "#!", mode = 2541 })))
    assert.equal(493, sandbox().files:get_info("in/tool").mode)
  end)

  local names = { "../out", "/out", "a/../../out", "..", ".", "", "a/.." }
  for _, name in ipairs(names) do
    it(("refuses the name %q #S060"):format(name), function()
      local ok, err = unpack(stream({ name = name, content = "evil" }))
      assert.is_nil(ok)
      assert.equal(71, err.errno) -- EPROTO
      assert.is_false(sandbox().files:exists("/home/user/out"))
      ok, err = unpack(stream({ name = "pax", kind = "x", content = record("path", name) },
        { name = "harmless", content = "evil" }))
      assert.is_true(ok == nil and err.errno == 71 or name == "")
    end)
  end

  it("leaves out of a name what means nothing in it", function()
    assert(unpack(stream({ name = "./", kind = "5" }, { name = "./a//b/./c", content = "text" })))
    assert.equal("text", sandbox().files:read("in/a/b/c"))
  end)

  it("goes through no link, whether the stream made it or the code #S018 #S060", function()
    local ok, err = unpack(stream({ name = "way", kind = "2", target = "/tmp" },
      { name = "way/file", content = "evil" }))
    assert.is_nil(ok)
    assert.is_truthy(err.errno == 40 or err.errno == 20) -- ELOOP, ENOTDIR
    sandbox().commands:run("mkdir -p in; ln -s /tmp in/other")
    ok, err = unpack(stream({ name = "other/file", content = "evil" }))
    assert.is_nil(ok)
    assert.is_truthy(err.errno == 40 or err.errno == 20)
    assert.is_false(sandbox().files:exists("/tmp/file"))
  end)

  it("replaces a link and does not write through it", function()
    sandbox().files:write("/tmp/target", "as it was")
    sandbox().commands:run("mkdir -p in; ln -s /tmp/target in/name")
    assert(unpack(stream({ name = "name", content = "new" })))
    assert.equal("as it was", sandbox().files:read("/tmp/target"))
    assert.equal("new", sandbox().files:read("in/name"))
  end)

  local wrong = {
    ["device"] = { name = "node", kind = "3" },
    ["pipe"] = { name = "pipe", kind = "6" },
    ["hard link"] = { name = "hard", kind = "1", target = "/etc/passwd" },
    ["name for all members"] = { name = "g", kind = "g", content = record("path", "x") },
    ["wrong sum"] = { name = "sum", off = 1 },
    ["other format"] = { name = "old", magic = "gnu  \0" },
    ["size that is no number"] = { name = "size", size = "12 apples" },
    ["size beyond any"] = { name = "size", size = "\128" .. ("\255"):rep(11) },
    ["directory with content"] = { name = "dir/", kind = "5", content = "evil" },
    ["link to nothing"] = { name = "link", kind = "2" },
    ["extension that is too long"] = { name = "pax", kind = "x", size = "77777777777" },
    ["extension without a length"] = { name = "pax", kind = "x", content = "path=x\n" },
    ["extension longer than itself"] = { name = "pax", kind = "x", content = "99 path=x\n" },
    ["extension of no length"] = { name = "pax", kind = "x", content = "0 path=x\n" },
    ["negative size"] = { name = "pax", kind = "x", content = record("size", "-1") },
  }
  for what, fields in pairs(wrong) do
    it(("refuses a stream with a %s #S066"):format(what), function()
      local ok, err = unpack(stream(fields))
      assert.is_nil(ok)
      assert.equal(71, err.errno)
    end)
  end

  it("refuses a stream that ends too early, at every place #S066", function()
    local whole = stream({ name = "a", content = ("x"):rep(600) })
    for _, length in ipairs({ 0, 1, 511, 512, 513, 1111, 1112, 1535, 1536, 1600 }) do
      local ok, err = unpack(whole:sub(1, length))
      assert.is_nil(ok)
      assert.equal(71, err.errno)
    end
    assert(unpack(whole:sub(1, 2048)))
  end)

  it("stops where the disk is full #S017", function()
    local small = assert(codecell.create({ limits = { disk = 2 ^ 20 } }))
    local source = core.memory(stream({ name = "large", content = ("x"):rep(2 * 2 ^ 20) }))
    local ok, err = small._backend.ask(small, "unpack", "unpack", "in", source)
    source:close()
    assert.is_nil(ok)
    assert.equal("no_space", err.kind)
    small:close()
  end)

  it("needs a directory to unpack into", function()
    sandbox().files:write("in", "a file")
    local ok, err = unpack(stream({ name = "a" }))
    assert.is_nil(ok)
    assert.equal(20, err.errno) -- ENOTDIR
  end)
end)
