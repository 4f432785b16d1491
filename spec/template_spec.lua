-- Templates: what sandboxes begin with, prepared once and shared by all of them.
local codecell = require "codecell"
local in_sandbox = require "spec.support.in_sandbox"
local printed = require "spec.support.printed"
local shell = require "spec.support.shell"
local template_home = require "spec.support.template_home"

describe("a template #user", function()
  local home = template_home(setup, teardown)
  local source

  setup(function()
    source = shell.folder()
    shell.run(("cd %s && mkdir -p data/none && echo one > data/a.txt && chmod 640 data/a.txt && "
      .. "ln -s a.txt data/link"):format(shell.quote(source)))
  end)

  teardown(function() shell.remove(source) end)

  it("is built in a sandbox, and begins each one that names it #D24", function()
    local said = {}
    local built = codecell.assert(codecell.template.build("demo", {
      from = source, envs = { GREETING = "hello" }, description = "for tests",
      imports = { "colorsys" },
      run = { "echo \"$GREETING\" > said; id -u > who", { "sh", "-c", "pwd > place" } },
      on_step = function(number, count, text)
        said[number] = ("%d of %d: %s"):format(number, count, text:sub(1, 8))
      end,
    }))
    assert.same({ "1 of 3: ENV GREE", "2 of 3: RUN echo", "3 of 3: RUN sh -" }, said)
    assert.is_true(built.built)
    assert.equal("for tests", built.description)
    assert.equal("folder " .. source, built.from)
    in_sandbox({ template = "demo" }, function(sandbox)
      assert.equal("hello\n1000\n/home/user\n", printed(sandbox, "cat said who place"))
      assert.equal("hello\n", printed(sandbox, "echo $GREETING"))
      assert.equal("demo", sandbox:get_info().template)
      assert.is_true(sandbox:supports("templates"))
      local run = codecell.assert(sandbox:run_code("print(open('data/a.txt').read())"))
      assert.equal("one\n\n", table.concat(run.logs.stdout))
    end)
  end)

  it("is one read-only layer of its sandboxes: each changes it for itself alone #D30", function()
    in_sandbox({ template = "demo" }, function(one)
      in_sandbox({ template = "demo" }, function(other)
        printed(one, "echo two >> data/a.txt; rm said; rm -r data/none; echo new > data/new")
        assert.equal("one\ntwo\n", printed(one, "cat data/a.txt"))
        assert.equal("a.txt\nlink\nnone\n", printed(other, "ls data"))
        assert.equal("one\n", printed(other, "cat data/a.txt"))
      end)
      local metrics = codecell.assert(one:get_metrics())
      assert.truthy(metrics.disk_used < 1024 * 1024) -- what it changed, no copy of the rest
    end)
    in_sandbox({ template = "demo" }, function(sandbox)
      assert.equal("hello\n", printed(sandbox, "cat said"))
    end)
  end)

  it("keeps modes, times, links, empty folders and odd names", function()
    codecell.assert(codecell.template.build("kept", { run = { [[
      mkdir -p empty closed; echo x > closed/f; chmod 500 closed
      echo a > plain; chmod 751 plain; touch -d 2001-02-03T04:05:06Z plain empty
      ln -s /usr/bin/python3 absolute; ln -s ../../etc/passwd up; ln -s nowhere dangling
      echo b > "$(printf 'new\nline')"; echo c > ' blank '; echo d > -dash]] } }))
    in_sandbox({ template = "kept" }, function(sandbox)
      assert.equal("981173106 751\n981173106 755\n500\n",
        printed(sandbox, "stat -c '%Y %a' plain empty; stat -c %a closed"))
      assert.equal("/usr/bin/python3\n../../etc/passwd\nnowhere\n",
        printed(sandbox, "readlink absolute up dangling"))
      assert.equal("b\nc\nd\n", printed(sandbox, "cat new*line ' blank ' ./-dash"))
    end)
  end)

  it("can be built of another one, whose variables and folder it has", function()
    shell.write(source .. "/Dockerfile", "FROM demo\nENV AGAIN=${GREETING}s\nWORKDIR work\n"
      .. "COPY data data\nRUN echo $AGAIN > x\n")
    codecell.assert(codecell.template.build("child", { file = source .. "/Dockerfile" }))
    in_sandbox({ template = "child", envs = { GREETING = "mine" } }, function(sandbox)
      assert.equal("/home/user/work\nmine hellos\ndata\nx\nhello\n",
        printed(sandbox, "pwd; echo $GREETING $AGAIN; ls; cat ../said"))
    end)
  end)

  it("says which step failed, what it said last, and leaves what was there", function()
    local before = home.tree()
    local built, err = codecell.template.build("demo", { run = { "true", "echo oh no; exit 7" } })
    assert.is_nil(built)
    assert.equal(2, err.step)
    assert.equal("oh no\n", err.output)
    assert.matches("step 2 of 2, RUN echo oh no; exit 7: exit status 7", err.message, 1, true)
    assert.equal(before, home.tree())
  end)

  it("is not found by another name, and says which is near", function()
    local sandbox, err = codecell.create({ template = "demp" })
    assert.is_nil(sandbox)
    assert.equal("not_found", err.kind)
    assert.matches("did you mean \"demo\"?", err.message, 1, true)
    sandbox, err = codecell.create({ template = "something-else" })
    assert.is_nil(sandbox)
    assert.matches("codecell template ls", err.message, 1, true)
  end)

  it("has a name that stays in the folder of templates", function()
    local before = home.tree()
    for _, name in ipairs({ "", ".", "..", "../up", "a/b", "/tmp/x", ".hidden", "a b", "-x",
      ("x"):rep(65) }) do
      local built, err = codecell.template.build(name, { run = { "true" } })
      assert.is_nil(built, name)
      assert.equal("invalid_argument", err.kind)
      local shown
      shown, err = codecell.template.show(name)
      assert.is_nil(shown, name)
      assert.equal("not_found", err.kind)
      assert.is_nil((codecell.template.remove(name)))
      if name:sub(1, 1) ~= "/" then
        assert.is_nil((codecell.create({ template = name })), name)
      end
    end
    assert.equal(before, home.tree())
  end)

  it("is laid out without harm, whatever its build made of the home #S066", function()
    codecell.assert(codecell.template.build("hostile", { run = { [[
      ln -s /etc outside; ln -s ../../../../../../../../../../etc up
      mkdir d; echo x > d/f; chmod 4755 d/f; chmod 6755 d; mkfifo pipe
      python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'
      ln d/f hard; echo '{"format": 1, "root": "/"}' > template.json]] } }))
    local found = shell.run("find " .. shell.quote(home.path .. "/templates/hostile")
      .. " -perm /7000 -o -type p -o -type s -o -type b -o -type c").stdout
    assert.equal("", found)
    in_sandbox({ template = "hostile" }, function(sandbox)
      assert.equal("/etc\nx\n", printed(sandbox, "readlink outside; cat hard"))
    end)
    assert.is_nil(codecell.assert(codecell.template.show("hostile")).root)
  end)

  it("stays with those who have it when it is replaced or removed", function()
    codecell.assert(codecell.template.build("moving", { run = { "echo 1 > n" } }))
    local first = codecell.assert(codecell.create({ template = "moving" }))
    codecell.assert(codecell.template.build("moving", { run = { "echo 2 > n" } }))
    local second = codecell.assert(codecell.create({ template = "moving" }))
    assert.is_true(codecell.template.remove("moving"))
    assert.is_nil((codecell.create({ template = "moving" })))
    assert.equal("1\n", printed(first, "cat n"))
    assert.equal("2\n", printed(second, "cat n"))
    local copy = codecell.assert(first:fork())
    assert.equal("1\n", printed(copy, "cat n"))
    assert.equal("moving", copy:get_info().template)
    copy:close()
    first:close()
    second:close()
    codecell.assert(codecell.template.build("other", {}))
    assert.is_nil(home.tree():find("moving", 1, true))
  end)

  it("is kept by a pool, with its imports, and by forks", function()
    local pool = codecell.assert(codecell.pool({ template = "demo", size = 1 }))
    codecell.assert(pool:wait(60))
    local sandbox = codecell.assert(codecell.create({ template = "demo", warm = true }))
    assert.equal(1, pool:stats().taken)
    pool:close()
    local run = codecell.assert(sandbox:run_code("import sys; 'colorsys' in sys.modules"))
    assert.equal("True", run.text)
    assert.equal("hello\n", printed(sandbox, "cat said"))
    printed(sandbox, "echo mine > said; rm who")
    local copy = codecell.assert(sandbox:fork())
    assert.equal("demo", copy:get_info().template)
    assert.equal("mine\ndata\nplace\nsaid\nhello\n", printed(copy, "cat said; ls; echo $GREETING"))
    copy:close()
    sandbox:close()
  end)

  it("named python-datascience comes with the library #D13", function()
    if shell.run("/usr/bin/python3 -c 'import pandas, matplotlib, numpy'").status ~= 0 then
      pending("the system's Python has no pandas")
      return
    end
    in_sandbox({ template = "python-datascience", timeout = 1800 }, function(sandbox)
      local run = codecell.assert(sandbox:run_code("import pandas; pandas.DataFrame({'a': [1]})"))
      assert.is_nil(run.error)
      assert.equal("python-datascience", sandbox:get_info().template)
    end)
    local listed
    for _, one in ipairs(codecell.assert(codecell.templates())) do
      listed = listed or one.name == "python-datascience" and one
    end
    assert.is_false(listed.built)
    assert.equal("pandas", listed.imports[2])
  end)
end)

