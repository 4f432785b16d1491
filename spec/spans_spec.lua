local cjson = require "cjson"
local codecell = require "codecell"
local wait_until = require "spec.support.wait_until"

describe("spans #K15", function()
  local told = {}

  setup(function()
    codecell.setup({ on_span = function(span) told[#told + 1] = span end })
  end)

  teardown(function()
    codecell.spans.tell_to(nil)
  end)

  before_each(function()
    told = {}
  end)

  local function named(name)
    wait_until(function()
      for _, span in ipairs(told) do
        if span.name == name then
          return true
        end
      end
    end)
    for _, span in ipairs(told) do
      if span.name == name then
        return span
      end
    end
  end

  it("tell what was done, in OpenTelemetry's shape", function()
    local sandbox = codecell.assert(codecell.create({}))
    codecell.assert(sandbox:run_code("6 * 7"))
    sandbox:close()
    local span = named "run_code"
    assert.truthy(span.trace_id:find("^%x+$") and #span.trace_id == 32)
    assert.truthy(span.span_id:find("^%x+$") and #span.span_id == 16)
    assert.equal(1, span.kind)
    assert.equal(1, span.status.code)
    assert.equal("python", span.attributes["codecell.language"])
    assert.equal(sandbox.id, span.attributes["codecell.sandbox.id"])
    assert.truthy(span.start_time_unix_nano:find("^%d+$") and #span.start_time_unix_nano == 19)
    assert.truthy(span.start_time_unix_nano <= span.end_time_unix_nano)
    assert.equal(sandbox.id, named("create").attributes["codecell.sandbox.id"])
  end)

  it("tell of failures of the code, of commands and of verbs", function()
    local sandbox = codecell.assert(codecell.create({}))
    codecell.assert(sandbox:run_code("1 / 0"))
    codecell.assert(sandbox.commands:run({ "sh", "-c", "exit 3" }))
    sandbox.files:read("nothing")
    sandbox:close()
    assert.equal(2, named("run_code").status.code)
    assert.equal("ZeroDivisionError", named("run_code").attributes["error.type"])
    assert.equal(3, named("command").attributes["process.exit.code"])
    assert.equal("not_found", named("files.read").attributes["error.type"])
  end)

  it("are parts of what asked for them: a service's execution, another program's trace", function()
    local sink = codecell.log.sink
    codecell.log.sink = function() end
    local service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0 }))
    local trace = ("ab"):rep(16)
    codecell.spans.within("00-" .. trace .. "-00f067aa0ba902b7-01", function()
      codecell.assert(service:execute("1", { owner = "ann" }))
    end)
    service:close()
    codecell.log.sink = sink
    local execute, run = named "execute", named "run_code"
    assert.equal(trace, execute.trace_id)
    assert.equal("00f067aa0ba902b7", execute.parent_span_id)
    assert.equal(trace, run.trace_id)
    assert.equal(execute.span_id, run.parent_span_id)
    assert.equal("ann", execute.attributes["enduser.id"])
    assert.is_nil(codecell.spans.current())
    assert.has_error(function() codecell.spans.within("nonsense", print) end)
  end)

  it("of code that goes on belong to where it was started", function()
    local sandbox = codecell.assert(codecell.create({}))
    local trace = ("cd"):rep(16)
    local run
    codecell.spans.within("00-" .. trace .. "-00f067aa0ba902b7-01", function()
      run = codecell.assert(sandbox:start_code("1"))
    end)
    codecell.assert(run:wait(60))
    sandbox:close()
    assert.equal(trace, named("run_code").trace_id)
  end)

  it("are sent to a collector as OTLP has it", function()
    local sandbox = codecell.assert(codecell.create({}))
    codecell.assert(sandbox:run_code("1 / 0"))
    sandbox:close()
    named "run_code"
    local text = codecell.assert(codecell.json.encode(codecell.spans.otlp(told,
      { ["service.name"] = "agent" })))
    local resource = cjson.decode(text).resourceSpans[1]
    assert.same({ key = "service.name", value = { stringValue = "agent" } },
      resource.resource.attributes[1])
    local scope = resource.scopeSpans[1]
    assert.equal("codecell", scope.scope.name)
    assert.equal(#told, #scope.spans)
    for _, span in ipairs(scope.spans) do
      assert.equal("string", type(span.startTimeUnixNano))
      assert.equal("table", type(span.attributes))
    end
    assert.truthy(text:find('"attributes":[', 1, true))
  end)

  it("that a listener cannot take are no failure of the verb", function()
    codecell.setup({ on_span = function() error("of the listener", 0) end })
    local sandbox = codecell.assert(codecell.create({}))
    local ok, problem = pcall(codecell.step, 0.01)
    codecell.setup({ on_span = function(span) told[#told + 1] = span end })
    assert.is_false(ok)
    assert.truthy(tostring(problem):find("of the listener", 1, true))
    assert.equal("1", codecell.assert(sandbox:run_code("1")).text)
    sandbox:close()
  end)
end)

describe("security events #I23 #K12", function()
  local heard

  local function box(given)
    heard = {}
    given.on_event = function(event)
      if event.class == "security" then
        heard[#heard + 1] = event
      end
    end
    return codecell.assert(codecell.create(given))
  end

  local function hears(sort)
    local found
    wait_until(function()
      for _, event in ipairs(heard) do
        found = event.sort == sort and event or found
      end
      return found
    end)
    return found
  end

  it("tell of what the network was refused, as I14 has it", function()
    local sandbox = box({ network = { allow = { "api.example.com" } } })
    codecell.assert(sandbox:run_code(
      "import urllib.request\nurllib.request.urlopen('http://169.254.169.254/')"))
    local event = hears "connect"
    assert.equal(sandbox.id, event.sandbox)
    assert.truthy(event.message:find("169.254.169.254", 1, true))
    sandbox:close()
  end)

  it("tell of limits that were hit", function()
    local sandbox = box({ limits = { output = 1024 } })
    codecell.assert(sandbox:run_code("import time\ntime.sleep(60)", { timeout = 0.2 }))
    assert.equal("timeout", hears("limit").limit)
    heard = {}
    codecell.assert(sandbox.commands:run("head -c 100000 /dev/zero | tr '\\0' x"))
    assert.equal("output", hears("limit").limit)
    heard = {}
    codecell.assert(sandbox.commands:run("sleep 60", { timeout = 0.2 }))
    assert.equal("timeout", hears("limit").limit)
    sandbox:close()
  end)

  it("tell of a secret that was masked in what code has shown", function()
    local sandbox = box({ secrets = { KEY = "sesame-open" } })
    codecell.assert(sandbox:run_code("1"))
    codecell.assert(sandbox:run_code("import os\nprint(os.environ['KEY'])"))
    local event = hears "redaction"
    assert.falsy(event.message:find("sesame", 1, true))
    assert.equal(1, #heard)
    sandbox:close()
  end)

  it("tell of a system call that nobody may make, where that ended the program", function()
    local sandbox = box({})
    -- 0x40000000 marks the numbers of x32, of which there are none.
    local result = codecell.assert(sandbox.commands:run({ "python3", "-c",
      "import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)" }))
    if result.signal ~= "SIGSYS" then
      sandbox:close()
      return pending "this architecture has no call that ends a program"
    end
    assert.truthy(hears("syscall").message:find("system call", 1, true))
    sandbox:close()
  end)

  it("tell of what a policy has denied", function()
    local policy = codecell.policy.new({ mode = "auto", rules = { { "deny", verb = "shell" } } })
    local sandbox = box({ policy = policy })
    sandbox.commands:run("true")
    assert.equal("shell", hears("policy").verb)
    sandbox:close()
  end)

  it("of a service are heard by service:on, with their owner", function()
    local sink = codecell.log.sink
    codecell.log.sink = function() end
    local service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0,
      allowed_languages = { "python" } }))
    heard = {}
    service:on("security", function(event) heard[#heard + 1] = event end)
    service:execute("import urllib.request\nurllib.request.urlopen('http://169.254.169.254/')",
      { owner = "ann", create = { network = { allow = { "api.example.com" } } } })
    assert.equal("ann", hears("connect").owner)
    service:execute("1", { owner = "bob", language = "lua" })
    assert.equal("bob", hears("policy").owner)
    service:close()
    codecell.log.sink = sink
  end)
end)
