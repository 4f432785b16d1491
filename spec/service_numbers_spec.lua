-- The numbers of the service: budgets, records that other programs read, demand, long code. Real
-- sandboxes; a clock of its own where time counts.
local cjson = require "cjson"
local codecell = require "codecell"
local gateway = require "spec.support.gateway"
local services = require "spec.support.services"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

-- As if this machine were paid for: a whole cent a processor and second.
local PRICES = { cpu_second = 10000, gib_second = 0, paid = { "local" } }

describe("the numbers of a service #user", function()
  local new, folder = services(before_each, after_each), nil

  setup(function()
    folder = shell.folder()
  end)

  teardown(function()
    shell.remove(folder)
  end)

  local function paid(given)
    local now = 1000
    given.prices, given.cpu_limit = PRICES, 2
    given.clock = function() return now end
    return new(given), function(seconds) now = now + seconds end
  end

  describe("the cost", function()
    it("of 100 s with two processors is what the table says #L01", function()
      local service, pass = paid({})
      local made = codecell.assert(service:create({ owner = "ann" }))
      pass(100)
      service:kill(made.id)
      local usage = service:usage()
      assert.equal(100 * 2 * 10000 / 1e6, usage.cost)
      assert.equal("USD", usage.currency)
      assert.same({ "ann", 1, 100, 2 }, { usage.lines[1].user, usage.lines[1].sandboxes,
        usage.lines[1].seconds, usage.lines[1].cost })
    end)

    it("of one that ended by itself is counted as well #L01", function()
      local service, pass = paid({})
      local made = codecell.assert(service:create({}))
      pass(10)
      made:kill()
      assert.equal(0, #service:list())
      assert.equal(0.2, service:usage().cost)
    end)

    it("goes by the limits of the sandbox itself #L01", function()
      local service, pass = paid({})
      local made = codecell.assert(service:create({ limits = { cpu = 0.5 } }))
      pass(10)
      service:kill(made.id)
      assert.equal(0.05, service:usage().cost)
    end)
  end)

  describe("a budget", function()
    it("refuses the sandbox that may pass it, and no other service's #L02", function()
      local service = paid({ budget = { usd = 1 } })
      codecell.assert(service:create({ timeout = 40 })) -- 0.8
      local none, err = service:create({ timeout = 11 })
      assert.is_nil(none)
      assert.equal("limit_exceeded", err.kind)
      assert.equal("budget", err.word)
      assert.truthy(err.message:find("budget.usd", 1, true))
      assert.truthy(service:create({ timeout = 10 }))
      assert.truthy((paid({ budget = { usd = 1 } })):create({ timeout = 40 }))
    end)

    it("of a user refuses that user, and no other #L02", function()
      local service, pass = paid({ budget = { user_usd = 1 }, sandbox_timeout = 30 })
      assert.equal("2", service:execute("1 + 1", { owner = "ann", key = "k" }).text)
      pass(30)
      codecell.session({ user = "ann", conversation = "k", service = service }):close()
      local none, err = service:execute("1 + 1", { owner = "ann", key = "k" })
      assert.is_nil(none)
      assert.equal("budget", err.word)
      assert.equal("2", service:execute("1 + 1", { owner = "ben", key = "k" }).text)
      assert.equal("budget", service:metrics().runs_total[1].kind)
    end)

    it("gives back what a sandbox did not use #L02", function()
      local service, pass = paid({ budget = { usd = 1 } })
      local made = codecell.assert(service:create({ timeout = 50 }))
      assert.is_nil((service:create({ timeout = 50 })))
      pass(10)
      service:kill(made.id)
      assert.truthy(service:create({ timeout = 40 }))
    end)

    it("is asked each time that one is to live longer #L02", function()
      local service, pass = paid({ budget = { usd = 1 } })
      local made = codecell.assert(service:create({ timeout = 30 }))
      pass(20)
      assert.is_true(made:set_timeout(30))
      local done, err = made:set_timeout(31)
      assert.is_nil(done)
      assert.equal("budget", err.word)
      assert.is_true(made:set_timeout(5))
    end)

    it("goes by the prices of the cloud where sandboxes are there #L01 #L02", function()
      local served, now = gateway.start(), 0
      local service = new({ clock = function() return now end,
        mode = "production", api_key = gateway.key, api_url = served.url,
        sandbox_url = served.url, memory_limit = 2 ^ 29, budget = { usd = 0.01 } })
      local made = codecell.assert(service:create({ timeout = 300 })) -- 300 s of 30.25 millionths
      local none, err = service:create({ timeout = 300 })
      assert.is_nil(none)
      assert.equal("budget", err.word)
      none, err = made:set_timeout(600)
      assert.is_nil(none)
      assert.equal("budget", err.word)
      now = 100
      assert.is_true(service:kill(made.id))
      local usage = service:usage()
      assert.equal(0.003025, usage.cost)
      assert.equal("e2b", usage.lines[1].backend)
      service:close()
      served:stop()
    end)

    it("counts those that are being made #L02", function()
      local service = paid({ budget = { usd = 1 } })
      local made, words = 0, {}
      local tasks = {}
      for i = 1, 3 do
        tasks[i] = codecell.async(service.create, service, { timeout = 25 })
      end
      for i = 1, 3 do
        local one, err = tasks[i]:wait(60)
        made = made + (one and 1 or 0)
        words[#words + 1] = err and err.word
      end
      assert.equal(2, made)
      assert.same({ "budget" }, words)
    end)

    it("is wrong in a currency that the prices are not in, or with other names #L02", function()
      local made, err = codecell.service({ mode = "mock", budget = { usd = 1 },
        prices = { currency = "EUR" } })
      assert.is_nil(made)
      assert.truthy(err.message:find("USD", 1, true))
      made, err = codecell.service({ mode = "mock", budget = { usd = -1 } })
      assert.is_nil(made)
      assert.truthy(err.message:find("usd, user_usd", 1, true))
    end)
  end)

  describe("the records", function()
    local function codecell_command(words, variables)
      return shell.run((variables and variables .. " " or "") .. shell.codecell .. " " .. words)
    end

    it("are what codecell usage and metrics read, of all programs #L02 #L06 #K05", function()
      local path = folder .. "/usage.jsonl"
      local service, pass = paid({ usage_file = path })
      service:execute("x = 1", { owner = "ann", key = "k" })
      service:execute("1/0", { owner = "ann", key = "k" })
      pass(50)
      service:close()
      local other = new({ usage_file = path })
      other:execute("secret = 'sesame'", { owner = 'b"e,n' })
      other:close()
      assert.is_nil(shell.read(path):find("sesame", 1, true))

      local csv = codecell_command("usage --by user,day --format csv",
        "CODECELL_USAGE_FILE=" .. path)
      local today = os.date("!%Y-%m-%d")
      local rows = {}
      for row in csv.stdout:gmatch("[^\r\n]+") do
        rows[#rows + 1] = row
      end
      assert.equal("user,day,sandboxes,seconds,runs,failed,cost,currency", rows[1])
      assert.equal(("ann,%s,1,50.000,2,1,1.000000,USD"):format(today), rows[2])
      assert.matches('^"b""e,n",' .. today:gsub("%-", "%%-") .. ",1,[%d.]+,1,0,0%.000000,USD$",
        rows[3])
      local list = cjson.decode(codecell_command("usage --by backend --json " .. path).stdout)
      assert.equal(3, list[1].runs)
      assert.matches("USER +DAY", codecell_command("usage " .. path).stdout)

      local _, count = codecell_command("usage --histogram hour " .. path).stdout:gsub("\n", "")
      assert.equal(24, count)
      local hours = cjson.decode(
        codecell_command("usage --histogram hour --json " .. path).stdout)
      local runs = 0
      for _, row in ipairs(hours) do
        runs = runs + row.runs
      end
      assert.same({ 24, 3 }, { #hours, runs })

      local families = require("spec.support.openmetrics")(
        codecell_command("metrics " .. path).stdout)
      assert.equal(1, families.codecell_cost.samples.codecell_cost_total)
      assert.equal(1, families.codecell_runs.samples[
        'codecell_runs_total{status="failed",kind="runtime",language="python"}'])
    end)

    it("are no formulas for a program that calculates #L02", function()
      local path, lines = folder .. "/formulas.jsonl", {}
      for i, name in ipairs({ '=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "a;=1",
        "ann-1" }) do
        lines[i] = cjson.encode({ event = "run", at = i, user = name, language = "python",
          timings = {} })
      end
      shell.write(path, table.concat(lines, "\n") .. "\n")
      local told, names = codecell_command("usage --by user --format csv " .. path).stdout, {}
      for name in told:gmatch("\n(.-),0,0%.000,1,0,") do
        names[#names + 1] = name
      end
      table.sort(names)
      assert.same({ '"\'\t=1"', '"\'=HYPERLINK(""http://x"")"', '"a;=1"', "'+1", "'-1",
        "'@SUM(A1)", "ann-1" }, names)
    end)

    it("hold any name of a user, cut where it is long #L02", function()
      local path = folder .. "/names.jsonl"
      local service = new({ usage_file = path, mode = "mock" })
      service:execute("1", { owner = ("\255"):rep(1000) })
      service:close()
      local told = codecell_command("usage --by user --format csv " .. path)
      assert.equal("", told.stderr)
      assert.matches("\n\239\191\189+[^,]*,1,[%d.]+,1,0,0%.000000,USD", told.stdout)
    end)

    it("sort runs by the hour and day at which they were #L06", function()
      local lines = {}
      for i, at in ipairs({ 0, 3600, 3601, 86400 + 7200 }) do
        lines[i] = cjson.encode({ event = "run", at = at, language = "python", timings = {} })
      end
      local path = folder .. "/hours.jsonl"
      shell.write(path, table.concat(lines, "\n") .. "\n{\n[]\n"
        .. '{"event":"run","at":1e300,"language":"x","timings":{}}\n')
      local told = codecell_command("usage --histogram hour " .. path)
      assert.matches("^00 +1\n01 +2\n02 +1\n03 +0\n", told.stdout)
      assert.truthy(told.stderr:find("3 lines", 1, true))
      assert.matches("\n1970%-01%-02,", codecell_command("usage --by day --format csv "
        .. path).stdout)
    end)

    it("suggest limits that are no less than the most that was measured #L08", function()
      local path = folder .. "/peaks.jsonl"
      local service = new({ usage_file = path })
      local used = codecell.assert(service:execute("x = bytearray(100 << 20)", { key = "k" })).usage
      local mine = service:usage().limits
      assert.equal("memory_limit", mine[1].name)
      assert.is_true(mine[1].peak >= used.memory_peak and used.memory_peak >= 100 * 2 ^ 20)
      for _, one in ipairs(mine) do
        assert.is_true(one.suggested >= one.peak, one.name)
      end
      service:close()
      local list = cjson.decode(codecell_command("usage --suggest-limits --json " .. path).stdout)
      assert.equal(mine[1].suggested, list[1].suggested)
      assert.equal("E2B_MEMORY_LIMIT_MB", list[1].variable)
      assert.equal(list[1].suggested / 2 ^ 20, list[1].setting)
    end)

    it("are refused where they cannot be written, before anything is made #L02", function()
      local made, err = codecell.service({ mode = "mock", usage_file = folder .. "/none/a" })
      assert.is_nil(made)
      assert.equal("invalid_argument", err.kind)
      assert.truthy(err.message:find("usage_file", 1, true))
    end)

    it("are asked for by name, and mistakes are told #L02", function()
      for words, message in pairs({ ["usage"] = "CODECELL_USAGE_FILE",
        ["usage --by color x"] = '"color"', ["usage --format xml x"] = "csv, json and table",
        ["usage --histogram day x"] = "hour", ["metrics /dev/null/none"] = "/dev/null/none",
        ["usage --by day --suggest-limits x"] = "one of" }) do
        local told = codecell_command(words, "env -u CODECELL_USAGE_FILE")
        assert.equal(2, told.status, words)
        assert.truthy(told.stderr:find(message, 1, true), told.stderr)
      end
    end)
  end)

  describe("the counts", function()
    it("of failures are those of the last minute and the last hour #K04", function()
      local now = 0
      local service = new({ mode = "mock", clock = function() return now end,
        mock = { answers = function()
          return { error = { name = "E", value = "v", traceback = "" } }
        end } })
      service:execute("1")
      now = 59
      service:execute("1")
      assert.same({ runtime = 2 }, service:metrics().failures_last_minute)
      now = 100
      assert.same({ runtime = 1 }, service:metrics().failures_last_minute)
      assert.same({ runtime = 2 }, service:metrics().failures_last_hour)
      now = 4000
      assert.same({}, service:metrics().failures_last_hour)
    end)

    it("are three successes and one failure #K01", function()
      local service = new({})
      for _, code in ipairs({ "1", "2", "3", "1/0" }) do
        service:execute(code, { key = "k" })
      end
      local values = {}
      for _, row in ipairs(service:metrics().runs_total) do
        values[row.status] = row.value
      end
      assert.same({ succeeded = 3, failed = 1 }, values)
    end)

    it("show an idle sandbox as not used, and one at work as used #K03", function()
      local now = 0
      local service = new({ clock = function() return now end })
      codecell.assert(service:create({ key = "idle" }))
      now = 100
      assert.equal(0, service:stats().utilization)
      service:execute("import time; time.sleep(0.3)", { key = "idle" })
      local share = service:stats().utilization
      assert.is_true(share >= 0.003 and share < 0.5)
    end)
  end)

  describe("a pool", function()
    it("grows to its most while many are asked for, and shrinks again #L05", function()
      local pool = codecell.assert(codecell.pool({ size = 1, most = 3, idle = 3 }))
      codecell.assert(pool:wait(60))
      local taken = {}
      for i = 1, 10 do
        taken[i] = codecell.assert(codecell.create({ warm = true }))
      end
      assert.equal(3, pool:stats().wanted)
      wait_until(function()
        pool.demand:note() -- they are asked for, as long as it takes to make them
        return pool:stats().ready == 3
      end)
      for _, one in ipairs(taken) do
        one:close()
      end
      wait_until(function()
        return pool:stats().ready == 1 and pool:stats().wanted == 1
      end)
      pool:close()
    end)

    it("of a service has the ready ones that its configuration says #B05 #D16 #D21 #L05", function()
      local service = new({ pool_size = 3, pool_max = 4 })
      service:execute("1")
      wait_until(function()
        return service:stats().pool_ready == 3
      end)
      assert.equal(4, service.pool.demand.most)
      assert.equal("2", service:execute("1 + 1").text)
      assert.is_true(service.pool:stats().taken >= 1)
      assert.equal(0, service:stats().active)
    end)
  end)

  describe("long code", function()
    it("goes on while the program does, tells its progress, and gets more time #L10", function()
      local service = new({ max_execution_time = 60, sandbox_timeout = 5 })
      local job = codecell.assert(service:start([[
import os, time
print("begun", flush=True)
while not os.path.exists("/tmp/enough"):
    time.sleep(0.02)
print("over")
6 * 7]], { key = "long", owner = "ann", timeout = 2 }))
      assert.is_true(job:set_timeout(30))
      local ticks, output = 0, ""
      wait_until(function()
        ticks = ticks + 1
        output = output .. job:output()
        return output ~= ""
      end)
      assert.equal("begun\n", output)
      assert.is_false(job:poll())
      assert.is_true(service:list()[1].timeout >= 30)
      local done, err = job:wait(2.2) -- more than it had at first
      assert.is_nil(done)
      assert.equal("timeout", err.kind)
      service.roster:under("ann", "long").sandbox.files:write("/tmp/enough", "")
      local reply = codecell.assert(job:wait(60))
      assert.equal("42", reply.text)
      assert.equal("over\n", job:output())
      assert.equal("begun\nover\n", reply.output)
      assert.is_false(job:set_timeout(5))
      assert.is_false(job:kill())
    end)

    it("is given no more time than a call may ask for, and may be ended #L10", function()
      local service = new({ max_execution_time = 10 })
      local session = codecell.session({ user = "u", conversation = "c", service = service })
      local job = codecell.assert(session:start("import time\nprint(1)\ntime.sleep(9)"))
      local _, err = job:set_timeout(11)
      assert.equal("limit_exceeded", err.kind)
      wait_until(function() return job:output() ~= "" end)
      assert.is_true(job:kill())
      local reply = job:wait(60)
      assert.is_false(reply.success)
      assert.equal("2", session:run("1 + 1").text)
    end)

    it("ends at the time that it was given last, also in a program of its own #L10", function()
      local made = codecell.assert(new({}):create({}))
      for _, language in ipairs({ "python", "bash" }) do
        local run = codecell.assert(made:start_code(language == "bash" and "sleep 50"
          or "import time; time.sleep(50)", { language = language, timeout = 40 }))
        assert.is_true(run:set_timeout(0.2))
        assert.is_true(codecell.assert(run:wait(30)).timed_out)
      end
    end)
  end)

  it("create gives the sandbox its limits, network, mounts and folder #B23", function()
    local shared = folder .. "/shared"
    shell.run("mkdir -p " .. shared)
    shell.write(shared .. "/note", "hello")
    local service = new({})
    local made = codecell.assert(service:create({ cwd = "/tmp", network = { allow = {
      "example.com" } }, mounts = { { host = shared, path = "/mnt/shared", mode = "read" } },
      limits = { memory = 64 * 2 ^ 20, processes = 32 } }))
    local info = made:get_info()
    assert.equal(64 * 2 ^ 20, info.limits.memory.value)
    assert.equal(32, info.limits.processes.value)
    assert.equal("/tmp hello", made:run_code(
      "import os; print(os.getcwd(), open('/mnt/shared/note').read(), end='')").logs.stdout[1])
    local ran = made:run_code("open('/mnt/shared/note', 'w')")
    assert.truthy(ran.error)
    ran = made:run_code("import urllib.request\n"
      .. "urllib.request.urlopen('http://denied.example.org', timeout=5)")
    assert.truthy(ran.error)
    ran = made:run_code("x = bytearray(200 << 20)")
    assert.is_true(ran.out_of_memory or ran.error ~= nil)
    local _, err = service:create({ user = "nobody" })
    assert.equal("unsupported", err.kind)
  end)

  it("create that raises leaves no place taken", function()
    local service = new({ max_active_sandboxes = 1 })
    assert.has_error(function() service:create({ limits = { nonsense = 1 } }) end)
    assert.truthy(service:create({}))
  end)
end)
