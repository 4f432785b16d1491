local attack = require "spec.support.attack"
local codecell = require "codecell"
local in_sandbox = require "spec.support.in_sandbox"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("require 'codecell'", function()
  it("gives name and version, and sets no global #A01", function()
    assert.equal("codecell", codecell._NAME)
    assert.equal("0.1.0", codecell._VERSION)
    assert.is_nil(rawget(_G, "codecell"))
  end)

  it("loads the conveniences when they are first used #A19", function()
    assert.equal(require "codecell.json", codecell.json)
    assert.equal(require "codecell.languages", codecell.languages)
  end)

  it("has no field for a name that is not its own", function()
    assert.is_nil(codecell.creat)
  end)
end)

describe("create #user", function()
  it("answers a running sandbox with an id of i and 20 letters or digits #D03 #D06", function()
    in_sandbox(nil, function(sandbox)
      assert.truthy(sandbox.id:match("^i" .. ("[a-z0-9]"):rep(20) .. "$"))
      assert.equal("local", sandbox.backend)
      assert.is_true(sandbox:is_running())
    end)
  end)

  it("gives every sandbox another id", function()
    in_sandbox(nil, function(one)
      in_sandbox(nil, function(other)
        assert.are_not.equal(one.id, other.id)
      end)
    end)
  end)

  it("keeps metadata and name #D08", function()
    in_sandbox({ metadata = { userId = "user123" }, name = "analysis" }, function(sandbox)
      local info = sandbox:get_info()
      assert.same({ userId = "user123" }, info.metadata)
      assert.equal("analysis", info.name)
    end)
  end)

  it("lasts 300 seconds unless told otherwise #I17", function()
    in_sandbox(nil, function(sandbox)
      local info = sandbox:get_info()
      assert.equal(300, info.timeout)
      assert.equal(info.started_at + 300, info.end_at)
    end)
  end)

  it("refuses a time that is no limit: 0, negative, NaN, infinite, more than a day #I25", function()
    for _, seconds in ipairs({ 0, -1, 0 / 0, math.huge, -math.huge, 86401, "10" }) do
      local ok, message = pcall(codecell.create, { timeout = seconds })
      assert.is_false(ok)
      assert.truthy(message:find("create: timeout", 1, true), message)
    end
  end)

  it("says what isolates it #C12", function()
    in_sandbox(nil, function(sandbox)
      assert.equal("kernel", sandbox:get_info().isolation)
    end)
  end)

  it("tells each limit with what enforces it #I12", function()
    in_sandbox({ limits = { memory = 256 * 1024 * 1024, processes = 64 } }, function(sandbox)
      local limits = sandbox:get_info().limits
      assert.equal(256 * 1024 * 1024, limits.memory.value)
      assert.equal(64, limits.processes.value)
      assert.equal(512 * 1024 * 1024, limits.disk.value)
      for name, limit in pairs(limits) do
        assert.equal("string", type(limit.by), name)
      end
    end)
  end)

  it("gives code the documented environment and what create adds #E33", function()
    in_sandbox({ envs = { GREETING = "hello" } }, function(sandbox)
      local result = codecell.assert(sandbox.commands:run({ "env" }))
      local seen = {}
      for name, value in result.stdout:gmatch("([^=\n]+)=([^\n]*)\n") do
        seen[name] = value
      end
      assert.same({
        HOME = "/home/user", USER = "user", LOGNAME = "user", LANG = "C.UTF-8", TMPDIR = "/tmp",
        PIP_BREAK_SYSTEM_PACKAGES = "1", PIP_RETRIES = "0", npm_config_fetch_retries = "0",
        PATH = "/home/user/.local/bin:/usr/local/bin:/usr/bin:/bin:/run/bin", TZ = "UTC",
        CODECELL = "1", GREETING = "hello",
      }, seen)
    end)
  end)

  it("knows Python by its short name, though the machine may not", function()
    in_sandbox({}, function(sandbox)
      local found = codecell.assert(sandbox.commands:run("python3 --version; python --version"))
      if found.stdout == "" then
        return pending("there is no Python 3 in /usr/bin")
      end
      assert.matches("^(Python 3%.[^\n]*\n)%1$", found.stdout)
    end)
  end)

  it("starts kernels at once when languages are named", function()
    in_sandbox({ languages = { "python" } }, function(sandbox)
      assert.equal(2, #sandbox:list_code_contexts()) -- those that are there from the start
      assert.equal("2", codecell.assert(sandbox:run_code("1 + 1")).text)
    end)
  end)

  it("says unsupported, with what to do instead, for what this backend lacks #I28", function()
    for _, options in ipairs({ { user = "nobody" } }) do
      local sandbox, err = codecell.create(options)
      assert.is_nil(sandbox)
      assert.equal("unsupported", err.kind)
      assert.equal("string", type(err.hint))
    end
  end)

  it("says what it looked for where there is no GPU, and does not go on without one #H13",
    function()
      if attack.host("ls -d /dev/nvidia* /dev/kfd /dev/dri/renderD* 2>/dev/null") ~= "" then
        return pending("this machine has a GPU")
      end
      local sandbox, err = codecell.create({ gpu = true })
      assert.is_nil(sandbox)
      assert.equal("unsupported", err.kind)
      assert.equal("gpu", err.stage)
      assert.matches("/dev/nvidia", err.hint, 1, true)
    end)

  -- A /dev of its own, with other devices in the places of a GPU's: more than that they are there,
  -- and others not, cannot be shown where there is none.
  it("gives the devices of a GPU to who asks for it, and to nobody else #H13", function()
    if attack.host("unshare -m true 2>&1") ~= "" or not attack.root() then
      return pending("a /dev of one's own needs root")
    end
    local text = attack.host(("unshare -m sh -c %s 2>&1"):format(shell.quote([[
      set -e
      d=$(mktemp -d); mount -t tmpfs none $d; mkdir $d/pts $d/shm $d/dri
      for n in null zero full random urandom tty; do touch $d/$n; mount --bind /dev/$n $d/$n; done
      for n in nvidia0 dri/renderD128; do touch $d/$n; mount --bind /dev/zero $d/$n; done
      touch $d/nvidia-notes $d/other; mount --bind /dev/zero $d/other; mount --rbind $d /dev
      exec ]] .. attack.interpreter() .. " -e " .. shell.quote([[
        local codecell = require "codecell"
        for _, gpu in ipairs({ true, false, true }) do
          local sandbox = codecell.assert(codecell.create({ gpu = gpu }))
          io.write(sandbox.commands:run("cd /dev; ls -d nv* dri/* other 2>/dev/null; "
            .. "head -c 1 nvidia0 2>/dev/null | wc -c").stdout)
          assert(sandbox:run_code("6 * 7").text == "42")
          sandbox:close()
        end]])))):gsub("%s+", " ")
    assert.equal("dri/renderD128 nvidia0 1 0 dri/renderD128 nvidia0 1 ", text)
  end)

  it("does not know a backend that runs code unisolated #I28", function()
    local sandbox, err = codecell.create({ backend = "host" })
    assert.is_nil(sandbox)
    assert.equal("invalid_argument", err.kind)
  end)

  it("ends by itself when its time is over #D19", function()
    local sandbox = codecell.assert(codecell.create({ timeout = 2 }))
    local result, err = sandbox.commands:run({ "sleep", "300" })
    assert.is_nil(result)
    assert.truthy(err.kind == "timeout" or err.kind == "sandbox_gone", tostring(err))
    assert.is_false(sandbox:is_running())
    sandbox:close()
  end)

  it("can be given more time, or less #D19", function()
    in_sandbox(nil, function(sandbox)
      assert.is_true(sandbox:set_timeout(0.3))
      assert.is_nil((sandbox.commands:run({ "sleep", "30" })))
      assert.is_false(sandbox:is_running())
    end)
  end)
end)

describe("close and kill #user", function()
  it("leave no process and no descriptor behind #D15", function()
    codecell.assert(codecell.create()):close()
    codecell.step(0.1)
    local before = attack.descriptors()
    local ids = {}
    for i = 1, 3 do
      local sandbox = codecell.assert(codecell.create())
      codecell.assert(sandbox:run_code("1"))
      ids[i] = sandbox.id
      sandbox:close()
    end
    for _, id in ipairs(ids) do
      wait_until(function() return attack.left_of(id) == 0 end)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(attack.descriptors_fall_to(before))
  end)

  it("close is idempotent, and a closed sandbox raises for verbs", function()
    local sandbox = codecell.assert(codecell.create())
    sandbox:close()
    sandbox:close()
    assert.is_false(sandbox:is_running())
    assert.is_false(sandbox:kill())
    assert.has_error(function() sandbox:run_code("1") end)
    assert.has_error(function() sandbox.files:read("x") end)
    assert.has_error(function() sandbox.commands:run("true") end)
    assert.has_error(function() sandbox.pty:create() end)
  end)

  it("kill is true once, then false; verbs then say sandbox_gone #D10", function()
    local sandbox = codecell.assert(codecell.create())
    assert.is_true(sandbox:kill())
    assert.is_false(sandbox:kill())
    assert.equal(0, attack.left_of(sandbox.id))
    local done, err = sandbox:run_code("1")
    assert.is_nil(done)
    assert.equal("sandbox_gone", err.kind)
    sandbox:close()
  end)

  it("a sandbox that nobody holds any more is ended #D15", function()
    local id
    do
      local function make()
        id = codecell.assert(codecell.create()).id
      end
      make()
    end
    for _ = 1, 20 do
      collectgarbage()
      codecell.step(0.05)
      if attack.left_of(id) == 0 then
        break
      end
    end
    assert.equal(0, attack.left_of(id))
  end)

  it("a Process outlives the variable of its sandbox", function()
    local function start()
      local sandbox = codecell.assert(codecell.create())
      return codecell.assert(sandbox.commands:run("sleep 0.2; echo alive", { background = true }))
    end
    local process = start()
    collectgarbage()
    collectgarbage()
    assert.equal("alive\n", codecell.assert(process:wait(60)).stdout)
    process:close()
  end)

  it("refuses more sandboxes than max_sandboxes, after one full collection", function()
    collectgarbage()
    collectgarbage()
    local kept = { codecell.assert(codecell.create()), codecell.assert(codecell.create()) }
    local living = #codecell.list()
    codecell.setup({ max_sandboxes = living })
    local sandbox, err = codecell.create()
    codecell.setup({ max_sandboxes = 1000 })
    assert.is_nil(sandbox)
    assert.equal("limit_exceeded", err.kind)
    for _, one in ipairs(kept) do
      one:close()
    end
  end)
end)

describe("list, connect and kill by id #user", function()
  it("show the sandboxes of this Lua state, chosen by metadata #D09", function()
    in_sandbox({ metadata = { job = "list-spec" } }, function(sandbox)
      in_sandbox({ metadata = { job = "other" } }, function()
        local page = codecell.list({ metadata = { job = "list-spec" } })
        assert.equal(1, #page)
        assert.equal(sandbox.id, page[1].id)
        assert.equal("running", page[1].state)
      end)
    end)
    assert.equal(0, #codecell.list({ metadata = { job = "list-spec" } }))
  end)

  it("come in pages", function()
    in_sandbox({ metadata = { job = "pages" } }, function(one)
      in_sandbox({ metadata = { job = "pages" } }, function(other)
        local filter = { job = "pages" }
        local page = codecell.list({ metadata = filter, limit = 1 })
        assert.equal(1, #page)
        local second = codecell.list({ metadata = filter, limit = 1, next = page.next })
        assert.same({ one.id, other.id }, { page[1].id, second[1].id })
        assert.is_nil(second.next)
      end)
    end)
  end)

  it("kill ends one by its id: true, then false #D10", function()
    local sandbox = codecell.assert(codecell.create())
    assert.is_true(codecell.kill(sandbox.id))
    assert.is_false(codecell.kill(sandbox.id))
    assert.is_false(sandbox:is_running())
    sandbox:close()
  end)

  it("a connected object shares everything and leaves the sandbox running", function()
    in_sandbox(nil, function(sandbox)
      codecell.assert(sandbox:run_code("x = 5"))
      local other = codecell.assert(codecell.connect(sandbox.id))
      assert.equal(sandbox.id, other.id)
      assert.equal("5", codecell.assert(other:run_code("x")).text)
      other:close()
      assert.is_true(sandbox:is_running())
      assert.equal("5", codecell.assert(sandbox:run_code("x")).text)
    end)
  end)

  it("connect says not_found for an id that there is not", function()
    local sandbox, err = codecell.connect("i00000000000000000000")
    assert.is_nil(sandbox)
    assert.equal("not_found", err.kind)
  end)
end)

describe("get_metrics and supports #user", function()
  it("tell use and totals #M22", function()
    in_sandbox(nil, function(sandbox)
      codecell.assert(sandbox:run_code("data = bytearray(20_000_000)"))
      local metrics = codecell.assert(sandbox:get_metrics())
      assert.truthy(metrics.processes >= 1)
      assert.truthy(metrics.cpu_count > 0)
      assert.truthy(metrics.memory_used > 10000000)
      assert.equal(1024 * 1024 * 1024, metrics.memory_total)
      assert.truthy(metrics.disk_total > 0)
    end)
  end)

  it("answer for every feature, and raise for one that is not one", function()
    in_sandbox(nil, function(sandbox)
      assert.is_true(sandbox:supports("run_code"))
      assert.is_true(sandbox:supports("pty"))
      assert.is_true(sandbox:supports("snapshot"))
      assert.is_false(sandbox:supports("urls"))
      assert.has_error(function() sandbox:supports("flying") end)
      local ok, err = sandbox:detach()
      assert.is_nil(ok)
      assert.equal("unsupported", err.kind)
      assert.equal("string", type(err.hint))
    end)
  end)

  it("wait_port answers once something listens, and says timeout", function()
    in_sandbox(nil, function(sandbox)
      local ok, err = sandbox:wait_port(8123, 0.1)
      assert.is_nil(ok)
      assert.equal("timeout", err.kind)
      codecell.assert(sandbox.commands:run({ "python3", "-m", "http.server", "8123" },
        { background = true }))
      assert.is_true(codecell.assert(sandbox:wait_port(8123, 20)))
    end)
  end)
end)
