local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local scenario = require "spec.support.host_scenario"
local shell = require "spec.support.shell"

local environment, why_not = host.environment "5.1"

local HTTP = [[
init_by_lua_block {
  codecell = require "codecell"
  require("codecell.host.openresty").attach()
  turns = 0
  local sandbox, err = codecell.create()
  in_init = tostring(sandbox) .. " " .. err.kind .. ": " .. err.message
}
server {
  listen LISTEN;
  location / { content_by_lua_block { turns = turns + 1 ngx.say("here") } }
  location /init { content_by_lua_block { ngx.say(in_init) } }
  location /work {
    content_by_lua_block {
      local scenario = require "spec.support.host_scenario"
      local line, id = scenario.work(function() return turns end)
      ngx.say(line)
      ngx.say("id ", id)
    }
  }
  location /keep {
    content_by_lua_block {
      kept = kept or codecell.assert(codecell.create())
      ngx.say(codecell.assert(kept:run_code("n = globals().get('n', 0) + 1; n")).text)
      ngx.say("id ", kept.id, " worker ", ngx.worker.pid())
    }
  }
  location /long {
    content_by_lua_block {
      local sandbox = codecell.assert(codecell.create())
      codecell.assert(sandbox:run_code("while True: pass", { timeout = 1 }))
      sandbox:close()
      ended = "id " .. sandbox.id
    }
  }
  location /ended { content_by_lua_block { ngx.say(ended) } }
  location /background {
    content_by_lua_block {
      local sandbox = codecell.assert(codecell.create())
      local said = {}
      local run = sandbox:start_code("print(1 + 1)", {
        on_stdout = function(text) said[#said + 1] = text end,
      })
      local thread = ngx.thread.spawn(function()
        return codecell.assert(sandbox.commands:run("echo beside")).stdout
      end)
      ngx.print(select(2, ngx.thread.wait(thread)))
      codecell.assert(run:wait())
      ngx.print(table.concat(said))
      sandbox:close()
    }
  }
  location /filter {
    content_by_lua_block {
      kept = kept or codecell.assert(codecell.create())
      ngx.say("body")
    }
    header_filter_by_lua_block {
      local result, err = kept:run_code("open('/tmp/never', 'w')")
      ngx.header.answer = tostring(result) .. " " .. err.kind .. ": " .. err.message
    }
  }
  location /service {
    content_by_lua_block {
      local service = codecell.assert(codecell.service { mode = "kernel", pool_size = 0,
        idle_timeout = 30000 })
      ngx.say(codecell.assert(service:execute("6 * 7")).text)
      service:close()
    }
  }
  location /timer {
    content_by_lua_block {
      local semaphore = require("ngx.semaphore").new(0)
      local text
      ngx.timer.at(0, function()
        local sandbox = codecell.assert(codecell.create())
        text = codecell.assert(sandbox:run_code("6 * 7")).text
        sandbox:close()
        semaphore:post(1)
      end)
      semaphore:wait(60)
      ngx.say(text)
    }
  }
}
]]

describe("the OpenResty adapter #hosts #slow", function()
  local server, reason

  setup(function()
    reason = why_not
    if environment then
      server, reason = nginx.start(HTTP, environment)
    end
  end)

  teardown(function()
    if server then
      server:stop()
    end
  end)

  local function example(name, called)
    it(name, function()
      if not server then
        return pending(reason)
      end
      called()
    end)
  end

  example("lets requests wait beside each other while the worker serves others", function()
    local line = ("for i in 1 2 3; do %s & done; for i in $(seq 40); do %s; sleep 0.02; done; wait")
      :format(server:line("/work"), server:line("/") .. " >/dev/null")
    local result = shell.run(line)
    assert.equal("", result.stderr)
    local left, count = result.stdout:gsub(scenario.expected .. "\n", "")
    assert.equal(3, count, result.stdout)
    assert.is_true(host.leaves_nothing(left))
  end)

  example("serves what runs in the background, and light threads", function()
    assert.equal("beside\n2\n", server:get("/background").stdout)
  end)

  example("waits in timers", function()
    assert.equal("42\n", server:get("/timer").stdout)
  end)

  example("is told by ngx.log what the service says, at the level that it says it #K14", function()
    assert.equal("42\n", server:get("/service").stdout)
    local log = server:log()
    for _, line in ipairs({ "info%] [^\n]*codecell: E2B Service initialized",
      "info%] [^\n]*codecell: Code execution completed successfully",
      "warn%] [^\n]*codecell: idle_timeout is in seconds" }) do
      assert.truthy(log:find(line), log)
    end
    assert.is_nil((shell.read(server.folder .. "/out") or ""):find("codecell", 1, true))
  end)

  example("refuses to wait where nginx does, before anything has begun", function()
    assert.equal("nil unsupported: create: nothing can wait in the phase init of nginx\n",
      server:get("/init").stdout)
    assert.truthy(server:get("/filter", "-i").stdout:find(
      "answer: nil unsupported: run_code: nothing can wait in the phase header_filter of nginx",
      1, true))
  end)

  example("goes on when a client does not wait for its answer", function()
    shell.run(("timeout 0.3 %s"):format(server:line("/long")))
    assert.equal("here\n", server:get("/").stdout)
    local text
    assert.is_true(server:eventually(function()
      text = server:get("/ended").stdout
      return text:find "^id "
    end))
    assert.is_true(host.leaves_nothing(text))
  end)

  example("ends its sandboxes and its own process with the worker #D23", function()
    local function relays()
      return tonumber(shell.run("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
        .. " | grep -c '^[c]odecell-relay'").stdout)
    end
    local before = server:get("/keep").stdout
    assert.truthy(relays() >= 1)
    for _, end_worker in ipairs {
      function() server:signal("HUP") end,
      function(worker) shell.run("kill -KILL " .. worker) end,
    } do
      local worker = before:match "worker (%d+)"
      end_worker(worker)
      local after
      assert.is_true(server:eventually(function()
        after = server:get("/keep").stdout
        return after:find "^1\n" and after:match "worker (%d+)" ~= worker
      end))
      assert.is_true(server:eventually(function()
        return nginx.living(before) == 0
      end))
      assert.equal(1, nginx.living(after))
      before = after
    end
    assert.is_nil(server:log():find("unknown process", 1, true), server:log())
  end)

  example("lets nginx quit, and leaves nothing #D23", function()
    local text = server:get("/keep").stdout
    local log = server:log()
    local ended = server:stop()
    server, reason = nil, "nginx has ended"
    assert.is_true(ended)
    assert.is_true(host.leaves_nothing(text))
    assert.is_nil(log:find("%[error%]"), log)
  end)

  it("does what the page about hosts shows", function()
    if not environment then
      return pending(why_not)
    end
    local page = shell.read "docs/hosts.md"
    local code = page:match "```nginx\n(.-)```"
    local one, why = nginx.start((code:gsub("listen 8080", "listen LISTEN")), environment)
    if not one then
      return pending(why)
    end
    local answer = one:get("/run", "-d '6 * 7'").stdout
    one:stop()
    assert.equal("42\n", answer)
  end)
end)
