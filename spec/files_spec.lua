local attack = require "spec.support.attack"
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

local function all_bytes(times)
  local bytes = {}
  for i = 0, 255 do
    bytes[#bytes + 1] = string.char(i)
  end
  return table.concat(bytes):rep(times or 1)
end

describe("files #user", function()
  local sandbox = one_sandbox(teardown)

  local function files()
    return sandbox().files
  end

  it("write and read bytes of all values, also none #D11 #D12", function()
    for _, data in ipairs({ all_bytes(), "", "x", all_bytes(256), all_bytes(4000) }) do
      local entry = codecell.assert(files():write("bytes.bin", data))
      assert.equal(#data, entry.size)
      assert.equal(data, codecell.assert(files():read("bytes.bin")))
    end
  end)

  it("read a part of a file", function()
    files():write("part", ("0123456789"):rep(20000))
    assert.equal("3456", codecell.assert(files():read("part", { offset = 3, length = 4 })))
    assert.equal("89", codecell.assert(files():read("part", { offset = 199998 })))
    assert.equal("", codecell.assert(files():read("part", { offset = 999999 })))
    assert.equal(150000, #codecell.assert(files():read("part", { length = 150000 })))
  end)

  it("see what code wrote, and code sees what they wrote #E08", function()
    codecell.assert(sandbox():run_code("open('from_code.txt', 'w').write('hello')"))
    assert.equal("hello", codecell.assert(files():read("from_code.txt")))
    codecell.assert(files():write("from_host.txt", "hi"))
    assert.equal("hi", codecell.assert(sandbox():run_code("open('from_host.txt').read()")).text)
  end)

  it("make the directories above a file, and describe it", function()
    local entry = codecell.assert(files():write("a/b/c.txt", "abc", { mode = 384 }))
    assert.equal("c.txt", entry.name)
    assert.equal("/home/user/a/b/c.txt", entry.path)
    assert.equal("file", entry.type)
    assert.equal(3, entry.size)
    assert.equal(384, entry.mode)
    assert.equal("-rw-------", entry.permissions)
    assert.equal("user", entry.owner)
    assert.truthy(math.abs(entry.modified_time - os.time()) < 100)
  end)

  it("take relative paths, ~ and absolute ones", function()
    codecell.assert(files():write("~/tilde.txt", "1"))
    assert.equal("1", codecell.assert(files():read("/home/user/tilde.txt")))
    codecell.assert(files():write("/tmp/absolute.txt", "2"))
    assert.equal("2", codecell.assert(files():read("/tmp/absolute.txt")))
  end)

  it("write several files", function()
    local entries = codecell.assert(files():write_files({
      { path = "many/1", data = "one" }, { path = "many/2", data = "two" } }))
    assert.equal("/home/user/many/2", entries[2].path)
    assert.equal("one", codecell.assert(files():read("many/1")))
  end)

  it("list a directory by name, deeper where asked", function()
    codecell.assert(files():write("tree/sub/deep.txt", "x"))
    codecell.assert(files():write("tree/top.txt", "x"))
    local names = {}
    for i, entry in ipairs(codecell.assert(files():list("tree"))) do
      names[i] = entry.name .. ":" .. entry.type
    end
    assert.same({ "sub:dir", "top.txt:file" }, names)
    local deep = codecell.assert(files():list("tree", { depth = 2 }))
    assert.equal("/home/user/tree/sub/deep.txt", deep[2].path)
    codecell.assert(files():make_dir("empty"))
    assert.same({}, codecell.assert(files():list("empty")))
  end)

  it("describe a link itself, with its target", function()
    codecell.assert(sandbox().commands:run("ln -sf /etc/passwd pointer"))
    local entry = codecell.assert(files():get_info("pointer"))
    assert.equal("symlink", entry.type)
    assert.equal("/etc/passwd", entry.symlink_target)
  end)

  it("say whether there is something", function()
    codecell.assert(files():write("there", ""))
    assert.is_true(files():exists("there"))
    assert.is_false(files():exists("not there"))
  end)

  it("make a directory once", function()
    assert.is_true(codecell.assert(files():make_dir("made/twice")))
    assert.is_false(files():make_dir("made/twice"))
  end)

  it("rename and remove, with all that is inside", function()
    codecell.assert(files():write("old/file", "x"))
    local entry = codecell.assert(files():rename("old", "new/place"))
    assert.equal("/home/user/new/place", entry.path)
    assert.equal("x", codecell.assert(files():read("new/place/file")))
    assert.is_true(codecell.assert(files():remove("new")))
    assert.is_false(files():exists("new"))
  end)

  it("say what is wrong in one line, by kind", function()
    local function kind(value, err)
      assert.is_nil(value)
      assert.is_nil(err.message:find("\n"))
      return err.kind
    end
    assert.equal("not_found", kind(files():read("missing")))
    assert.equal("not_found", kind(files():list("missing")))
    assert.equal("not_found", kind(files():remove("missing")))
    assert.equal("not_found", kind(files():get_info("missing")))
    assert.equal("not_found", kind(files():rename("missing", "x")))
    assert.equal("invalid_argument", kind(files():read("/tmp")))
    assert.equal("invalid_argument", kind(files():write("/tmp", "x")))
    assert.equal("permission_denied", kind(files():write("/usr/x", "x")))
    assert.equal("invalid_argument", kind(files():read(("x"):rep(5000))))
    assert.equal("invalid_argument", kind(files():read("")))
  end)

  it("raise for a path with NUL or of a wrong type", function()
    assert.has_error(function() files():read("a\0b") end)
    assert.has_error(function() files():write("x", nil) end)
    assert.has_error(function() files():write("x", {}) end)
    assert.has_error(function() files():list(12) end)
    assert.has_error(function() files():write("x", "y", { mode = -1 }) end)
    assert.has_error(function() files():read("x", { offset = -1 }) end)
    assert.has_error(function() files():list("x", { depth = 0 }) end)
    assert.has_error(function() files():write_files({ { path = "x" } }) end)
  end)

  it("say no_space when the disk is full #I13", function()
    local small = codecell.assert(codecell.create({ limits = { disk = 2 * 1024 * 1024 } }))
    local entry, err = small.files:write("big", ("x"):rep(4000000))
    assert.is_nil(entry)
    assert.equal("no_space", err.kind)
    small:close()
  end)

  it("leave no descriptor behind", function()
    files():write("leak", all_bytes(1000))
    files():read("leak")
    collectgarbage()
    collectgarbage()
    local before = attack.descriptors()
    for _ = 1, 5 do
      codecell.assert(files():write("leak", all_bytes(1000)))
      codecell.assert(files():read("leak"))
    end
    assert.equal(before, attack.descriptors())
  end)
end)

describe("upload and download #user", function()
  local sandbox = one_sandbox(teardown)
  local folder

  setup(function()
    folder = attack.host("mktemp -d"):match("%S+")
  end)

  teardown(function()
    attack.host("rm -rf '" .. folder .. "'")
  end)

  it("copy a file both ways and keep its mode", function()
    local data = all_bytes(2000)
    local file = assert(io.open(folder .. "/one", "wb"))
    file:write(data)
    file:close()
    attack.host(("chmod 750 '%s/one'"):format(folder))
    local entry = codecell.assert(sandbox().files:upload(folder .. "/one", "up/one"))
    assert.equal(#data, entry.size)
    assert.equal(488, entry.mode)
    assert.is_true(codecell.assert(sandbox().files:download("up/one", folder .. "/back")))
    assert.equal("", attack.host(("cd '%s'; cmp one back; stat -c %%a back | grep -v 750")
      :format(folder)))
  end)

  it("copy a whole directory both ways", function()
    attack.host(("cd '%s' && mkdir -p tree/sub tree/none && echo hi > tree/sub/f && "
      .. "ln -s sub/f tree/link && chmod 700 tree/sub/f"):format(folder))
    codecell.assert(sandbox().files:upload(folder .. "/tree", "tree"))
    assert.equal("hi\n", codecell.assert(sandbox().files:read("tree/link")))
    assert.is_true(codecell.assert(sandbox().files:download("tree", folder .. "/copy")))
    assert.equal("", attack.host(("diff -r --no-dereference '%s/tree' '%s/copy'")
      :format(folder, folder)))
  end)

  it("says not_found for what there is not", function()
    local ok, err = sandbox().files:upload(folder .. "/missing", "x")
    assert.is_nil(ok)
    assert.equal("not_found", err.kind)
    ok, err = sandbox().files:download("missing", folder .. "/x")
    assert.is_nil(ok)
    assert.equal("not_found", err.kind)
  end)

  it("never lets a hostile link of the sandbox lead out of the target", function()
    codecell.assert(sandbox().commands:run(
      "mkdir -p evil && ln -sfn /etc evil/escape && ln -sfn ../../.. evil/up"))
    local ok, err = sandbox().files:download("evil", folder .. "/evil")
    assert.is_nil(ok)
    assert.equal("invalid_argument", err.kind)
    assert.truthy(err.message:find("links = \"skip\"", 1, true))
    assert.is_true(codecell.assert(sandbox().files:download("evil", folder .. "/evil",
      { links = "skip" })))
    assert.equal("", attack.host(("ls '%s/evil'"):format(folder)))
  end)
end)