describe("the folder of templates #user", function()
  local home = template_home(setup, teardown)

  it("forgets what a killed build left", function()
    local killed = shell.run(("CODECELL_HOME=%s %s -e %s"):format(shell.quote(home.path),
      shell.lua, shell.quote([[
        local store = require "codecell.template.store"
        local draft = assert(store.begin("half"))
        assert(draft.root:make_file("file", 420)):write("half of it")
        io.popen("kill -9 $PPID"):read("*a")]])))
    assert.are_not.equal(0, killed.status)
    assert.matches("half/home%-ID/file", home.tree())
    assert.is_nil((codecell.create({ template = "half" })))
    codecell.assert(codecell.template.build("whole", {}))
    assert.equal(".\n./templates\n./templates/whole\n./templates/whole/home-ID\n"
      .. "./templates/whole/template.json\n", home.tree())
  end)

  it("takes two builds of one name at once", function()
    local result = shell.run(([[
      export CODECELL_HOME=%s
      for i in 1 2 3; do %s template build same --run "echo $i > n" & done
      wait]]):format(shell.quote(home.path), shell.codecell))
    assert.equal(3, select(2, result.stdout:gsub("same: 1 file,", "")), result.stderr)
    in_sandbox({ template = "same" }, function(sandbox)
      assert.matches("^[123]\n$", printed(sandbox, "cat n"))
    end)
    codecell.assert(codecell.template.build("whole", {}))
    assert.equal(1, select(2, home.tree():gsub("same/home%-ID\n", "")))
  end)

  it("is for its owner alone", function()
    assert.equal("700\n", shell.run("stat -c %a " .. shell.quote(home.path .. "/templates")).stdout)
  end)

  it("is not trusted when others could change it", function()
    local path = home.path
    home.path = path .. "/open"
    shell.run(("mkdir -p %s/templates && chmod 777 %s/templates"):format(home.path, home.path))
    local built, err = codecell.template.build("x", {})
    assert.is_nil(built)
    assert.equal("permission_denied", err.kind)
    assert.matches("CODECELL_HOME", err.message, 1, true)
    assert.is_nil((codecell.templates()))
    shell.run(("chmod 755 %s/templates && chmod 777 %s && chmod 700 %s"):format(home.path,
      home.path, path))
    codecell.assert(codecell.templates()) -- nobody else can come near it
    home.path = "relative"
    built, err = codecell.template.build("x", {})
    assert.is_nil(built)
    assert.equal("invalid_argument", err.kind)
    home.path = "/proc/nowhere"
    built, err = codecell.template.build("x", {})
    assert.is_nil(built)
    assert.equal("string", type(err.message))
    home.path = path
  end)

  it("is not trusted when it, or a folder above it, is another user's", function()
    if shell.run("id -u").stdout ~= "0\n" then
      pending("needs root, to give a folder away")
      return
    end
    local path = home.path
    shell.run(("mkdir -p %s/theirs/mine/templates && chown 65534 %s/theirs && chmod 755 %s")
      :format(path, path, path))
    for _, place in ipairs({ "/theirs", "/theirs/mine" }) do
      home.path = path .. place
      local list, err = codecell.templates()
      if place == "/theirs" then
        shell.run(("mkdir -p %s/theirs/templates"):format(path))
        list, err = codecell.templates()
      end
      assert.is_nil(list)
      assert.equal("permission_denied", err.kind)
      assert.matches("belongs to user 65534", err.message, 1, true)
    end
    home.path = path
  end)

  it("may be reached by a link of its owner", function()
    local path = home.path
    shell.run(("mkdir %s/real && ln -s real %s/link"):format(path, path))
    home.path = path .. "/link"
    codecell.assert(codecell.template.build("linked", { run = { "echo 1 > n" } }))
    in_sandbox({ template = "linked" }, function(sandbox)
      assert.equal("1\n", printed(sandbox, "cat n"))
    end)
    home.path = path
  end)

  it("says that a description is broken, and can remove it", function()
    codecell.assert(codecell.template.build("broken", {}))
    local whole = shell.read(home.path .. "/templates/broken/template.json")
    local wrong = { "", "[]", "{", '{"format":1}', ("x"):rep(2000000) }
    for _, field in ipairs({ '"envs":[1]', '"root":"relative"', '"from":{"kind":"else"}',
      '"steps":[{}]', '"packages":1', '"kind":"other"', '"id":"../x"', '"size":-1' }) do
      wrong[#wrong + 1] = whole:gsub("}%s*$", "," .. field .. "}") -- the last one counts
    end
    for _, text in ipairs(wrong) do
      shell.write(home.path .. "/templates/broken/template.json", text)
      local sandbox, err = codecell.create({ template = "broken" })
      assert.is_nil(sandbox)
      assert.equal("invalid_argument", err.kind)
    end
    assert.is_true(codecell.template.remove("broken"))
    assert.is_nil(home.tree():find("broken", 1, true))
  end)

  it("says that its disk is full, and keeps nothing of the build", function()
    local result = shell.run(([[
      unshare -m sh -c 'mount -t tmpfs -o size=1m,mode=700 none %s || exit 77
        CODECELL_HOME=%s %s template build big --run "head -c 3000000 /dev/zero > zeros"
        echo "status $?"; find %s/templates -type f'
      ]]):format(home.path, home.path, shell.codecell, home.path))
    if not result.stdout:find("status") then
      pending("no file system can be mounted here")
      return
    end
    assert.matches("No space left on device", result.stderr, 1, true)
    assert.equal("status 125\n", result.stdout)
  end)

  it("says that its folder cannot be made, and which variable names another one", function()
    local result = shell.run(([[
      unshare -m sh -c 'mount -t tmpfs -o ro none %s || exit 77
        CODECELL_HOME=%s/a/b %s template build none --run true; echo "status $?"'
      ]]):format(home.path, home.path, shell.codecell))
    if not result.stdout:find("status") then
      pending("no file system can be mounted here")
      return
    end
    assert.equal("status 125\n", result.stdout)
    assert.matches("/a/b/templates: Read-only file system; set CODECELL_HOME", result.stderr, 1,
      true)
  end)
end)
