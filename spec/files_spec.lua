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

  it("give their bytes and nothing after them: io.write(files:read(path)) works", function()
    files():write("alone", "x")
    files():write("large", ("x"):rep(200000))
    assert.equal(1, select("#", files():read("alone")))
    assert.equal(1, select("#", files():read("large")))
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

  it("keep what is noted of a file with it, until it is written again #E08", function()
    local noted = { author = "somebody", ["x-run"] = "a b" }
    local entry, err = files():write("noted/file", "x", { metadata = noted })
    if not entry and err.kind == "unsupported" then
      return pending("the kernel keeps no attributes of files in memory")
    end
    assert.same(noted, entry.metadata)
    assert.same(noted, files():get_info("noted/file").metadata)
    assert.same(noted, files():rename("noted/file", "noted/other").metadata)
    assert.same(noted, files():list("noted")[1].metadata)
    sandbox().commands:run({ "python3", "-c", "import os\n"
      .. "os.setxattr('noted/other', 'user.e2b.more', b'1')\n"
      .. "os.setxattr('noted/other', 'user.e2b.bytes', b'\\xff')\n"
      .. "os.setxattr('noted', 'user.else', b'1')" })
    assert.equal("1", files():get_info("noted/other").metadata.more)
    assert.is_nil(files():get_info("noted/other").metadata.bytes)
    assert.is_nil(files():get_info("noted").metadata)
    assert.is_nil(files():write("noted/other", "y").metadata)
    for _, wrong in ipairs({ { ["a b"] = "1" }, { a = "\195\169" }, { a = ("x"):rep(4096) } }) do
      assert.equal("invalid_argument",
        select(2, files():write("noted/none", "x", { metadata = wrong })).kind)
    end
    assert.is_false(files():exists("noted/none"))
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
    assert.is_true(attack.descriptors_fall_to(before))
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

  it("copy a whole directory both ways, and keep modes #M25", function()
    attack.host(("cd '%s' && mkdir -p tree/sub tree/none && echo hi > tree/sub/f && "
      .. "ln -s sub/f tree/link && chmod 700 tree/sub/f"):format(folder))
    codecell.assert(sandbox().files:upload(folder .. "/tree", "tree"))
    assert.equal("hi\n", codecell.assert(sandbox().files:read("tree/link")))
    assert.is_true(codecell.assert(sandbox().files:download("tree", folder .. "/copy")))
    assert.equal("", attack.host(("diff -r --no-dereference '%s/tree' '%s/copy'")
      :format(folder, folder)))
    local modes = "cd '%s/%s'; find . ! -type l -printf '%%m %%p\\n' | sort"
    assert.equal(attack.host(modes:format(folder, "tree")),
      attack.host(modes:format(folder, "copy")))
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

describe("archive #user", function()
  local sandbox = one_sandbox(teardown)
  local folder

  setup(function()
    folder = attack.host("mktemp -d"):match("%S+")
  end)

  teardown(function()
    attack.host("chmod -R u+rwx '" .. folder .. "'; rm -rf '" .. folder .. "'")
  end)

  -- All of a stream, in a file of this machine: its path, and the longest piece.
  local function save(paths)
    local archive = codecell.assert(sandbox().files:archive(paths))
    local path, longest = folder .. "/stream.tar", 0
    local file = assert(io.open(path, "wb"))
    local piece, err = archive:read()
    while piece do
      longest = math.max(longest, #piece)
      file:write(piece)
      piece, err = archive:read()
    end
    file:close()
    archive:close()
    return not err and path, err or longest
  end

  -- What tar makes of a stream, in a folder.
  local function unpack(paths)
    local path = codecell.assert(save(paths))
    attack.host(("cd '%s'; rm -rf out; mkdir out; tar -xpf '%s' -C out 2>&1")
      :format(folder, path))
    return folder .. "/out"
  end

  local function names(paths)
    return attack.host("tar -tf '" .. codecell.assert(save(paths)) .. "' 2>&1")
  end

  it("is a tar stream, in which modes, times, links and long names are kept #M25", function()
    codecell.assert(sandbox().commands:run([[
mkdir -p tree/sub/none; cd tree
echo hi > a; chmod 640 a; touch -d @1000000000 a
head -c 300001 /dev/urandom > large; : > empty; chmod 700 sub
ln -s a link; ln -s "$(printf %0150d 7)" long
n=$(printf %090d 1); mkdir -p $n/$n; echo deep > $n/$n/$n; echo long > $(printf %0200d 2)]]))
    codecell.assert(sandbox().files:download("tree", folder .. "/copy"))
    attack.host(("touch -d @1000000000 '%s/copy/a'"):format(folder))
    local out = unpack("tree")
    assert.equal("", attack.host(("diff -r --no-dereference '%s/copy' '%s/tree' 2>&1")
      :format(folder, out)))
    local list = "cd '%s'; find . ! -type l -printf '%%m %%p\\n' | sort; stat -c %%Y a"
    assert.equal(attack.host(list:format(folder .. "/copy")),
      attack.host(list:format(out .. "/tree")))
    assert.equal(("0"):rep(149) .. "7\n", attack.host(("readlink '%s/tree/long'"):format(out)))
  end)

  it("comes in pieces, whatever the size of the files", function()
    codecell.assert(sandbox().commands:run("head -c 3000000 /dev/zero > zeros"))
    local _, longest = save("zeros")
    assert.truthy(longest <= 65536 + 512, longest)
  end)

  it("packs what an execution has changed #M25", function()
    codecell.assert(sandbox():run_code("open('old', 'w').close()"))
    local execution = codecell.assert(sandbox():run_code([[
import os
os.makedirs("charts"); open("charts/one.csv", "w").write("1,2"); open("b.txt", "w").write("b")
os.remove("old")]]))
    assert.equal("b.txt\ncharts/one.csv\n", names(execution.files_changed))
    codecell.assert(sandbox().files:remove("b.txt"))
    assert.equal("charts/one.csv\n", names(execution.files_changed))
    assert.equal("", names({}))
  end)

  it("names what lies below the home from there, and the rest from the root", function()
    codecell.assert(sandbox().commands:run("echo 1 > /tmp/t; mkdir -p home/x; echo 2 > home/x/y"))
    assert.equal("tmp/t\nhome/x/y\n", names({ "/tmp/t", "~/home/../home/./x/y" }))
    assert.equal("home/\nhome/x/\nhome/x/y\n", names("home/"))
  end)

  it("says why a folder on the way could not be made", function()
    for _, path in ipairs({ "/app/main.py", "/usr/a/b/c" }) do
      local entry, err = sandbox().files:write(path, "x")
      assert.is_nil(entry)
      assert.equal(("write %s: Read-only file system"):format(path), err.message)
    end
  end)

  it("says what is missing, and raises for what is no path", function()
    local path, err = save("missing")
    assert.is_false(path)
    assert.equal("not_found", err.kind)
    assert.equal("archive /home/user/missing: No such file or directory", err.message)
    assert.has_error(function() sandbox().files:archive() end)
    assert.has_error(function() sandbox().files:archive({ 1 }) end)
    assert.has_error(function() sandbox().files:archive("a\0b") end)
    local archive
    archive, err = sandbox().files:archive("")
    assert.is_nil(archive)
    assert.equal("invalid_argument", err.kind)
  end)

  it("can be given up at any time, and leaves no descriptor behind", function()
    codecell.assert(sandbox().commands:run("head -c 300000 /dev/zero > zeros"))
    collectgarbage()
    collectgarbage()
    local before = attack.descriptors()
    for _ = 1, 3 do
      local archive = codecell.assert(sandbox().files:archive("zeros"))
      assert(archive:read())
      archive:close()
      assert.equal("cancelled", select(2, archive:read()).kind)
      archive = codecell.assert(sandbox().files:archive("zeros"))
      local reader = codecell.async(function() return archive:read() end)
      archive:close()
      assert.equal("cancelled", select(2, reader:wait(20)).kind)
    end
    assert.is_true(attack.descriptors_fall_to(before))
  end)

  it("does no harm to whoever unpacks it #S066 #S060", function()
    codecell.assert(sandbox().commands:run([[
mkdir evil; cd evil; mkfifo pipe; ln -s /tmp out; echo x > program; chmod 6755 program
echo y > "$(printf 'a\nb')"; mkdir -m 1777 sticky]]))
    codecell.assert(sandbox().commands:run("echo z > /tmp/behind"))
    local out = unpack({ "evil", "evil/out/behind", "evil/out" })
    assert.equal("", attack.host(("find '%s' -perm /7000 -o -type p -o -name behind"):format(out)))
    assert.equal("y\n", attack.host(("cat '%s/evil/'a*b"):format(out)))
    assert.equal("0/0\n", attack.host(("tar -tvf '%s/stream.tar' | awk '{print $2}' | sort -u")
      :format(folder)))
  end)

  it("ends at the size of the disk, whatever files with holes say #S066", function()
    codecell.assert(sandbox().commands:run("truncate -s 1T holes"))
    local path, err = save("holes")
    assert.is_false(path)
    assert.equal("limit_exceeded", err.kind)
    codecell.assert(sandbox().commands:run("rm holes; truncate -s 300M h; ln h h2; ln h h3"))
    local archive = codecell.assert(sandbox().files:archive({ "h", "h2", "h3" }))
    local count = 0
    local piece
    repeat
      piece, err = archive:read()
      count = count + #(piece or "")
    until not piece
    assert.equal("limit_exceeded", err.kind)
    assert.truthy(count < 512 * 2 ^ 20)
  end)
end)
