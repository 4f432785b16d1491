-- Sandboxes that stay between commands: `codecell run --name`, and the program that keeps them.
local http = require "codecell.http"
local json = require "cjson"
local server = require "codecell.server"
local shell = require "spec.support.shell"
local wait = require "codecell.wait"

describe("codecell run --name #user #D26", function()
  local folder, socket

  setup(function()
    folder = shell.folder()
    socket = folder .. "/codecell/serve.sock"
  end)

  local function line(words)
    return ("XDG_RUNTIME_DIR=%s %s %s"):format(folder, shell.codecell, words)
  end

  local function run(words, options)
    return shell.run(line(words), options)
  end

  local function keepers()
    local pids = {}
    local found = shell.run("env -u LD_PRELOAD pgrep -f '[s]erve --unix " .. socket .. "'")
    for pid in found.stdout:gmatch("%d+") do
      pids[#pids + 1] = pid
    end
    return pids
  end

  local function end_keeper()
    for _, pid in ipairs(keepers()) do
      shell.run("kill -KILL " .. pid .. "; while kill -0 " .. pid .. " 2>/dev/null; do :; done")
    end
  end

  teardown(function()
    end_keeper()
    shell.remove(folder)
  end)

  it("keeps variables and files from one command to the next", function()
    local result = run "run --name a -c 'x = 1; open(\"kept\", \"w\").write(\"text\")'"
    assert.equal(0, result.status, result.stderr)
    result = run "run --name a -c 'print(x)'"
    assert.same({ 0, "1\n", "" }, { result.status, result.stdout, result.stderr })
    assert.equal("text\n", run("run --name a -l bash -c 'cat kept; echo'").stdout)
    assert.equal(1, run("run --name other -c 'x'").status)
    assert.equal(1, #keepers())
  end)

  it("freezes one, gives its files out, and lets it go on; all of it recorded #N14", function()
    local audit = folder .. "/audit.jsonl"
    local result = run(("run --name case --audit %s -c 'open(\"evidence\", \"w\").write(\"e\")'")
      :format(audit))
    assert.equal(0, result.status, result.stderr)
    result = run(("freeze case --files %s/files.tar"):format(folder))
    assert.equal(0, result.status, result.stderr)
    assert.equal("e", shell.run(("tar -xOf %s/files.tar evidence"):format(folder)).stdout)
    result = run "run --name case -c 1"
    assert.equal(125, result.status)
    assert.matches("frozen", result.stderr)
    assert.equal(0, run("freeze --undo case").status)
    assert.equal("1\n", run("run --name case -c 1").stdout)
    assert.equal(1, run("freeze nobody").status)
    assert.equal(0, run("freeze case").status)
    assert.equal(0, run("kill " .. run("ls").stdout:match "(i%w+) %d+ +%w+  case\n").status)
    assert.equal(1, run("freeze case").status) -- it is known to be gone
    assert.matches("freeze before", run("audit show " .. audit).stdout)
    assert.equal(0, run("audit verify " .. audit).status)
  end)

  it("streams output as it comes, and answers with the same statuses", function()
    local result = run("run --name a -c 'import sys, time\nprint(\"out\", flush=True)\n"
      .. "print(\"err\", file=sys.stderr, flush=True)\n1 / 0'")
    assert.equal(1, result.status)
    assert.equal("out\n", result.stdout)
    assert.matches("^err\n.*ZeroDivisionError", result.stderr)
    result = run "run --name a --timeout 0.3 -c 'while True: pass'"
    assert.equal(124, result.status)
    assert.matches("TimeoutError", result.stderr)
    assert.equal(2, run("run --name a --changes -c 1").status)
  end)

  it("interrupts code whose command has gone, and keeps its variables", function()
    run "run --name a -c 'y = 5'"
    local command = "env "
      .. line "run --name a -c 'import time\nprint(1, flush=True)\ntime.sleep(100)'"
    local result = shell.run(([[%s > %s/out & for i in $(seq 2000); do
      grep -q 1 %s/out && break; sleep 0.02; done; cat %s/out; kill -KILL $!]]):format(
      command, folder, folder, folder))
    assert.equal("1\n", result.stdout) -- long before the end
    assert.equal("5\n", run("run --name a -c 'y'").stdout)
  end)

  it("takes input, files, variables and options", function()
    shell.write(folder .. "/data.txt", "some data")
    local result = run(("run --name b --env A=1 --file %s/data.txt --stdin %s/data.txt -c %s")
      :format(folder, folder, shell.quote(
        "import os\nprint(os.environ['A'], open('data.txt').read(), input())")))
    assert.equal("1 some data some data\n", result.stdout, result.stderr)
    result = run "run --name b --network open -c 1"
    assert.equal(2, result.status)
    assert.matches("made with other options", result.stderr)
    result = shell.run(("cd %s && PWD=/ %s"):format(folder, -- as from programs that are no shell
      line "run --name b --file data.txt -c 'open(\"data.txt\").read()'"))
    assert.equal("some data\n", result.stdout, result.stderr)
    local execution = json.decode(run("run --name b --json -c 'print(1)\n2'").stdout)
    assert.same({ "1\n" }, execution.logs.stdout)
    assert.equal("2", execution.results[1].text)
  end)

  it("shows them in ls, and kill ends them by their names", function()
    run "run --name c -c 1"
    local id = run("ls").stdout:match("(i%w+) %d+ +%w+  c\n")
    assert.truthy(id)
    local found
    for _, one in ipairs(json.decode(run("ls --json").stdout)) do
      found = found or one.id == id and one.name
    end
    assert.equal("c", found)
    assert.equal(0, run("kill c").status)
    local result = run "kill c"
    assert.equal(1, result.status)
    assert.matches("no sandbox c of yours", result.stderr)
    assert.equal("no\n", run("run --name c -c 'print(\"x\" in globals() or \"no\")'").stdout)
  end)

  it("is one for all commands that begin at once", function()
    end_keeper() -- and what its socket was is in the way no more
    local result = shell.run("for i in 1 2 3 4; do " .. line "run --name d -c %s & done; wait"
      :format(shell.quote "n = globals().get('n', 0) + 1; print(n)") .. " 2>&1")
    local sum = 0
    for digit in result.stdout:gmatch("%d") do
      sum = sum + digit
    end
    assert.equal(10, sum, result.stdout)
    for _ = 1, 600 do -- who came too late ends, and takes its time
      if #keepers() == 1 then
        break
      end
      os.execute("sleep 0.1")
    end
    assert.equal(1, #keepers())
  end)

  it("has nothing of who started it", function()
    run "run --name a -c 1"
    local pid = keepers()[1]
    assert.equal("/\n", shell.run(("readlink /proc/%s/cwd"):format(pid)).stdout)
    assert.equal("/dev/null\n/dev/null\n/dev/null\n",
      shell.run(("for i in 0 1 2; do readlink /proc/%s/fd/$i; done"):format(pid)).stdout)
    assert.equal("600 700\n", shell.run(("echo $(stat -c %%a %s %s)"):format(socket,
      folder .. "/codecell")).stdout)
    local stat = shell.read(("/proc/%s/stat"):format(pid))
    assert.equal(pid, stat:match("%) %a %-?%d+ %d+ (%d+)")) -- it leads its session
  end)

  it("ends by itself when nobody asks for anything, with all that it keeps", function()
    local place = folder .. "/other/serve.sock"
    local result = run("serve --idle 0.3 --unix " .. place)
    assert.same({ 0, "listening on unix:" .. place .. "\n" }, { result.status, result.stdout })
    assert.is_nil(shell.read(place))
  end)

  it("answers E2B's API at the same socket, without a key, and stays while a sandbox is there",
  function()
    local path = folder .. "/api/serve.sock"
    os.execute(("mkdir -m 700 %s/api; %s > %s/api/out 2>&1 & echo $! > %s/api/pid"):format(folder,
      line("serve --idle 4 --unix " .. path), folder, folder))
    local function ask(words)
      return shell.run(("for i in $(seq 2000); do [ -S %s ] && break; sleep 0.02; done; curl -sS "
        .. "--max-time 60 --unix-socket %s %s"):format(path, path, words)).stdout
    end
    local made = json.decode(ask("http://localhost/sandboxes -H 'Content-Type: application/json' "
      .. "-d '{\"templateID\":\"base\",\"timeout\":30}'"))
    assert.equal(made.sandboxID, json.decode(ask "http://localhost/v2/sandboxes")[1].sandboxID)
    assert.matches('"text": ?"42"', ask(("http://localhost/execute -H 'E2b-Sandbox-Id: %s' -H "
      .. "'E2b-Sandbox-Port: 49999' -d '{\"code\":\"6 * 7\"}'"):format(made.sandboxID)))
    assert.equal("[]", ask "http://localhost/codecell/sandboxes")
    ask("-X DELETE http://localhost/sandboxes/" .. made.sandboxID)
    local pid = shell.read(folder .. "/api/pid"):match("%d+")
    assert.equal(0, shell.run("while kill -0 " .. pid .. "; do sleep 0.05; done")
      .status)
  end)

  it("refuses a folder that others can write to, and a second program at one socket", function()
    local place = shell.folder()
    shell.run(("chmod 755 %s; mkdir -m 777 %s/open"):format(place, place))
    local result = run("serve --unix " .. place .. "/open/serve.sock")
    assert.equal(125, result.status)
    shell.run(("mkdir %s/codecell && chmod 777 %s/codecell"):format(place, place))
    result = shell.run(("XDG_RUNTIME_DIR=%s %s run --name a -c 1"):format(place, shell.codecell))
    shell.remove(place)
    assert.equal(125, result.status)
    assert.matches("others may write to", result.stderr)
    run "run --name a -c 1"
    result = run("serve --unix " .. socket)
    assert.equal(125, result.status)
    assert.matches("is in use", result.stderr)
    assert.equal(2, run("serve all").status)
  end)

  it("keeps them whatever is wrong with a request", function()
    run "run --name a -c 'x = 7'"
    local client = assert(http.client({ socket = socket }))
    for _, body in ipairs({ "", "{", "[]", '{"name": "a"}', '{"name": "new", "options": []}' }) do
      local answer = assert(client:request({ url = "http://127.0.0.1/codecell/run",
        method = "POST", body = body }))
      answer:all(1024)
    end
    client:close()
    assert.equal("7\n", run("run --name a -c 'x'").stdout)
    assert.equal("1\n", run("run --name new -c 1").stdout)
  end)

  it("goes on when a command leaves that waits for a sandbox which another one makes", function()
    local is_let_go
    local cloud = assert(server.new(function(request)
      while not is_let_go do
        wait.turn()
      end
      request:reply(400, {}, "no")
    end))
    local path = folder .. "/held/serve.sock"
    finally(function()
      shell.run("kill -KILL $(cat " .. folder .. "/held/pid)")
    end)
    os.execute(("mkdir -m 700 %s/held; E2B_API_KEY=e2b_%s E2B_API_URL=http://127.0.0.1:%d %s "
      .. "> %s/held/out 2>&1 & echo $! > %s/held/pid"):format(folder, ("0"):rep(40),
      assert(cloud:listen({ port = 0 })).port, line("serve --unix " .. path), folder, folder))
    shell.run(("for i in $(seq 1000); do [ -S %s ] && break; sleep 0.02; done"):format(path))
    local client, other = assert(http.client({ socket = path })), http.client({ socket = path })
    local function ask(by, method, below, body)
      return assert(by:request({ url = "http://127.0.0.1/codecell/" .. below, method = method,
        body = body, timeout = 20 }))
    end
    local order = json.encode { name = "held", code = "MQ==", options = { backend = "e2b" } }
    local maker = ask(client, "POST", "run", order)
    ask(other, "POST", "run", order)
    other:close()
    for _ = 1, 3 do -- by which it has seen that
      assert.equal("[]", ask(client, "GET", "sandboxes"):all(1024))
    end
    is_let_go = true
    assert.matches('"problem"', maker:all(4096))
    client:close()
    cloud:close()
  end)

  it("leaves what is no socket where it is, and says when a path is too long", function()
    local place = folder .. "/kept/notes.txt"
    shell.run(("mkdir -m 700 %s/kept && echo text > %s"):format(folder, place))
    local result = run("serve --unix " .. place)
    assert.equal(125, result.status)
    assert.matches("is there, and no socket", result.stderr)
    assert.equal("text\n", shell.read(place))
    result = run("serve --unix " .. folder .. "/kept/" .. ("s"):rep(107))
    assert.equal(125, result.status)
    assert.matches("at most 107 bytes", result.stderr)
  end)
end)
