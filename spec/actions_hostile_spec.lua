-- Models that err, loop and overreach: every request has its reply, and nobody gets at another's.
local cjson = require "cjson"
local codecell = require "codecell"
local fields = require "codecell.actions.fields"
local json = require "codecell.json"
local services = require "spec.support.services"
local shell = require "spec.support.shell"

describe("the actions, asked by models that do not know what they do #user", function()
  local make, service = services(before_each, after_each), nil

  local function new(given)
    given.mode = given.mode or "mock"
    service = make(given)
    return service
  end

  local function any(list)
    return list[math.random(#list)]
  end

  -- What a model may put anywhere: right, nearly right, and nonsense.
  local VALUES = { "", "a", "b", "same", "\0", "\255", "a\nb", ("x"):rep(5000), 0, 1, -1, 1e308,
    0 / 0, 1 / 0, 60, true, false, json.null, {}, { 1 }, { a = 1 }, { a = { b = {} } }, "../..",
    "1; rm -rf /", "print(1)", "/home/user/f", "base64", "i0123456789abcdefghij" }
  local NAMES = {}
  for _, action in ipairs(fields.actions) do
    for _, field in ipairs(action.fields) do
      NAMES[#NAMES + 1] = field.name
    end
  end

  local function request_of(session)
    local request = { action = any(fields.names), sessionId = session }
    for _ = 1, math.random(0, 6) do
      request[any(NAMES)] = any(VALUES)
    end
    if math.random() < 0.8 then
      request.sessionId = session
    end
    return request
  end

  local function check(reply)
    assert.equal("boolean", type(reply.success))
    assert.equal("string", type(reply.text))
    assert.equal(reply.success, reply.error == nil)
    local text = assert(json.encode(reply))
    assert.truthy(cjson.decode(text))
    return text
  end

  it("have a reply each, and no user is told of another, whatever is asked at once #F30 #F03 #I03",
    function()
      math.randomseed(11)
      new({ max_active_sandboxes = 6, max_concurrent_executions = 3 })
      local owners, replies, tasks = {}, {}, {}
      service:on("sandbox.create", function(about) owners[about.sandbox] = about.owner end)
      for worker = 1, 6 do
        local user = worker % 2 == 0 and "ann" or "ben"
        tasks[worker] = codecell.async(function()
          for turn = 1, 150 do
            replies[#replies + 1] = { user = user, text = check(codecell.actions.call(
              request_of("same"), { service = service, user = user })) }
            if turn % 40 == 0 then
              service.overrides.max_active_sandboxes = math.random(1, 6)
              assert.is_true(service:reload())
            end
          end
        end)
      end
      for _, task in ipairs(tasks) do
        assert.is_nil(select(2, task:wait(120)))
      end
      assert.equal(900, #replies)
      for _, one in ipairs(replies) do
        for id in one.text:gmatch('"sandboxId":"(i%w+)"') do
          assert.equal(one.user, owners[id], one.text)
        end
      end
      assert.equal(0, service.gate.busy)
      assert.equal(0, service.roster.coming)
      for _, entry in ipairs(service.roster:list()) do
        assert.equal(0, entry.users)
      end
    end)

  it("cannot fill the memory with a request of many small values #F30", function()
    local one = new({})
    local text = '{"action":"list_sandboxes","x":[' .. ("[],"):rep(1000000) .. "[]]}"
    local reply = cjson.decode(codecell.actions.call_json(text, { service = one }))
    assert.is_false(reply.success)
    assert.matches("no JSON", reply.error)
  end)

  it("cannot use an id of another's sandbox in any field #F03 #I03", function()
    new({ mode = "kernel" })
    local ann = { service = service, user = "ann" }
    local made = codecell.actions.call({ action = "create", sessionId = "s" }, ann)
    local started = codecell.actions.call({ action = "shell", sessionId = "s", background = true,
      command = "exec sleep 100" }, ann)
    assert.is_true(made.success and started.success)
    for _, action in ipairs(fields.names) do
      for _, session in ipairs({ "s", made.sandboxId }) do
        if action ~= "create" then
          local reply = codecell.actions.call({ action = action, sessionId = session, code = "1",
            command = "true", commandId = started.commandId, filePath = "/tmp/x", timeout = 1,
            fileContent = "", port = 1, sandboxId = made.sandboxId, owner = "ann", user = "ann" },
            { service = service, user = "eve" })
          assert.is_nil(check(reply):find('"sandboxId":"' .. made.sandboxId, 1, true))
        end
      end
    end
    assert.is_true(codecell.actions.call({ action = "command_list", sessionId = "s" },
      ann).commands[1].running)
  end)

  it("are told to wait when they loop, and when #B06 #I11", function()
    local now = 0
    new({ rate_limit_per_min = 5, clock = function() return now end })
    local ctx = { service = service, user = "ann" }
    codecell.actions.call({ action = "create", sessionId = "s" }, ctx)
    local refused
    for _ = 1, 50 do
      local reply = codecell.actions.call({ action = "execute", sessionId = "s", code = "1" }, ctx)
      refused = not reply.success and reply or refused
    end
    assert.equal("rate_limited", refused.kind)
    assert.equal(12, refused.retryAfter)
    assert.is_true(refused.retryable)
    assert.truthy(refused.text:find("wait", 1, true))
    assert.equal(5, #service:history())
  end)

  it("spend no more than their budget when they loop #L02", function()
    new({ prices = { paid = { "mock" }, cpu_second = 1000, gib_second = 0 }, budget = { usd = 10 },
      max_active_sandboxes = 100 })
    local ctx = { service = service, user = "ann" }
    local made, refused = 0, nil
    for i = 1, 20 do
      local reply = codecell.actions.call({ action = "create", sessionId = "s" .. i,
        timeout = 30 }, ctx)
      made, refused = made + (reply.success and 1 or 0), not reply.success and reply or refused
    end
    assert.equal(2, made) -- 30 minutes of two processors are 3.6
    assert.equal("budget", refused.kind)
    assert.is_false(refused.retryable)
    assert.equal("budget", codecell.actions.call({ action = "set_timeout", sessionId = "s1",
      timeout = 1440 }, ctx).kind)
  end)

  it("have a reply of the tools of coding agents, whatever they say #G19 #F30", function()
    math.randomseed(5)
    new({ max_active_sandboxes = 100 })
    local given_names = { "code", "timeout", "install_packages", "sandbox_id", "x" }
    for _ = 1, 500 do
      local given = math.random() < 0.95 and {} or any(VALUES)
      for _ = 1, type(given) == "table" and given ~= json.null and math.random(0, 4) or 0 do
        given[any(given_names)] = any(VALUES)
      end
      local ctx = { service = service, user = any({ "ann", "ben" }), details = true,
        session = any({ "s", nil }) }
      local ran = codecell.tools.cortex.execute_python_code(given, ctx)
      assert.equal("boolean", type(ran.success))
      assert.truthy(cjson.decode((assert(json.encode(ran)))))
      local about = codecell.tools.cortex.get_sandbox_info(given, ctx)
      assert.truthy(cjson.decode((assert(json.encode(about)))))
    end
    assert.equal(0, service.gate.busy)
  end)

  it("take no time that grows with what they send", function()
    new({})
    local ctx = { service = service, user = "ann" }
    local huge = ("x"):rep(4 * 1024 * 1024)
    local many = {}
    for i = 1, 20000 do
      many["name" .. i] = "v"
    end
    for _, request in ipairs({ { action = huge }, { action = "execute", sessionId = huge },
      { action = "create", sessionId = "s", [huge] = 1 }, { action = "create", sessionId = "s",
        envs = { [huge] = huge } }, { action = "execute", sessionId = "s", code = huge },
      { action = "shell", sessionId = "s", command = "true", envs = many }, many }) do
      local text = check(codecell.actions.call(request, ctx))
      assert.is_true(#text < 100000, #text)
    end
  end)
end)

describe("codecell actions #user", function()
  it("serves what it has started while no request comes #F23 #F24", function()
    local folder = shell.folder()
    shell.write(folder .. "/script", ([[
      mkfifo requests
      E2B_MODE=kernel CODECELL_LOG=none %s actions <requests >replies &
      exec 3>requests
      echo '{"action":"create","sessionId":"s"}' >&3
      echo '{"action":"start_server","sessionId":"s","port":8123,' \
        '"command":"exec python3 -m http.server 8123"}' >&3
      for i in $(seq 400); do
        host=$(sed -n 's/.*"host":"\([^"]*\)".*/\1/p' replies)
        [ "$host" ] && break
        sleep 0.05
      done
      curl -s -o page -w '%%{http_code}\n' --max-time 20 "http://$host/"
      exec 3>&-
      wait
    ]]):format(shell.codecell))
    local told = shell.run("cd " .. shell.quote(folder) .. " && sh script")
    local replies = shell.read(folder .. "/replies")
    shell.remove(folder)
    assert.equal("200\n", told.stdout, told.stderr .. replies)
  end)

  it("answers lines that are no requests, and goes on #F01 #F30", function()
    local told = shell.run("E2B_MODE=mock CODECELL_LOG=none " .. shell.codecell .. " actions",
      { stdin = ("x"):rep(17 * 1024 * 1024) .. "\n\0\255\n[[[[\n\n7\n"
        .. '{"action":"list_sandboxes"}' })
    local outcomes = {}
    for line in told.stdout:gmatch("[^\n]+") do
      outcomes[#outcomes + 1] = cjson.decode(line).success
    end
    assert.equal(0, told.status)
    assert.same({ false, false, false, false, true }, outcomes)
  end)
end)
