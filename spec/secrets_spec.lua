-- Secrets: code can use them, and nothing shows them.

local codecell = require "codecell"
local languages = require "codecell.languages"
local wait_until = require "spec.support.wait_until"

local KEY = "hunter2-correct-horse"
local SECRETS = { KEY = KEY, NUMBER = "987654321", TEXT = "two words\nand \"quotes\"" }

-- Every string in a value, joined.
local function strings_of(value, list)
  list = list or {}
  if type(value) == "string" then
    list[#list + 1] = value
  elseif type(value) == "table" then
    for key, item in pairs(value) do
      strings_of(key, list)
      strings_of(item, list)
    end
  end
  return table.concat(list, "\n")
end

local function assert_hidden(value, times)
  local text = strings_of(value)
  for _, secret in pairs(SECRETS) do
    assert.is_nil(text:find(secret, 1, true), text)
  end
  local _, count = text:gsub("%*%*%*", "")
  assert.is_true(count >= (times or 1), text)
end

describe("secrets #B14 #S115", function()
  local sandbox
  setup(function()
    sandbox = codecell.assert(codecell.create({ secrets = SECRETS, envs = { PLAIN = "visible" } }))
  end)
  teardown(function()
    sandbox:close()
  end)

  local function run(code, options)
    return codecell.assert(sandbox:run_code(code, options))
  end

  it("are in the environment of code and commands", function()
    assert.equal("21 visible", run("import os\nprint(len(os.environ['KEY']), os.environ['PLAIN'])")
      .logs.stdout[1]:match("^(.-)\n"))
    assert.equal("21\n", sandbox.commands:run("printf %s \"$KEY\" | wc -c").stdout)
  end)

  it("are hidden in base64 wherever they stand, in hexadecimal, in URLs and in JSON", function()
    local execution = run([[
import base64, json, os, urllib.parse
for name in ("KEY", "TEXT"):
    value = os.environ[name].encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in ("", "a", "ab", "user:", "{\"key\": \""):
            for after in ("", "z", "@host\"}"):
                print(name, len(before), encode(before.encode() + value + after.encode()).decode())
    print(value.hex(), value.hex().upper(), (b"<" + value + b">").hex())
    print(urllib.parse.quote(value), urllib.parse.quote_plus(value), json.dumps([value.decode()]))
]])
    local text, lines = strings_of(execution), 0
    for _, name in ipairs { "KEY", "TEXT" } do
      for before = 0, 9 do
        for line in text:gmatch(("%s %d ([^\n]*)"):format(name, before)) do
          lines = lines + 1
          -- what is left are the neighbours, and a character that they share with the value
          assert.truthy(line:find("***", 1, true), line)
          assert.truthy(#line <= 3 + 12 + 12 + 4, line)
        end
      end
    end
    assert.equal(2 * 2 * 5 * 3, lines)
    for _, secret in pairs(SECRETS) do
      assert.is_nil(text:find((secret:gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
      end)), 1, true))
    end
    assert_hidden(execution, 2 * (2 * 5 * 3 + 6))
  end)

  it("are hidden in wrapped base64 and hexadecimal, and across the borders of writes", function()
    local long = {}
    for i = 1, 40 do
      long[i] = ("line %d of a key;"):format(i * 7919 % 1000)
    end
    local value = table.concat(long)
    local other = codecell.assert(codecell.create({ secrets = { LONG = value } }))
    local execution = codecell.assert(other:run_code([[
import base64, os, sys, textwrap, time
value = os.environ["LONG"].encode()
print(base64.encodebytes(value).decode())
print(textwrap.fill(base64.b64encode(value).decode(), 64))
print(textwrap.fill(value.hex(), 60))
for i in range(0, len(value), 5):
    sys.stdout.write(base64.b64encode(value[i:]).decode()[:0] + value[i:i + 5].hex())
    sys.stdout.flush()
    time.sleep(0.001)
]]))
    other:close()
    for line in execution.logs.stdout[1]:gmatch("[^\n]+") do
      assert.truthy(line == "***" or #line < 8, line)
    end
  end)

  it("are hidden in what is printed, in results of every format, and in errors", function()
    local execution = run([[
import os, sys
key, number, text = (os.environ[name] for name in ("KEY", "NUMBER", "TEXT"))
print(key, number, text, repr(text), [text], sep="\n")
print("to be heard:", key, file=sys.stderr)
class Shown:
    def _repr_mimebundle_(self, **_):
        return {"text/plain": key, "text/html": "<b>" + key, "text/markdown": key,
                "application/json": {key: [int(number), key + "!", 1.5, None]},
                "application/x-own": key, "application/x-own+json": [key]}
display(Shown())
class Mishap(Exception): pass
Mishap.__name__ = key
raise Mishap(number, key)
]])
    assert_hidden(execution, 12)
    assert.equal("***\n***\n***\n'***'\n['***']\n", execution.logs.stdout[1])
    assert.equal("to be heard: ***\n", execution.logs.stderr[1])
    local result = execution.results[1]
    assert.same({ "***", "<b>***" }, { result.text, result.html })
    assert.same({ "***", "***!", 1.5 }, { result.json["***"][1], result.json["***"][2],
      result.json["***"][3] })
    assert.equal("***", execution.error.name)
  end)

  it("are hidden as the value of a cell, and in the names of files", function()
    local execution = run("open(key, 'w').close()\nkey")
    assert.equal("***", execution.text)
    assert.equal("/home/user/***", execution.files_changed[1].path)
    assert_hidden(execution, 3)
  end)

  it("are hidden across the borders of chunks, and the rest comes at the end", function()
    local chunks = {}
    local execution = run([[
import time
for letter in key + "-" + key[:7]:
    print(letter, end="", flush=True)
    time.sleep(0.001)
]], { on_stdout = function(chunk) chunks[#chunks + 1] = chunk end })
    assert.equal("***-hunter2", table.concat(chunks))
    assert.equal("***-hunter2", execution.logs.stdout[1])
  end)

  it("are hidden to callbacks of results and errors", function()
    local heard = {}
    local function hear(value)
      heard[#heard + 1] = value
    end
    run("display(key)\nraise ValueError(key)", { on_result = hear, on_error = hear })
    assert.equal(2, #heard)
    assert_hidden(heard, 3)
  end)

  it("are hidden in output that is too much to keep", function()
    local small = codecell.assert(codecell.create({ secrets = SECRETS,
      limits = { output = 1024 } }))
    local execution = codecell.assert(small:run_code(
      "import os\nfor i in range(2000): print(os.environ['KEY'], i)"))
    small:close()
    assert.truthy(execution.truncated.stdout)
    local text = table.concat(execution.logs.stdout)
    for length = #KEY, 4, -1 do
      assert.is_nil(text:find(KEY:sub(1, length), 1, true))
      assert.is_nil(text:find(KEY:sub(-length), 1, true))
    end
  end)

  it("are hidden in commands, in what a process is read of, and on a terminal", function()
    local result = sandbox.commands:run("echo out $KEY; echo err $KEY >&2")
    assert.same({ "out ***\n", "err ***\n" }, { result.stdout, result.stderr })
    local process = codecell.assert(sandbox.commands:run("printf '%s' \"$KEY\"; printf hunt",
      { background = true }))
    local read = {}
    repeat
      local chunk = process:read(10)
      read[#read + 1] = chunk
    until not chunk
    assert.equal("***hunt", table.concat(read))
    assert.equal("***hunt", process:wait(60).stdout)
    process:close()
    local terminal = codecell.assert(sandbox.pty:create({ cmd = "echo $KEY" }))
    assert.matches("%*%*%*", terminal:wait(60).stdout)
    terminal:close()
  end)

  it("are hidden whatever the language is", function()
    local cells = {
      bash = "echo $KEY; $KEY",
      javascript = "console.log(process.env.KEY); throw Error(process.env.KEY)",
      lua = "print(os.getenv('KEY')) error(os.getenv('KEY'))",
      perl = "print $ENV{KEY}; die $ENV{KEY};",
    }
    local seen = 0
    for language, code in pairs(cells) do
      if languages.find(language) and languages.way(language) then
        assert_hidden(run(code, { language = language }), 2)
        seen = seen + 1
      end
    end
    assert.is_true(seen > 1)
  end)

  it("are hidden by every object for the sandbox, by contexts and their copies", function()
    local other = codecell.assert(codecell.connect(sandbox.id))
    assert_hidden(codecell.assert(other:run_code("print(key)")))
    other:close()
    local context = sandbox:list_code_contexts()[1]
    local copy = codecell.assert(context:fork())
    assert_hidden(run("print(key)\nkey", { context = copy }), 2)
    sandbox:restart_code_context(context)
    assert_hidden(run("import os\nprint(os.environ['KEY'])"))
  end)

  it("are those of a copy of the sandbox too", function()
    local copy = codecell.assert(sandbox:fork())
    assert_hidden(codecell.assert(copy:run_code("import os\nprint(os.environ['KEY'])")))
    copy:close()
  end)

  it("are hidden in what was refused, and in the event of it", function()
    local event
    local connected = codecell.assert(codecell.create({ secrets = { HOST = "hidden-name" },
      network = { allow = { "a.example" } },
      on_event = function(told) event = told.type == "refused" and told or event end }))
    local execution = codecell.assert(connected:run_code([[
import os, urllib.request
urllib.request.urlopen("http://%s.example/" % os.environ["HOST"])]]))
    wait_until(function() return event ~= nil end)
    assert.equal("***.example:80", execution.refused[1].what)
    assert.equal("***.example:80", event.what)
    assert.is_nil(strings_of({ execution, event }):find("hidden-name", 1, true))
    connected:close()
  end)

  it("are given to a sandbox that was made before they were known", function()
    local pool = codecell.assert(codecell.pool({ size = 1 }))
    codecell.assert(pool:wait(60))
    local warm = codecell.assert(codecell.create({ warm = true, secrets = SECRETS }))
    assert.equal(1, pool:stats().taken)
    pool:close()
    local execution = codecell.assert(warm:run_code("import os\nprint(os.environ['KEY'])"))
    assert.equal("***\n", execution.logs.stdout[1])
    assert_hidden(warm.commands:run("env"))
    warm:close()
  end)

  it("are hidden as programs quote them, in HTML, JSON, addresses and bytes", function()
    local quoted = codecell.assert(codecell.create({
      secrets = { ODD = "it's <b> & \"p\195\164ss\" \240\159\152\128" } }))
    local done = codecell.assert(quoted:run_code([[
import html, json, os, urllib.parse
odd = os.environ["ODD"]
print(html.escape(odd), html.escape(odd, False), html.escape(odd).replace("x27", "39"), sep="\n")
print(json.dumps(odd), json.dumps(odd, ensure_ascii=False), sep="\n")
print(urllib.parse.quote(odd), urllib.parse.quote_plus(odd), odd.encode(), sep="\n")
]]))
    quoted:close()
    assert.equal("***\n***\n***\n\"***\"\n\"***\"\n***\n***\nb'***'\n", done.logs.stdout[1])
  end)

  it("have at least four bytes and at most 64 KiB in all, else create raises", function()
    local ok, problem = pcall(function() codecell.create({ secrets = { PIN = "123" } }) end)
    assert.is_false(ok)
    assert.matches("secrets_spec.*secrets%.PIN: at least 4 bytes", problem)
    ok, problem = pcall(codecell.create, { secrets = { LONG = ("x"):rep(70000) } })
    assert.is_false(ok)
    assert.matches("at most 65536 bytes", problem)
  end)

  it("are data like any other in files that the host reads", function()
    run("import os\nopen('kept', 'w').write(os.environ['KEY'])")
    assert.equal(KEY, sandbox.files:read("kept"))
  end)
end)
