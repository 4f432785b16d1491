-- Snapshots: files of a sandbox that others begin with, and the tar streams that they leave and
-- come by.
local codecell = require "codecell"
local printed = require "spec.support.printed"
local shell = require "spec.support.shell"
local template_home = require "spec.support.template_home"

-- What a sandbox that begins with a snapshot says to a command.
local function restored(id, command)
  local sandbox = codecell.assert(codecell.create({ template = id }))
  local text = printed(sandbox, command)
  sandbox:close()
  return text
end

local function pieces_of(text, size)
  local at = 1
  return function()
    local piece = text:sub(at, at + size - 1)
    at = at + size
    return piece ~= "" and piece or nil
  end
end

local function read_all(stream)
  local pieces = {}
  repeat
    local piece, err = stream:read()
    assert.is_nil(err)
    pieces[#pieces + 1] = piece
  until not piece
  return table.concat(pieces)
end

describe("a snapshot #user", function()
  local home = template_home(setup, teardown)
  local sandbox, kept

  setup(function()
    sandbox = codecell.assert(codecell.create({ envs = { KEY = "private" } }))
  end)
  teardown(function() sandbox:close() end)

  it("keeps the files of the home, for others to begin with #N15", function()
    codecell.assert(sandbox:run_code("open('file', 'w').write('kept'); x = 1"))
    printed(sandbox, "mkdir -p deep/er none; echo 2 > deep/er/f; chmod 600 deep/er/f; touch -d "
      .. "@981173106 deep/er/f deep; ln -s f deep/er/link; chmod 700 none; echo t > /tmp/t")
    kept = codecell.assert(sandbox:create_snapshot({ name = "first" }))
    assert.matches("^s%w+$", kept.id)
    assert.equal("first", kept.name)
    printed(sandbox, "echo changed > file")
    assert.equal("kept2\nf\n981173106 600\n981173106 755\n700\n", restored(kept.id, "cat file "
      .. "deep/er/f; readlink deep/er/link; stat -c '%Y %a' deep/er/f deep; stat -c %a none"))
    assert.equal("", restored(kept.id, "ls /tmp; echo -n $KEY"))
    assert.equal(kept.id, codecell.assert(codecell.snapshot.list())[1].id)
    assert.is_true(sandbox:supports("snapshot"))
  end)

  it("leaves what runs as it was", function()
    codecell.assert(sandbox:pause())
    local again = codecell.assert(sandbox:create_snapshot())
    assert.equal("paused", sandbox:get_info().state)
    codecell.assert(sandbox:resume())
    assert.equal("1", codecell.assert(sandbox:run_code("x")).text)
    codecell.assert(codecell.snapshot.remove(again.id))
  end)

  it("goes elsewhere as a tar stream, and comes back #N15", function()
    local text = read_all(codecell.assert(codecell.snapshot.export(kept.id)))
    for _, size in ipairs({ 1000003, 700, 13 }) do
      local back = codecell.assert(codecell.snapshot.import(pieces_of(text, size),
        { name = "back" }))
      assert.equal("kept\n981173106 600\n700\n", restored(back.id,
        "cat file; echo; stat -c '%Y %a' deep/er/f; stat -c %a none"))
      assert.equal(text, read_all(codecell.assert(codecell.snapshot.export(back.id))))
      codecell.assert(codecell.snapshot.remove(back.id))
    end
  end)

  it("is removed once, and not found then", function()
    local one = codecell.assert(codecell.create({ template = kept.id }))
    assert.is_true(codecell.snapshot.remove(kept.id))
    local removed, err = codecell.snapshot.remove(kept.id)
    assert.is_nil(removed)
    assert.equal("not_found", err.kind)
    assert.equal("kept", printed(one, "cat file"))
    one:close()
    assert.is_nil((codecell.snapshot.export(kept.id)))
    assert.is_nil((codecell.template.remove(kept.id)))
    assert.is_nil((codecell.create({ template = kept.id })))
  end)

  it("names what cannot be kept", function()
    codecell.assert(codecell.snapshot.remove(codecell.assert(sandbox:create_snapshot()).id))
    printed(sandbox, "mkdir closed; echo x > closed/f; chmod 0 closed")
    local before = home.tree()
    local made, err = sandbox:create_snapshot()
    assert.is_nil(made)
    assert.equal("permission_denied", err.kind)
    assert.matches("chmod", err.hint, 1, true)
    assert.equal(before, home.tree())
    assert.is_true(sandbox:is_running())
    printed(sandbox, "chmod 700 closed")
  end)
end)

describe("a tar stream of anybody #user", function()
  local home = template_home(setup, teardown)

  local function header(name, given)
    local function field(text, size)
      return text .. ("\0"):rep(size - #text)
    end
    local block = table.concat({ field(name, 100), ("%07o\0"):format(given.mode or 420),
      ("0000000\0"):rep(2), given.size_field or ("%011o\0"):format(given.size or 0),
      ("%011o\0"):format(0), (" "):rep(8), given.type or "0", field(given.target or "", 100),
      "ustar\00000", ("\0"):rep(247) })
    local sum = 0
    for i = 1, 512 do
      sum = sum + block:byte(i)
    end
    return block:sub(1, 148) .. ("%06o\0 "):format(sum + (given.wrong or 0)) .. block:sub(157)
  end

  local function member(name, content, given)
    given = given or {}
    given.size = given.size or #content
    return header(name, given) .. content .. ("\0"):rep(-#content % 512)
  end

  local END = ("\0"):rep(1024)

  setup(function()
    codecell.assert(codecell.snapshot.import(pieces_of(END, 512))) -- an empty one
  end)

  local function refused(text, words)
    local before = home.tree()
    local made, err = codecell.snapshot.import(pieces_of(text, 4096))
    assert.is_nil(made, words)
    assert.matches(words, err.message, 1, true)
    assert.equal(before, home.tree())
    return err
  end

  it("cannot lead out of the home by its names #S060", function()
    for _, name in ipairs({ "../up", "a/../../up", "/etc/passwd", "a/.." }) do
      refused(member(name, "x") .. END, "a name that leads out of it")
      local length = #name + (#name < 91 and 9 or 10)
      refused(member("pax", ("%d path=%s\n"):format(length, name), { type = "x" })
        .. member("ok", "x") .. END, "a name that leads out of it")
      refused(member("long", name .. "\0", { type = "L" }) .. member("ok", "x") .. END,
        "a name that leads out of it")
    end
  end)

  it("cannot write through a link of its own #S066", function()
    local place = shell.folder()
    for _, target in ipairs({ place, "../../../../../.." .. place, "." }) do
      refused(member("l", "", { type = "2", target = target }) .. member("l/x", "x") .. END, "l")
      refused(member("l", "", { type = "2", target = target })
        .. member("l", "", { type = "5" }) .. member("l/x", "x") .. END, "l")
    end
    refused(member("l", "", { type = "2", target = place .. "/x" }) .. member("l", "x") .. END, "l")
    assert.equal("", shell.run("ls -A " .. shell.quote(place)).stdout)
    shell.remove(place)
  end)

  it("cannot link to files outside, nor bring devices and pipes #S066", function()
    refused(member("h", "", { type = "1", target = "/etc/passwd" }) .. END, "leads out of it")
    refused(member("h", "", { type = "1", target = "../../template.json" }) .. END,
      "leads out of it")
    refused(member("l", "", { type = "2", target = "/etc" })
      .. member("h", "", { type = "1", target = "l/passwd" }) .. END, "h")
    for _, kind in ipairs({ "3", "4", "6", "S", "Z" }) do
      refused(member("d", "", { type = kind }) .. END, "only files, directories and links")
    end
  end)

  it("gives no set-user-ID rights", function()
    local made = codecell.assert(codecell.snapshot.import(pieces_of(
      member("s", "x", { mode = 2541 }) .. member("d/", "", { type = "5", mode = 1533 })
      .. member("d/h", "", { type = "1", target = "s" }) .. END, 512)))
    assert.equal("755\n775\nx", restored(made.id, "stat -c %a s d; cat d/h"))
  end)

  it("is refused when it is broken, cut short or no tar stream at all", function()
    local whole = member("a", ("x"):rep(2000)) .. END
    refused("", "there is none")
    refused(whole:sub(1, 300), "ends in the middle")
    refused(whole:sub(1, 1500), "ends in the middle")
    refused("\31\139" .. ("z"):rep(2000), "no header")
    refused(member("a", "x", { wrong = 1 }) .. END, "no header")
    refused(member("a", "x", { size_field = "zzzzzzzzzzz\0" }) .. END, "a broken size")
    refused(member("a", "x", { size_field = "\255" .. ("\255"):rep(11) }) .. END, "a broken size")
    refused(member("p", "99 path=a\n", { type = "x" }) .. END, "a broken header of pax")
    refused(member("p", "", { type = "x", size = 2 ^ 32 }) .. END, "a header that is too long")
  end)

  it("is nested no deeper than it can be removed again", function()
    local made = codecell.assert(codecell.snapshot.import(pieces_of(
      member("l", "a/" .. ("d/"):rep(180) .. "f\0", { type = "L" })
      .. member("f", "x", { mode = 0 }) .. END, 512)))
    codecell.assert(codecell.snapshot.remove(made.id))
    assert.is_nil(home.tree():find(made.id, 1, true))
    refused(member("l", ("d/"):rep(400) .. "f\0", { type = "L" }) .. member("f", "x") .. END,
      "nested deeper than 200")
  end)

  it("implies no more directories than are counted, nor more of their paths #S066 #slow", function()
    local count, deep = 0, {}
    for i = 1, 190 do
      deep[i] = ("d"):rep(18)
    end
    local err = select(2, codecell.snapshot.import(function()
      count = count + 1
      return member("l", ("%06d/"):format(count) .. table.concat(deep, "/") .. "/f\0",
        { type = "L" }) .. member("f", "")
    end))
    assert.equal("limit_exceeded", err.kind)
    assert.is_true(count < 1000)
  end)

  it("may hold no more than the caller allows", function()
    local made, err = codecell.snapshot.import(pieces_of(member("a", ("x"):rep(5000)) .. END, 512),
      { most = 4999 })
    assert.is_nil(made)
    assert.equal("limit_exceeded", err.kind)
  end)

  it("can be of tar or of Python, with long names and hard links", function()
    local folder = shell.folder()
    local long = ("n"):rep(90) .. "/" .. ("m"):rep(120)
    shell.run(("cd %s && mkdir -p in/%s && echo 1 > in/%s/f && ln in/%s/f in/hard && "
      .. "for format in ustar gnu pax; do tar -C in --format=$format -cf $format.tar . ; done; "
      .. "python3 -c 'import tarfile; t = tarfile.open(\"py.tar\", \"w\"); t.add(\"in\", \".\")'")
      :format(folder, long, long, long))
    for _, name in ipairs({ "gnu", "pax", "py" }) do
      local text = assert(shell.read(("%s/%s.tar"):format(folder, name)))
      local made = codecell.assert(codecell.snapshot.import(pieces_of(text, 10240)))
      assert.equal("1\n1\n", restored(made.id, ("cat %s/f hard"):format(long)), name)
    end
    shell.remove(folder)
  end)
end)
