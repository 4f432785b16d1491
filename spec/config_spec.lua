-- What counts: a call, the program, the environment, a file, the defaults.
local json = require "cjson"
local shell = require "spec.support.shell"

describe("codecell.config", function()
  local folder

  setup(function()
    folder = shell.folder()
  end)

  teardown(function()
    shell.remove(folder)
  end)

  -- What a program prints that has these variables and no other of a setting.
  local function run(variables, code)
    local keep = {}
    for _, name in ipairs { "PATH", "HOME", "LUA_PATH", "LUA_CPATH", "LD_PRELOAD",
      "ASAN_OPTIONS", "UBSAN_OPTIONS" } do
      local value = os.getenv(name)
      keep[#keep + 1] = value and name .. "=" .. shell.quote(value) or nil
    end
    return shell.run(("env -i %s %s %s -e %s"):format(table.concat(keep, " "), variables,
      shell.lua, shell.quote('local codecell = require "codecell"; ' .. code)),
      { folder = folder })
  end

  local function value(variables, expression)
    local result = run(variables, "print(" .. expression .. ")")
    assert.equal("", result.stderr)
    return (result.stdout:gsub("\n$", ""))
  end

  it("has the documented defaults #B05 #B07 #B08 #B04 #B13", function()
    local names = { "pool_size", "rate_limit_per_min", "execution_timeout", "max_output_length",
      "local_use_docker", "max_retries", "environment" }
    local parts = {}
    for i, name in ipairs(names) do
      parts[i] = "c." .. name
    end
    assert.equal("2\t20\t30\t10000\ttrue\t3\tdevelopment", value("",
      "(function() local c = codecell.config(); return " .. table.concat(parts, ", ")
      .. " end)()"))
  end)

  it("reads each variable, in its own unit #B02 #B04 #B06 #B07 #B09 #B12", function()
    assert.equal("local", value("E2B_MODE=local", "codecell.config().mode"))
    assert.equal("false", value("E2B_LOCAL_USE_DOCKER=false",
      "codecell.config().local_use_docker"))
    assert.equal("7", value("E2B_RATE_LIMIT_PER_MIN=7", "codecell.config().rate_limit_per_min"))
    assert.equal("0.5", value("E2B_EXECUTION_TIMEOUT=500",
      "codecell.config().execution_timeout"))
    assert.equal("test", value("E2B_ENVIRONMENT=test", "codecell.config().environment"))
    assert.equal("1", value("E2B_TIMEOUT=1000",
      "('%g'):format(codecell.config().execution_timeout)"))
  end)

  it("takes the first of two names, and warns if they differ #B12", function()
    local both = "E2B_EXECUTION_TIMEOUT=2000 E2B_TIMEOUT=3000"
    assert.equal("2", value(both, "('%g'):format(codecell.config().execution_timeout)"))
    assert.equal("E2B_EXECUTION_TIMEOUT and E2B_TIMEOUT say different things; "
      .. "E2B_EXECUTION_TIMEOUT counts", value(both, "codecell.config().warnings[1]"))
    assert.equal("nil", value("E2B_EXECUTION_TIMEOUT=2000 E2B_TIMEOUT=2000",
      "codecell.config().warnings[1]"))
  end)

  it("chooses production with a key, mock without, and says that nobody chose #B03 #C04 #M02 #M07",
    function()
      local shown = "codecell.config().mode, codecell.config().is_chosen"
      assert.equal("mock\tfalse", value("", shown))
      assert.equal("production\tfalse", value("E2B_API_KEY=e2b_ab", shown))
      assert.equal("mock\ttrue", value("E2B_API_KEY=e2b_ab E2B_MODE=mock", shown))
      assert.equal("kernel\ttrue", value("E2B_MODE=kernel", shown))
    end)

  it("prefers argument to program, environment, file and default #A07 #B21", function()
    shell.write(folder .. "/.env", "E2B_SANDBOX_POOL_SIZE=3\nE2B_MAX_RETRIES=4\n")
    local read = "codecell.config.dotenv '.env'; "
    local size = "print(codecell.config().pool_size)"
    assert.equal("2\n", run("", size).stdout)
    assert.equal("3\n", run("", read .. size).stdout)
    assert.equal("4\n", run("E2B_SANDBOX_POOL_SIZE=4", read .. size).stdout)
    assert.equal("5\n", run("E2B_SANDBOX_POOL_SIZE=4",
      read .. "codecell.setup { pool_size = 5 } " .. size).stdout)
    assert.equal("6\n", run("E2B_SANDBOX_POOL_SIZE=4",
      read .. "codecell.setup { pool_size = 5 } print(codecell.config { poolSize = 6 }.pool_size)")
      .stdout)
    assert.equal("9\t4\n", run("E2B_SANDBOX_POOL_SIZE=4", read .. [[
      codecell.setup { settings = function(name) return name == "pool_size" and 9 or nil end }
      print(codecell.config().pool_size, codecell.config().max_retries)]]).stdout)
  end)

  it("reads no file unless told to #A06", function()
    shell.write(folder .. "/.env", "E2B_MODE=local\n")
    assert.equal("mock", value("", "codecell.config().mode"))
  end)

  it("reads files as they are written, comments after values too #A06 #A07", function()
    shell.write(folder .. "/.env", table.concat({
      "# for production", "", "E2B_MODE=production   # Options: mock, local, production",
      "export E2B_TEMPLATE_ID='a # b'", 'E2B_DOMAIN="x.test"\r',
      "E2B_SANDBOX_METADATA={\"team\":\"a\"}", "E2B_API_URL = http://x.test#y",
    }, "\n"))
    assert.equal("production\ta # b\tx.test\ta\thttp://x.test#y\n", run("", [[
      codecell.config.dotenv ".env"
      local c = codecell.config()
      print(c.mode, c.template, c.domain, c.metadata.team, c.api_url)]]).stdout)
  end)

  it("says where a file is wrong, and which is not there #A06", function()
    shell.write(folder .. "/.env", "A=1\nB='x\n\nC=2")
    local found = value("", "select(2, codecell.config.dotenv '.env')")
    assert.equal(".env: line 2: the quote is not closed", found)
    shell.write(folder .. "/.env", "A=1\n\nwhat is this\n")
    assert.equal(".env: line 3: NAME=value expected",
      value("", "select(2, codecell.config.dotenv '.env')"))
    assert.equal("not_found", value("", "select(2, codecell.config.dotenv 'none').kind"))
  end)

  it("never shows a key #B01", function()
    assert.equal("***\t***", value("E2B_API_KEY=e2b_abcdef",
      "codecell.config().api_key, 'k' .. codecell.config().api_key == 'k***' and '***'"))
    local shown = shell.run(shell.codecell .. " config; " .. shell.codecell .. " config --json")
    assert.equal(0, shown.status)
    local hidden = shell.run("export E2B_API_KEY=e2b_abcdef; " .. shell.codecell .. " config; "
      .. shell.codecell .. " config --json; " .. shell.codecell .. " config --markdown")
    assert.is_nil(hidden.stdout:find("abcdef", 1, true))
    assert.truthy(hidden.stdout:find("***", 1, true))
    assert.equal("e2b_abcdef", value("E2B_API_KEY=e2b_abcdef",
      "codecell.config().api_key:reveal()"))
  end)

  it("tells all that is wrong at once, by the names of the variables #B20", function()
    local text = value("E2B_SANDBOX_POOL_SIZE=-1 E2B_MODE=cloud E2B_SANDBOX_METADATA=[1",
      "select(2, codecell.config())")
    assert.truthy(text:find('E2B_SANDBOX_POOL_SIZE: a whole number, at least 0', 1, true))
    assert.truthy(text:find("E2B_MODE: one of mock, local, production", 1, true))
    assert.truthy(text:find("E2B_SANDBOX_METADATA: an object of JSON", 1, true))
    assert.truthy(text:find("(3 problems)", 1, true))
    assert.equal("nil\t1", value("", "(function() local ok, list = codecell.config.validate "
      .. "{ pool_size = 1.5 } return ok, #list end)()"))
    assert.equal("true", value("", "codecell.config.validate { pool_size = 1 }"))
  end)

  it("names the nearest of an unknown setting #B20", function()
    assert.truthy(value("", "select(2, codecell.config { poolsize = 2 })")
      :find("unknown setting poolsize; did you mean pool_size?", 1, true))
    assert.truthy(run("", "codecell.setup { pol_size = 2 }").stderr
      :find("unknown setting pol_size; did you mean pool_size?", 1, true))
  end)

  it("doubts a time in another document's unit #B07", function()
    assert.equal("E2B_TIMEOUT is in milliseconds: 30 of them; did you mean 30000?",
      value("E2B_TIMEOUT=30", "codecell.config().warnings[1]"))
    assert.equal("execution_timeout is in seconds: 30000 of them; did you mean 30?",
      value("", "codecell.config { execution_timeout = 30000 }.warnings[1]"))
  end)

  it("is read anew by each call, and what it gave stays as it was #N26", function()
    assert.equal("2\t2\t5\tfalse\n", run("", [[
      local first = codecell.config()
      codecell.setup { pool_size = 5 }
      print(first.pool_size, first.pool_size, codecell.config().pool_size,
        (pcall(function() first.pool_size = 1 end)))]]).stdout)
  end)

  it("gives the profile of the environment where nobody says else #B09", function()
    assert.equal("5\t60", value("E2B_ENVIRONMENT=production",
      "codecell.config().pool_size, codecell.config().rate_limit_per_min"))
    assert.equal("3", value("E2B_ENVIRONMENT=production E2B_SANDBOX_POOL_SIZE=3",
      "codecell.config().pool_size"))
  end)

  it("finds the variables that are for the code, and no other #B14", function()
    assert.equal("s3cr3t\tnil", value("E2B_CODE_EV_K=s3cr3t E2B_CODE_EV_=x OTHER=y",
      "(function() local h = codecell.config.hidden(codecell.config()) "
      .. "return h.K, h[''] or h.OTHER end)()"))
  end)

  it("describes every setting with its source #B17", function()
    local told = shell.run("E2B_MODE=local " .. shell.codecell .. " config --json")
    local list = json.decode(told.stdout)
    local by_name = {}
    for _, one in ipairs(list) do
      by_name[one.name] = one
    end
    assert.equal("environment", by_name.mode.source)
    assert.equal("E2B_MODE", by_name.mode.variable)
    assert.equal("default", by_name.pool_size.source)
    assert.same({ "E2B_EXECUTION_TIMEOUT", "E2B_TIMEOUT" },
      by_name.execution_timeout.variables)
  end)

  it("is shown by the command, which fails with all that is wrong #B17 #B20", function()
    local good = shell.run(shell.codecell .. " config")
    assert.equal(0, good.status)
    assert.truthy(good.stdout:find("pool_size%s+2%s+default%s+E2B_SANDBOX_POOL_SIZE"))
    local bad = shell.run("E2B_SANDBOX_POOL_SIZE=-1 E2B_MAX_RETRIES=x " .. shell.codecell
      .. " config")
    assert.equal(2, bad.status)
    assert.truthy(bad.stderr:find("E2B_SANDBOX_POOL_SIZE", 1, true))
    assert.truthy(bad.stderr:find("E2B_MAX_RETRIES", 1, true))
  end)

  it("is shown by the command with the file that it is given #A06", function()
    shell.write(folder .. "/.env", "E2B_SANDBOX_POOL_SIZE=4\n")
    local told = shell.run(shell.codecell .. " config --dotenv .env", { folder = folder })
    assert.truthy(told.stdout:find("pool_size%s+4%s+dotenv"))
  end)

  it("lists no setting that nothing reads #B17", function()
    local settings = require "codecell.config.settings"
    local text = shell.run("find lua/codecell -name '*.lua' ! -path '*/config/*' "
      .. "-exec cat {} +", { folder = "." }).stdout .. shell.read "lua/codecell/config.lua"
    for _, setting in ipairs(settings.list) do
      local is_read = text:find("[%w_]%." .. setting.name .. "%f[^%w_]")
        or text:find('of%("' .. setting.name .. '"%)')
      assert.equal(not setting.is_ignored, is_read ~= nil, setting.name)
      assert.equal(setting.is_ignored == true, setting.help:find("without effect", 1, true) ~= nil)
    end
  end)

  it("has every variable in the page about the service or in codecell config #B17", function()
    local told = shell.run(shell.codecell .. " config --markdown").stdout
    for _, setting in ipairs(require("codecell.config.settings").list) do
      for _, variable in ipairs(setting.variables) do
        assert.truthy(told:find("`" .. variable .. "`", 1, true), variable)
      end
    end
  end)

  it("lists the templates that it has #B19", function()
    local told = shell.run(shell.codecell .. " config --templates")
    assert.equal(0, told.status)
    assert.truthy(told.stdout:find("codecell template ls", 1, true))
    local text = value("", "select(2, codecell.config { templates = { x = { imag = 'y' } } })")
    assert.truthy(text:find("templates: ", 1, true))
  end)
end)

describe("codecell run #user", function()
  local function run(variables, words)
    return shell.run(("env -u E2B_API_KEY -u E2B_MODE %s %s run %s"):format(variables,
      shell.codecell, words))
  end

  it("lets code run as long as the variable says, where --timeout says nothing #B07", function()
    local stopped = run("E2B_EXECUTION_TIMEOUT=500", "-c 'while True: pass'")
    assert.equal(124, stopped.status)
    assert.truthy(stopped.stderr:find("longer than 0.5 s", 1, true))
    assert.equal(0, run("E2B_EXECUTION_TIMEOUT=100",
      "--timeout 60 -c 'import time; time.sleep(0.3)'").status)
  end)

  it("gives code the hidden variables, masked in what it prints #B14", function()
    local code = "-c 'import os; print(os.environ[\"K\"], len(os.environ[\"K\"]))'"
    for _, mode in ipairs({ "", "--mode local " }) do
      assert.equal("*** 6\n", run("E2B_CODE_EV_K=s3cr3t", mode .. code).stdout)
    end
    assert.equal("mine 4\n", run("E2B_CODE_EV_K=s3cr3t", "--env K=mine " .. code).stdout)
  end)

  it("is in the cloud where a key or a mode says so, and here without #B03 #B22", function()
    assert.equal("1\n", run("", "-c 'print(1)'").stdout)
    local without = run("E2B_MODE=production", "-c 1")
    assert.equal(125, without.status)
    assert.truthy(without.stderr:find("No E2B_API_KEY provided", 1, true))
    local key = ("E2B_MAX_RETRIES=0 E2B_API_URL=http://127.0.0.1:9 E2B_API_KEY=e2b_%s"):format(
      ("0"):rep(40))
    local with = run(key, "-c 1")
    assert.equal(125, with.status)
    assert.truthy(with.stderr:find("Sandbox creation failed", 1, true))
    assert.equal("1\n", run(key .. " E2B_MODE=local", "-c 'print(1)'").stdout)
    assert.equal("1\n", run(key, "--backend local -c 'print(1)'").stdout)
  end)

  it("says what is wrong with the configuration, and runs nothing #B20", function()
    local told = run("E2B_MODE=cloud E2B_MAX_RETRIES=x", "-c 'print(1)'")
    assert.equal(2, told.status)
    assert.equal("", told.stdout)
    assert.truthy(told.stderr:find("E2B_MODE: one of", 1, true))
    assert.truthy(told.stderr:find("E2B_MAX_RETRIES", 1, true))
  end)
end)
