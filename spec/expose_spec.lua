-- Functions of the host that code inside calls.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local in_sandbox = require "spec.support.in_sandbox"
local one_sandbox = require "spec.support.one_sandbox"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local function run(sandbox, code, options)
  local execution = codecell.assert(sandbox:run_code(code, options))
  return table.concat(execution.logs.stdout), execution
end

-- What code prints, which must not fail.
local function printed(sandbox, code, options)
  local text, execution = run(sandbox, code, options)
  assert.is_nil(execution.error and execution.error.traceback)
  return text
end

local function has(language)
  for _, name in ipairs(codecell.languages.available()) do
    if name == language then
      return true
    end
  end
  return false
end

describe("sandbox:expose #user", function()
  local events, seen = {}, {}
  local the = one_sandbox(teardown, {
    on_event = function(event)
      if event.type == "call" then
        events[#events + 1] = event
      end
    end })

  local tools = {
    add = function(one, other) return one + other end,
    echo = function(...)
      seen = { n = select("#", ...), ... }
      return (...)
    end,
    search = function(text, options)
      return { text = text, limit = options and options.limit, found = codecell.json.list() }
    end,
    nothing = function() end,
    long = function(size) return ("x"):rep(size) end,
    none = function() return nil, "there is none" end,
    lost = function() return nil, { kind = "not_found", message = "no such page" } end,
    fail = function() error("no such luck") end,
    stumble = function() return seen.nobody.name end,
    pass_on = function()
      local _, problem = pcall(error, "spec/x.lua:1: no luck")
      error(problem)
    end,
    strange = function() return { print } end,
    sleep = function(seconds)
      local ended, err = the().commands:run({ "sleep", tostring(seconds) })
      if ended then
        return "slept"
      end
      return nil, err
    end,
  }

  local function sandbox()
    if not the()._exposed then
      run(the(), "1") -- so that its kernel was started before
      codecell.assert(the():expose("tools", tools, { timeout = 20 }))
    end
    return the()
  end

  it("is supported by the local backend, and by no other", function()
    assert.is_true(the():supports("expose"))
    in_sandbox({ backend = "mock" }, function(mock)
      local ok, err = mock:expose("tools", tools)
      assert.is_nil(ok)
      assert.equal("unsupported", err.kind)
      assert.is_false(mock:supports("expose"))
    end)
  end)

  it("gives Python functions to import, with positional and keyword arguments", function()
    assert.equal("5 None\n{'found': [], 'limit': 3, 'text': 'x'}\n", printed(sandbox(), [[
from host import tools
import host
print(tools.add(2, 3), tools.nothing())
print(dict(sorted(host.tools.search('x', limit=3).items())))]]))
  end)

  it("gives JavaScript and TypeScript functions that return promises", function()
    if not has "javascript" then
      return pending "there is no node"
    end
    assert.equal("5 null x 4950\n", printed(sandbox(), [[
import { tools } from "host";
const all = await Promise.all(Array.from({ length: 100 }, (_, i) => tools.add(i, 0)));
console.log(await tools.add(2, 3), await tools.nothing(),
  (await tools.search("x")).text, all.reduce((one, other) => one + other));]],
      { language = "javascript" }))
    assert.equal("5\n", printed(sandbox(), 'const { tools: later } = await import("host");'
      .. "console.log(await later.add(2, 3))", { language = "javascript" }))
    if has "typescript" then
      assert.equal("5\n", printed(sandbox(), [[
import { tools } from "host";
const sum: number = await tools.add(2, 3);
console.log(sum);]], { language = "typescript" }))
    end
  end)

  it("gives bash and every command a program that speaks JSON", function()
    local said = [[host tools.add 2 3; echo '"a b"' | host tools.echo -; host tools.fail; echo $?]]
    local expected = '5\n"a b"\n1\n'
    assert.equal(expected, printed(sandbox(), said, { language = "bash" }))
    local result = codecell.assert(sandbox().commands:run(said))
    assert.equal(expected, result.stdout)
    assert.equal("tools.fail: no such luck\n", result.stderr)
    assert.truthy(sandbox().commands:run("host").stdout:find('"tools":["add","echo"', 1, true))
  end)

  it("gives Lua a module", function()
    if not has "lua" then
      return pending "there is no Lua in the sandbox"
    end
    assert.equal("5\tnil\n1.5\tx\"\\\n\t\195\169\t0\nfalse\ttools.fail: no such luck\n",
      printed(sandbox(), [[
local host = require "host"
local tools = host.tools
print(tools.add(2, 3), tools.nothing())
local echo = tools.echo { n = 1.5, text = "x\"\\\n\t\195\169", list = {}, none = host.null }
print(echo.n, echo.text, #echo.list)
print(pcall(tools.fail))]], { language = "lua" }))
  end)

  it("gives programs that start later the same modules", function()
    assert.equal("5\n", sandbox().commands:run({ "python3", "-c",
      "from host import tools; print(tools.add(2, 3))" }).stdout)
    if has "javascript" then
      assert.equal("5\n", sandbox().commands:run({ "node", "-e",
        "require('host').tools.add(2, 3).then(console.log)" }).stdout)
    end
  end)

  it("can be called by HTTP from any language", function()
    assert.equal('200 {"found":[],"text":"x"}\n', printed(sandbox(), [[
import os, urllib.request
request = urllib.request.Request(os.environ['CODECELL_HOST_URL'] + '/tools/search', b'["x"]',
                                 {'Content-Type': 'application/json'})
with urllib.request.urlopen(request) as answer:
    print(answer.status, answer.read().decode())]]))
  end)

  it("keeps values of JSON what they are, both ways", function()
    local values = [=[[None, True, -1.5, 2**53, 'a"\\\n\u20ac\U0001f600', [], [1, [2]],
  {'a': None}]]=]
    assert.equal("True\n", printed(sandbox(), "from host import tools\nvalues = " .. values
      .. "\nprint(tools.echo(values) == values)"))
    printed(sandbox(), "tools.echo(None, 1, None)")
    assert.same({ n = 3, nil, 1 }, seen)
    printed(sandbox(), "tools.echo()")
    assert.same({ n = 0 }, seen)
  end)

  it("makes what a function raises an exception, with its message and no path", function()
    assert.equal("tools.fail: no such luck None\n"
      .. "tools.none: there is none None\ntools.lost: no such page not_found\n"
      .. "tools.strange: the result is no JSON: a function has no JSON None\n"
      .. "the host has no function tools.missing not_found\ntools.add: 1\n",
      printed(sandbox(), [[
from host import tools, HostError
for name in 'fail', 'none', 'lost', 'strange', 'missing':
    try:
        getattr(tools, name)()
    except HostError as error:
        print(error, error.kind)
try:
    tools.add(1)
except HostError as error:
    print('tools.add:', str(error).count('arithmetic'))]]))
    local text = printed(sandbox(), "try: tools.stumble()\nexcept HostError as e: print(e)")
    assert.truthy(text:find("tools.stumble: attempt to index", 1, true), text)
    assert.is_nil(text:find("spec", 1, true), text)
    text = printed(sandbox(), "try: tools.pass_on()\nexcept HostError as e: print(e)")
    assert.equal("tools.pass_on: no luck\n", text)
  end)

  it("shows an exception that nobody catches as the error of the cell", function()
    local _, execution = run(sandbox(), "tools.fail()")
    assert.equal("HostError", execution.error.name)
    assert.equal("tools.fail: no such luck", execution.error.value)
  end)

  it("tells on_event of each call", function()
    events = {}
    run(sandbox(), "tools.add(1, 2)\ntools.fail()")
    wait_until(function() return #events == 2 end)
    assert.equal("tools.add", events[1].name)
    assert.equal("[1,2]", events[1].arguments)
    assert.is_true(events[1].success)
    assert.equal(sandbox().id, events[1].sandbox)
    assert.is_false(events[2].success)
    assert.equal("tools.fail: no such luck", events[2].message)
  end)

  it("calls many functions at once, from threads, processes and languages, which may wait",
    function()
      assert.equal("40 slept\n", printed(sandbox(), [[
import threading, subprocess
answers = []
def work(number):
    for i in range(5):
        assert tools.add(number, i) == number + i
    answers.append(tools.sleep(0.2))
threads = [threading.Thread(target=work, args=(i,)) for i in range(38)]
program = 'from host import tools; print(tools.sleep(0.2))'
others = [subprocess.Popen(['python3', '-c', program], stdout=subprocess.PIPE) for i in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
answers += [other.communicate()[0].decode().strip() for other in others]
print(len(answers), ' '.join(set(answers)))]]))
    end)

  it("cancels a function when the cell that called it is stopped", function()
    for language, code in pairs { python = "from host import tools; tools.sleep(600)",
      javascript = 'import { tools } from "host"; await tools.sleep(600); console.log("after")' } do
      if has(language) then
        events = {}
        local _, execution = run(sandbox(), code, { language = language, timeout = 0.5 })
        assert.is_true(execution.timed_out)
        wait_until(function() return #events == 1 end)
        assert.equal("cancelled", events[1].kind)
      end
    end
    assert.equal("3\n", printed(sandbox(), "print(tools.add(1, 2))"))
    if has "javascript" then
      assert.equal("3\n", printed(sandbox(), "console.log(await tools.add(1, 2))",
        { language = "javascript" }))
    end
  end)

  it("refuses names that no language can write, and what is no function", function()
    for _, name in ipairs { "", "1a", "a-b", "a.b", "import", "__x", ("x"):rep(65) } do
      assert.has_error(function() the():expose(name, tools) end)
      assert.has_error(function() the():expose("tools", { [name] = print }) end)
    end
    assert.has_error(function() the():expose("tools", {}) end)
    assert.has_error(function() the():expose("tools", { x = 1 }) end)
    assert.has_error(function() the():expose("tools", tools, { policy = {} }) end)
    assert.has_error(function() the():expose("tools", tools, { rate = { per = 1 } }) end)
    assert.has_error(function() the():expose("tools", tools, { timeouts = 1 }) end)
  end)

  it("adds, replaces and takes back names while code goes on", function()
    sandbox()
    codecell.assert(the():expose("more", { name = function() return "one" end }))
    assert.equal("one\n", printed(the(), "from host import more; print(more.name())"))
    if has "javascript" then
      assert.equal("one\n", printed(the(), 'import { more } from "host";'
        .. ' console.log(await more.name())', { language = "javascript" }))
    end
    codecell.assert(the():expose("more", { name = function() return "two" end }))
    assert.same({ "name" }, the():get_info().exposed.more)
    assert.equal("two\n", printed(the(), "print(more.name())"))
    codecell.assert(the():expose("more", nil))
    codecell.assert(the():expose("more", nil))
    local _, execution = run(the(), "more.name()")
    assert.equal("the host has no function more.name", execution.error.value)
    codecell.assert(the():expose("tools", nil))
    _, execution = run(the(), "tools.add(1, 2)")
    assert.equal("HostError", execution.error.name)
    assert.equal("3\n", printed(sandbox(), "print(tools.add(1, 2))"))
    if has "javascript" then -- by another port than before
      assert.equal("3 8000000\n", printed(sandbox(), 'import { tools } from "host";'
        .. "const text = await tools.long(8000000);"
        .. "console.log(await tools.add(1, 2), text.length)", { language = "javascript" }))
    end
  end)

  it("does not lead to the host's other ports, nor from them here", function()
    local host, err = sandbox():get_host(sandbox()._exposed.port)
    assert.is_nil(host)
    assert.equal("unsupported", err.kind)
  end)
end)

describe("an exposed function", function()
  it("has a bounded time, and is told that it is over", function()
    in_sandbox({}, function(sandbox)
      local told
      codecell.assert(sandbox:expose("tools", { hang = function()
        local _, err = sandbox.commands:run("sleep 600", { timeout = 600 })
        told = err.kind
      end }, { timeout = 0.3 }))
      local _, execution = run(sandbox, "from host import tools\ntools.hang()")
      assert.equal("tools.hang: it took longer than 0.3 s", execution.error.value)
      wait_until(function() return told ~= nil end)
      assert.equal("cancelled", told)
    end)
  end)

  it("is called as often as its rate allows", function()
    in_sandbox({}, function(sandbox)
      local count = 0
      codecell.assert(sandbox:expose("tools", { count = function() count = count + 1 end },
        { rate = { calls = 3, per = 3600 } }))
      assert.equal("rate_limited\n", printed(sandbox, [[
from host import tools, HostError
try:
    for i in range(10): tools.count()
except HostError as error:
    print(error.kind)]]))
      assert.equal(3, count)
    end)
  end)

  it("is asked of a policy, whose reason the code is told #I21", function()
    in_sandbox({}, function(sandbox)
      local asked
      local policy = codecell.policy.new { mode = "auto", rules = {
        { "deny", verb = "expose", name = "tools.remove", because = "it cannot be undone" },
        { "ask", verb = "expose", name = "tools.send" } },
        approve = function(question)
          asked = question.code
          return "edit", '["changed"]'
        end }
      codecell.assert(sandbox:expose("tools", { remove = print, send = function(text)
        return text
      end }, { policy = policy }))
      local text = printed(sandbox, [[
from host import tools, HostError
try:
    tools.remove('x')
except HostError as error:
    print(error.kind, error)
print(tools.send('x'))]])
      assert.truthy(text:find("denied_by_policy tools.remove: it cannot be undone", 1, true), text)
      assert.truthy(text:find("\nchanged\n$"), text)
      assert.equal('["x"]', asked)
    end)
  end)

  it("is not called where the policy of its sandbox denies it, or who is asked does", function()
    local policy = codecell.policy.new { mode = "auto", rules = {
      { "deny", verb = "expose", name = "tools.remove", because = "it cannot be undone" } } }
    in_sandbox({ policy = policy }, function(sandbox)
      codecell.assert(sandbox:expose("tools", { remove = print, one = function() return 1 end }))
      assert.equal("1\ndenied_by_policy\n", printed(sandbox, [[
from host import tools, HostError
print(tools.one())
try:
    tools.remove()
except HostError as error:
    print(error.kind)]]))
    end)
    local asked
    policy = codecell.policy.new { mode = "auto", approve = function(question)
      asked = (asked or "") .. question.name .. question.code .. " "
      return asked:find("x", 1, true) and "reject" or "run"
    end, rules = { { "ask", verb = "expose", name = "tools.send" } } }
    in_sandbox({ policy = policy }, function(sandbox)
      codecell.assert(sandbox:expose("tools", { send = function() return 2 end,
        one = function() return 1 end }))
      assert.equal("1 2\ndenied_by_policy\n", printed(sandbox, [[
from host import tools, HostError
print(tools.one(), tools.send('y'))
try:
    tools.send('x')
except HostError as error:
    print(error.kind)]]))
      assert.equal('tools.send["y"] tools.send["x"] ', asked)
    end)
    policy = codecell.policy.new { mode = "locked" }
    in_sandbox({ policy = policy }, function(sandbox)
      local ok, err = sandbox:expose("tools", { one = print })
      assert.is_nil(ok)
      assert.equal("denied_by_policy", err.kind)
    end)
  end)

  it("is recorded before it is called, or not called #K11", function()
    local folder = shell.folder()
    local audit = codecell.assert(codecell.audit.open { path = folder .. "/audit.jsonl" })
    local calls = {}
    in_sandbox({ audit = audit }, function(sandbox)
      codecell.assert(sandbox:expose("tools", { add = function(one, other)
        return one + other
      end }))
      printed(sandbox, "from host import tools\ntools.add(1, 2)")
    end)
    codecell.assert(codecell.audit.read(folder .. "/audit.jsonl", function(record)
      if record.event == "call" then
        calls[#calls + 1] = record
      end
    end))
    shell.remove(folder)
    assert.equal(2, #calls)
    assert.same({ "before", "after" }, { calls[1].phase, calls[2].phase })
    assert.equal(calls[1].number, calls[2].of)
    assert.same({ 1, 2 }, { calls[1].content.arguments[1], calls[1].content.arguments[2] })
    assert.equal(3, calls[2].content.result)
  end)

  it("takes and gives no more than its limits", function()
    in_sandbox({}, function(sandbox)
      codecell.assert(sandbox:expose("tools", {
        size = function(text) return #text end, long = function(size) return ("x"):rep(size) end,
      }))
      assert.equal("1000000 8000000\nlimit_exceeded\nlimit_exceeded\nlimit_exceeded\n",
        printed(sandbox, [[
from host import tools, HostError
print(tools.size('x' * 1000000), len(tools.long(8000000)))
for call in (lambda: tools.size('x' * 1100000), lambda: tools.long(9000000),
             lambda: tools.size([0] * 100000)):
    try:
        call()
    except HostError as error:
        print(error.kind)]]))
    end)
  end)

  it("is reached whatever the network of its sandbox is", function()
    for _, network in ipairs { "open", { allow = { "example.com" } } } do
      in_sandbox({ network = network }, function(sandbox)
        codecell.assert(sandbox:expose("tools", { one = function() return 1 end }))
        assert.equal("1\n", printed(sandbox, "from host import tools\nprint(tools.one())"))
        assert.equal("1\n", sandbox.commands:run("host tools.one").stdout)
      end)
    end
  end)
end)

-- Bytes as they are, to the port that the functions are called at.
local RAW = [[
import os, socket
def connect():
    place = os.environ['CODECELL_HOST_URL'][7:].split(':')
    return socket.create_connection((place[0], int(place[1])), 100)
def send(data):
    peer = connect()
    try:
        peer.sendall(data)
    except OSError: # it was refused before it was all there
        pass
    return peer
def ask(head, body=b'', path='/tools/add', kind='application/json'):
    length = '' if 'Length' in head or 'Encoding' in head else 'Content-Length: %d\r\n' % len(body)
    return send(('POST %s HTTP/1.1\r\nHost: host\r\nContent-Type: %s\r\n%s%s\r\n' % (
        path, kind, length, head)).encode() + body).recv(12)[9:].decode()
]]

describe("the code of a sandbox", function()
  local count, the = 0, one_sandbox(teardown, {})

  local function sandbox()
    if not the()._exposed then
      codecell.assert(the():expose("tools", {
        add = function(one, other)
          count = count + 1
          return one + other
        end,
        sleep = function() return the().commands:run("sleep 600") and 1 end,
      }))
      printed(the(), RAW)
    end
    return the()
  end

  local function assert_well()
    assert.equal("3\n", printed(sandbox(), "from host import tools\nprint(tools.add(1, 2))"))
  end

  it("gets an answer of HTTP to whatever is no call #S001", function()
    assert.equal("404 404 404 403 400 400 400 400 413 400\n", printed(sandbox(), [[
print(ask('', b'[1, 2]', '/tools/none'), ask('', b'[1, 2]', '/../../etc/passwd'),
      ask('', b'[1, 2]', '/' + 'x' * 4000 + '/add'),
      ask('Origin: http://page.example\r\n', b'[1, 2]'), ask('', b'[1, 2]', kind='text/plain'),
      ask('', b'{"0": 1}'), ask('', b'[1, 2'), ask('', b'[' * 500 + b']' * 500),
      ask('', b'[' + b'1,' * 70000 + b'1]'), ask('', b'[1, 2]\xff\x00'))]]))
    assert_well()
  end)

  it("cannot break the host by bytes that are no request", function()
    printed(sandbox(), [[
import random
random.seed(1)
line = b'POST /tools/add HTTP/1.1\r\nHost: host\r\nContent-Type: application/json\r\n'
for data in (b'', b'\0' * 100, b'\xff' * 70000, b'\r\n' * 5000, b'GET ' + b'/' * 100000,
             line + b'Content-Length: -1\r\n\r\n',
             line + b'Content-Length: 99999999999999999999\r\n\r\n[',
             line + b'Content-Length: 2\r\nContent-Length: 6\r\n\r\n[1,2]',
             line + b'Transfer-Encoding: chunked\r\n\r\nzzzz\r\n[1,2]\r\n0\r\n\r\n',
             line + b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[1,2]',
             line + b'Content-Length: 100\r\n\r\n[1,', line + b'X: ' + b'y' * 100000 + b'\r\n\r\n',
             (line + b'Content-Length: 5\r\n\r\n[1,2]') * 50,
             b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', line.replace(b'\r', b'') + b'\n'):
    send(data)
for i in range(100):
    send(bytes(random.randrange(256) for _ in range(200)))
    send(line + bytes(random.choice(b'\r\n:;= 0a[]{}"') for _ in range(200)))]])
    assert_well()
  end)

  it("cannot keep others out by connections that say nothing", function()
    printed(sandbox(), [[
silent = [connect() for _ in range(200)]
for one in silent[:100]:
    one.sendall(b'POST /tools/add HTTP/1.1\r\nHost: host\r\nContent-Le')]])
    assert_well()
    printed(sandbox(), "[one.close() for one in silent]")
  end)

  it("leaves nothing behind by going away before the answer", function()
    printed(sandbox(), [[
import threading
body = b'[]'
request = (b'POST /tools/sleep HTTP/1.1\r\nHost: host\r\nContent-Type: application/json\r\n'
           b'Content-Length: 2\r\n\r\n[]')
for i in range(30):
    peer = connect()
    peer.sendall(request)
    if i % 2:
        peer.sendall(request) # unread there when it is closed
    peer.close()]])
    local exposed = sandbox()._exposed
    wait_until(function() return exposed.running == 0 and exposed.held == 0 end)
    assert_well()
  end)

  it("cannot fill the host's memory with answers that it does not read", function()
    codecell.assert(sandbox():expose("large", { text = function() return ("x"):rep(8e6) end }))
    local text = printed(sandbox(), [[
peers = []
for i in range(10):
    peer = connect()
    peer.sendall(b'POST /large/text HTTP/1.1\r\nHost: host\r\nContent-Type: application/json\r\n'
                 b'Content-Length: 2\r\n\r\n[]')
    peers.append(peer)
heads = [peer.recv(12) for peer in peers]
print(heads.count(b'HTTP/1.1 200'), heads.count(b'HTTP/1.1 503'))]])
    assert.equal("8 2\n", text)
    printed(sandbox(), "[peer.close() for peer in peers]")
    wait_until(function() return sandbox()._exposed.held == 0 end)
    assert_well()
  end)
end)

describe("what is exposed", function()
  it("costs no descriptor, task or sandbox after it has ended, with calls under way", function()
    local kinds = {}
    local function once(ends)
      local sandbox = codecell.assert(codecell.create())
      codecell.assert(sandbox:expose("tools", { sleep = function()
        kinds[#kinds + 1] = select(2, sandbox.commands:run("sleep 600")).kind
        return 1
      end, one = function() return 1 end }))
      local run_it = codecell.assert(sandbox:start_code("from host import tools\ntools.one()\n"
        .. "tools.sleep()"))
      wait_until(function() return sandbox._exposed.running == 1 end)
      local exposed = sandbox._exposed
      sandbox[ends](sandbox)
      run_it:wait()
      wait_until(function() return exposed.running == 0 and exposed.server:is_closed() end)
      sandbox:close()
      wait_until(function() return sandbox:_state() == "gone" end)
    end
    once("close")
    local before = attack.descriptors()
    for _, ends in ipairs { "close", "kill", "close" } do
      once(ends)
    end
    assert.is_true(attack.descriptors_fall_to(before))
    assert.equal(4, #kinds)
  end)

  it("does not keep a sandbox that nobody holds", function()
    local watched = setmetatable({}, { __mode = "v" })
    local function make()
      local sandbox = codecell.assert(codecell.create())
      codecell.assert(sandbox:expose("tools", { one = function() return 1 end }))
      assert.equal("1\n", sandbox.commands:run("host tools.one").stdout)
      watched[1] = sandbox
    end
    make()
    collectgarbage()
    collectgarbage()
    codecell.step(0)
    collectgarbage()
    assert.is_nil(watched[1])
  end)
end)

describe("docs/expose.md", function()
  local the = one_sandbox(teardown, {})

  it("shows what its code does", function()
    if not has "javascript" then
      return pending "there is no node"
    end
    local text = assert(shell.read "docs/expose.md")
    local pages = { cats = "Cats sleep.", dogs = "Dogs bark." }
    codecell.assert(the():expose("tools", {
      search = function() return codecell.json.list { "dogs" } end,
      add = function(one, other) return one + other end,
      fetch = function(name) return pages[name] or nil, "there is no page " .. name end,
    }))
    local report = codecell.assert(codecell.doctest.check(text,
      { sandbox = the(), host_lua = true }))
    for _, check in ipairs(report.checks) do
      assert.equal("passed", check.status, ("%d: %s %s"):format(check.line, check.why or "",
        check.diff or check.got or ""))
    end
    assert.equal(4, #report.checks)
  end)
end)

describe("examples/host_functions.lua", function()
  it("asks functions of its program in a loop, and is refused what a policy forbids", function()
    local result = shell.run(shell.lua .. " examples/host_functions.lua", { folder = "." })
    assert.equal("", result.stderr)
    assert.equal("ann 19.5\nbob 99\ncleo 310\nshop.order: there is no order 5\n"
      .. "shop.refund: only people refund\n7 calls\n", result.stdout)
  end)
end)
