-- A folder with programs in the place of this machine's: an unpacked image as a template.
local codecell = require "codecell"
local core = require "codecell.core"
local in_sandbox = require "spec.support.in_sandbox"
local printed = require "spec.support.printed"
local root_folder = require "spec.support.root_folder"
local shell = require "spec.support.shell"
local template_home = require "spec.support.template_home"
local wait_until = require "spec.support.wait_until"

describe("a root folder as a template #user", function()
  local home = template_home(setup, teardown)
  local root

  setup(function() root = root_folder() end)
  teardown(function() shell.remove(root) end)

  it("has the programs of its sandboxes, and nothing of this machine's", function()
    in_sandbox({ template = root }, function(sandbox)
      assert.equal('bash\ncat\nid\nls\nsh\nsleep\nNAME="Tiny"\ntool\n',
        printed(sandbox, "ls /usr/bin; cat /etc/os-release /opt/tool/name"))
      assert.equal(root, sandbox:get_info().template)
      local run = codecell.assert(sandbox:run_code("x=5; echo $((x + 1))", { language = "bash" }))
      assert.equal("6\n", table.concat(run.logs.stdout))
      assert.equal(127, codecell.assert(sandbox.commands:run("python3 -V")).exit_code)
    end)
  end)

  it("gives no people and no secrets of its own", function()
    in_sandbox({ template = root }, function(sandbox)
      local seen = printed(sandbox, "ls /etc; cat /etc/passwd; id -un; ls -d /source 2>&1 || true")
      assert.is_nil(seen:find("shadow", 1, true))
      assert.is_nil(seen:find("boss", 1, true))
      assert.matches("\nuser\n", seen, 1, true)
      assert.matches("cannot access", seen, 1, true)
      local denied = codecell.assert(sandbox.commands:run("echo x > /usr/bin/x; echo y > /opt/y"))
      assert.equal(1, denied.exit_code)
      assert.matches("Read%-only", denied.stderr)
    end)
  end)

  it("has languages of its own: one that it lacks is unsupported, and says where", function()
    in_sandbox({ template = root }, function(sandbox)
      assert.same({ "bash" }, sandbox:get_info().languages)
      local run, err = sandbox:run_code("1")
      assert.is_nil(run)
      assert.equal("unsupported", err.kind)
      assert.matches(root, err.message, 1, true)
    end)
    local pool, err = codecell.pool({ template = root, languages = { "javascript" } })
    assert.is_nil(pool)
    assert.equal("unsupported", err.kind)
  end)

  it("can be under a template, which keeps it", function()
    codecell.assert(codecell.template.build("tiny", { from = root, envs = { A = "b" },
      run = { "cat /etc/os-release > who" } }))
    in_sandbox({ template = "tiny" }, function(sandbox)
      assert.equal('NAME="Tiny"\nb\ntool\n', printed(sandbox, "cat who; echo $A; cat /opt/*/name"))
      local copy = codecell.assert(sandbox:fork())
      assert.equal("tool\n", printed(copy, "cat /opt/tool/name"))
      copy:close()
      local kept = codecell.assert(sandbox:create_snapshot())
      in_sandbox({ template = kept.id }, function(restored)
        assert.equal('NAME="Tiny"\ntool\n', printed(restored, "cat who /opt/tool/name"))
      end)
    end)
    assert.equal(root, codecell.assert(codecell.template.show("tiny")).root)
  end)

  it("is out of date once a program of it has come or gone #D25", function()
    codecell.assert(codecell.template.build("aging", { from = root }))
    assert.same({}, codecell.assert(codecell.template.outdated("aging")))
    shell.write(root .. "/usr/bin/new", "#!/bin/sh\n")
    local moved = codecell.assert(codecell.template.outdated("aging"))
    assert.equal("root " .. root, moved[1].what)
    os.remove(root .. "/usr/bin/new")
  end)

  it("is another one when another folder is at its path", function()
    local place = home.path .. "/place"
    os.rename(root, place)
    in_sandbox({ template = place }, function(first)
      os.rename(place, root)
      shell.run(("cp -a %s %s && echo other > %s/opt/tool/name"):format(root, place, place))
      in_sandbox({ template = place }, function(second)
        assert.equal("tool\n", printed(first, "cat /opt/tool/name"))
        assert.equal("other\n", printed(second, "cat /opt/tool/name"))
      end)
    end)
    local err = select(2, codecell.create({ template = home.path .. "/gone" }))
    assert.equal("not_found", err.kind)
  end)

  it("leads nowhere by its links", function()
    local place = home.path .. "/links"
    shell.run(("cp -a %s %s && cd %s && rm -r etc opt && ln -s /etc etc && ln -s /root opt && "
      .. "ln -s /etc/shadow usr/bin/shadow && ln -s / usr/bin/top"):format(root, place, place))
    in_sandbox({ template = place }, function(sandbox)
      local seen = printed(sandbox, "ls /etc /opt /usr/bin/top; cat /etc/hostname")
      assert.is_nil(seen:find("shadow\n", 1, true))
      assert.is_nil(seen:find("os-release", 1, true))
      assert.matches("sandbox\n", seen, 1, true)
      assert.equal(1, codecell.assert(sandbox.commands:run("cat /usr/bin/shadow")).exit_code)
    end)
    local hollow = home.path .. "/hollow"
    shell.run(("mkdir %s && cd %s && ln -s /usr usr && ln -s usr/bin bin"):format(hollow, hollow))
    local sandbox, err = codecell.create({ template = hollow })
    assert.is_nil(sandbox)
    assert.equal("string", type(err.message))
    shell.run(("ln -s %s %s/link"):format(root, home.path))
    sandbox, err = codecell.create({ template = home.path .. "/link" })
    assert.is_nil(sandbox)
    assert.equal("invalid_argument", err.kind)
  end)

  it("needs programs, and is not this machine's root", function()
    local empty = home.path .. "/empty"
    shell.run("mkdir " .. empty)
    local sandbox, err = codecell.create({ template = empty })
    assert.is_nil(sandbox)
    assert.equal("invalid_argument", err.kind)
    assert.matches("--from " .. empty, err.message, 1, true)
    for _, path in ipairs({ "/", "//", "/./" }) do
      sandbox, err = codecell.create({ template = path })
      assert.is_nil(sandbox, path)
      assert.equal("invalid_argument", err.kind)
    end
  end)

  it("may lie where only root can go, for a program of root", function()
    if codecell.assert(shell.run("id -u").stdout) ~= "0\n" then
      pending("needs root")
      return
    end
    local place = home.path .. "/private"
    shell.run(("mkdir -m 700 %s && cp -a %s %s/root"):format(place, root, place))
    in_sandbox({ template = place .. "/root" }, function(sandbox)
      assert.equal("tool\n", printed(sandbox, "cat /opt/tool/name"))
    end)
  end)

  it("has a stem of its own, which ends after its last sandbox", function()
    local stems = {}
    for i = 1, 3 do
      in_sandbox({ template = root, metadata = { n = tostring(i) } }, function(sandbox)
        assert.is_true(sandbox:is_running())
        for _, one in ipairs(core.sandboxes()) do
          if one.id == sandbox.id then
            stems[i] = shell.read(("/proc/%d/status"):format(one.pid)):match("PPid:%s*(%d+)")
          end
        end
        assert.equal("codecell-stem\n", shell.read(("/proc/%s/comm"):format(stems[i])))
      end)
    end
    wait_until(function()
      for _, stem in ipairs(stems) do
        if shell.read(("/proc/%s/comm"):format(stem)) == "codecell-stem\n" then
          return false
        end
      end
      return true
    end)
  end)
end)
