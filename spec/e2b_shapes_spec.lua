local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"

-- What may stand in the place of anything else.
local WRONG = { json.null, true, 5, -1.5, 1e300, "", "x", "\0\195\169", json.list {},
  { a = json.list { 1 } }, json.list { json.null, "y" } }

-- All that a value becomes when one place in it holds something wrong, or nothing.
local function variants(value)
  local list = {}
  for _, wrong in ipairs(WRONG) do
    list[#list + 1] = wrong
  end
  if type(value) ~= "table" or value == json.null then
    return list
  end
  for key, item in pairs(value) do
    local found = variants(item)
    for i = 0, #found do
      local one = json.is_list(value) and json.list() or {}
      for name, other in pairs(value) do
        one[name] = other
      end
      one[key] = found[i]
      list[#list + 1] = one
    end
  end
  return list
end

local function bodies_of(value, encode)
  local list = {}
  for i, one in ipairs(variants(value)) do
    list[i] = encode(one)
  end
  return list
end

local function as_json(value)
  return type(value) == "table" and json.encode(value) or (json.encode { value = value })
end

local function as_stream(value)
  local pieces = {}
  for _, event in ipairs(type(value) == "table" and value or { value }) do
    pieces[#pieces + 1] = e2b.envelope(type(event) == "table" and event or { event = event })
  end
  return table.concat(pieces) .. e2b.envelope({}, 2)
end

local function as_lines(value)
  local pieces = {}
  for _, line in ipairs(type(value) == "table" and value or { value }) do
    pieces[#pieces + 1] = json.encode(type(line) == "table" and line or { type = line })
  end
  return table.concat(pieces, "\n") .. '\n{"type":"end_of_execution"}\n'
end

-- That fields have their types, or are not there.
local function check(value, fields)
  for name, kind in pairs(fields) do
    local found = value[name]
    assert.truthy(found == nil or type(found) == kind, name .. " is " .. tostring(found))
  end
end

local INFO = { id = "string", template = "string", state = "string", started_at = "number",
  end_at = "number", timeout = "number", metadata = "table", limits = "table",
  envd_version = "string" }
local ENTRY = { path = "string", name = "string", type = "string", size = "number",
  mode = "number", permissions = "string", owner = "string", group = "string",
  modified_time = "number", symlink_target = "string", metadata = "table" }

local ENTRY_GIVEN = { name = "a", path = "/home/user/a", type = "FILE_TYPE_FILE", size = "5",
  mode = 420, permissions = "-rw-r--r--", owner = "user", group = "user",
  modifiedTime = "2026-08-01T10:00:00Z", symlinkTarget = "/x", metadata = { a = "b" } }

describe("values of the wrong type, from a server", function()
  local server, sandbox
  setup(function()
    server = e2b.start()
    server:script(e2b.rules())
    sandbox = codecell.assert(codecell.create(server:options { max_retries = 0 }))
    sandbox:detach()
  end)
  teardown(function() server:stop() end)

  -- Every variant of an answer: the call gives what it should, or an error.
  local function try(method, path, value, call, fields, encode)
    local bodies = bodies_of(value, encode or as_json)
    server:script(e2b.rules({ method = method, path = path, bodies = bodies }))
    for i = 1, #bodies do
      local found, err = call()
      if found == nil then
        assert.equal("string", type(err.kind), bodies[i])
        assert.falsy(err.kind == "unavailable", bodies[i] .. err.message)
      elseif type(found) == "table" then
        check(found, fields or {})
      end
    end
  end

  it("break nothing in what is known of sandboxes", function()
    local bodies = bodies_of(e2b.record { trafficAccessToken = "t", domain = "x.y" }, as_json)
    server:script({ { method = "POST", path = "^/sandboxes$", status = 201, bodies = bodies },
      { method = "DELETE", path = ".", status = 204 } })
    for _ = 1, #bodies do
      local made, err = codecell.create(server:options())
      assert.truthy(made or err.kind == "protocol" or err.kind == "unsupported")
      if made then
        assert.truthy(made.id:find "^[%w-]+$")
        made:detach()
      end
    end
    local detail = e2b.detail { alias = "x", network = { allowOut = json.list { "a" },
      denyOut = json.list { "b" } }, lifecycle = { autoResume = true, onTimeout = "pause" },
      allowInternetAccess = true }
    try("GET", "^/sandboxes/[^/]*$", detail, function() return sandbox:get_info() end, INFO)
    try("GET", "^/v2/sandboxes", json.list { detail }, function()
      local page, err = codecell.list(server:options())
      for _, info in ipairs(page or {}) do
        check(info, INFO)
      end
      return page, err
    end)
    try("GET", "/metrics$", json.list { { timestamp = "2026-08-01T10:00:00Z", cpuCount = 2,
      memUsed = 5 } }, function() return sandbox:get_metrics() end,
      { cpu_count = "number", memory_used = "number", disk_total = "number" })
    try("POST", "/snapshots$", { snapshotID = "a", names = json.list { "b" } },
      function() return sandbox:create_snapshot() end, { id = "string", names = "table" })
    try("POST", "/fork$", json.list { { sandbox = e2b.record() } }, function()
      local copy, err = sandbox:fork()
      return copy and copy:detach(), err
    end)
    try("POST", "/fork$", json.list { { error = { code = 404, message = "x" } } },
      function() return sandbox:fork() end)
  end)

  it("break nothing in what is known of files", function()
    try("POST", "Stat$", { entry = ENTRY_GIVEN },
      function() return sandbox.files:get_info("a") end, ENTRY)
    try("POST", "ListDir$", { entries = json.list { ENTRY_GIVEN } }, function()
      local list, err = sandbox.files:list("/home/user")
      for _, entry in ipairs(list or {}) do
        check(entry, ENTRY)
      end
      return list, err
    end)
    try("POST", "Move$", { entry = ENTRY_GIVEN },
      function() return sandbox.files:rename("a", "b") end, ENTRY)
    try("POST", "^/files", json.list { { path = "/a", name = "a", type = "file",
      metadata = { a = "b" } } }, function() return sandbox.files:write("a", "x") end, ENTRY)
  end)

  it("break nothing in commands and watchers", function()
    local RESULT = { stdout = "string", stderr = "string", exit_code = "number",
      signal = "string" }
    try("POST", "Start$", json.list { { event = { start = { pid = 5 } } },
      { event = { data = { stdout = "aGk=", stderr = "aGk=" } } },
      { event = { ["end"] = { exitCode = -1, exited = false, status = "signal: killed",
        error = "x" } } } }, function() return sandbox.commands:run("x") end, RESULT, as_stream)
    try("POST", "Start$", json.list { { event = { start = { pid = 5 } } },
      { error = { code = "internal", message = "x" } } },
      function() return sandbox.commands:run("x") end, RESULT, as_stream)
    try("POST", "List$", { processes = json.list { { pid = 5, tag = "a", config = { cmd = "a",
      args = json.list { "b" }, envs = { C = "d" }, cwd = "/" } } } }, function()
        local list, err = sandbox.commands:list()
        for _, one in ipairs(list or {}) do
          check(one, { pid = "number", cmd = "string", args = "table", envs = "table",
            cwd = "string", tag = "string" })
        end
        return list, err
      end)
    try("POST", "WatchDir$", json.list { { start = {} }, { filesystem = { name = "a",
      type = "EVENT_TYPE_CREATE", entry = ENTRY_GIVEN } } }, function()
        local watcher, err = sandbox.files:watch_dir("a")
        local event = watcher
        while watcher and event do
          event, err = watcher:read(5)
          if event then
            check(event, { name = "string", type = "string" })
          end
        end
        return event, err or { kind = "ended", message = "" }
      end, nil, as_stream)
  end)

  it("break nothing in code and contexts", function()
    local EXECUTION = { text = "string", results = "table", logs = "table", error = "table",
      execution_count = "number" }
    try("POST", "^/execute$", json.list { { type = "number_of_executions", execution_count = 3 },
      { type = "stdout", text = "a", timestamp = "x" }, { type = "stderr", text = "b" },
      { type = "result", text = "1", png = "aGk=", html = "<p>", json = { a = 1 },
        data = { a = json.list { 1 } }, chart = { type = "line", title = json.null,
          elements = json.list { { label = "a", points = json.list {} } } },
        is_main_result = true, extra = { ["x/y"] = "z" } },
      { type = "error", name = "E", value = "v", traceback = "t" } },
      function()
        local execution, err = sandbox:run_code("x")
        for _, result in ipairs(execution and execution.results or {}) do
          for _, format in ipairs(result:formats()) do
            assert.equal("string", type(format))
          end
        end
        return execution, err
      end, EXECUTION, as_lines)
    local context = { id = "5", language = "python", cwd = "/" }
    try("GET", "^/contexts$", json.list { context },
      function() return sandbox:list_code_contexts() end)
    try("POST", "^/contexts$", context, function() return sandbox:create_code_context() end,
      { id = "string", language = "string", cwd = "string" })
  end)
end)
