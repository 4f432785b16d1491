local codecell = require "codecell"
local shell = require "spec.support.shell"

local policy = codecell.policy

-- Each row: what the rules are, what is asked for, what is decided, and what names it.
local TABLE = {
  { "auto", {}, { verb = "run", language = "python" }, "allow", 'mode "auto"' },
  { "ask", {}, { verb = "run", language = "python" }, "ask", 'mode "ask"' },
  { "ask", {}, { verb = "read", path = "a.txt" }, "allow", 'mode "ask"' },
  { "ask", {}, { verb = "env", env = "KEY" }, "allow", 'mode "ask"' },
  { "locked", {}, { verb = "run", language = "python" }, "allow", 'mode "locked"' },
  { "locked", {}, { verb = "install", package = "pandas" }, "deny", 'mode "locked"' },
  { "locked", {}, { verb = "write", path = "a" }, "deny", 'mode "locked"' },
  { "locked", {}, { verb = "net", host = "example.org" }, "deny", 'mode "locked"' },
  { "locked", {}, { verb = "expose", name = "tools" }, "deny", 'mode "locked"' },
  { "locked", { { "allow", verb = "write", path = "/tmp" } }, { verb = "write", path = "/tmp/a" },
    "allow", "rule 1 (allow write path /tmp)" },
  -- The strictest wins, wherever it stands.
  { "auto", { { "deny", verb = "shell" }, { "allow", verb = "shell" } }, { verb = "shell" },
    "deny", "rule 1" },
  { "auto", { { "allow", verb = "shell" }, { "deny", verb = "shell" } }, { verb = "shell" },
    "deny", "rule 2" },
  { "auto", { { "allow", verb = "gpu" }, { "ask", verb = "gpu" } }, { verb = "gpu" }, "ask",
    "rule 2" },
  { "auto", { { "deny" } }, { verb = "gpu" }, "deny", "rule 1 (deny)" },
  -- Who it is.
  { "auto", { { "deny", user = "bob" } }, { verb = "run", user = "bob" }, "deny", "rule 1" },
  { "auto", { { "deny", user = "bob" } }, { verb = "run", user = "ann" }, "allow", "mode" },
  { "auto", { { "deny", user = "bob" } }, { verb = "run" }, "allow", "mode" },
  { "auto", { { "deny", agent = "crawl*", verb = { "run", "net" } } },
    { verb = "net", agent = "crawler", host = "a.example" }, "deny", "rule 1" },
  { "auto", { { "deny", tool = "run_shell" } }, { verb = "shell", tool = "run_shell" }, "deny",
    "rule 1" },
  -- Names of one language are one language.
  { "auto", { { "deny", language = "py" } }, { verb = "run", language = "python3" }, "deny",
    "rule 1" },
  { "auto", { { "deny", language = "python" } }, { verb = "run", language = "lua" }, "allow",
    "mode" },
  -- Of a package neither version, extras nor spelling count.
  { "auto", { { "deny", package = "scikit-*" } },
    { verb = "install", package = "Scikit_Learn[all]>=1" }, "deny", "rule 1" },
  { "auto", { { "deny", package = "left-pad" } }, { verb = "install", package = "left-pad@1.3.0" },
    "deny", "rule 1" },
  { "auto", { { "deny", package = "evil" } },
    { verb = "install", package = { "pandas", "EVIL==2" } }, "deny", "rule 1" },
  { "locked", { { "allow", package = "pandas" } },
    { verb = "install", package = { "pandas", "numpy" } }, "deny", 'mode "locked"' },
  -- A name is what its installer takes it for: to pip "a_b" is "a.b", to npm they are two.
  { "auto", { { "deny", package = "lodash.merge" } },
    { verb = "install", package = "lodash-merge", language = "python" }, "deny", "rule 1" },
  { "auto", { { "deny", package = "lodash.merge" } },
    { verb = "install", package = "lodash-merge", language = "javascript" }, "allow", "mode" },
  { "locked", { { "allow", package = "lodash.merge" } },
    { verb = "install", package = "lodash.merge@4", language = "node" }, "allow", "rule 1" },
  { "locked", { { "allow", package = "lodash.merge" } },
    { verb = "install", package = "lodash_merge", language = "typescript" }, "deny", "mode" },
  { "locked", { { "allow", package = "@types/*" } },
    { verb = "install", package = { "@types/node@20", "@Types/react" }, language = "js" }, "allow",
    "rule 1" },
  { "auto", { { "deny", package = "*_*" } },
    { verb = "install", package = "a-b", language = "javascript" }, "allow", "mode" },
  { "auto", { { "deny", package = "*_*" } },
    { verb = "install", package = "a-b", language = "python" }, "deny", "rule 1" },
  -- Of one installer alone, by its mark or by a language that it is for.
  { "auto", { { "deny", package = "npm:six" } },
    { verb = "install", package = "six", language = "python" }, "allow", "mode" },
  { "auto", { { "deny", package = "npm:six" } },
    { verb = "install", package = "six", language = "typescript" }, "deny", "rule 1" },
  { "auto", { { "deny", package = "six", language = "javascript" } },
    { verb = "install", package = "six", language = "typescript" }, "deny", "rule 1" },
  { "auto", { { "deny", package = "six", language = "javascript" } },
    { verb = "install", package = "six", language = "python" }, "allow", "mode" },
  -- Where nobody says which it is, who denies means either, and who allows means both.
  { "auto", { { "deny", package = "npm:six" } }, { verb = "install", package = "six" }, "deny",
    "rule 1" },
  { "auto", { { "deny", package = "six", language = "py*" } },
    { verb = "install", package = "six" }, "deny", "rule 1" },
  { "locked", { { "allow", package = "npm:six" } }, { verb = "install", package = "six" }, "deny",
    "mode" },
  { "locked", { { "allow", package = "npm:six" } }, { verb = "install", package = "npm:six" },
    "allow", "rule 1" },
  { "locked", { { "allow", package = "a.b" } }, { verb = "install", package = "a_b" }, "deny",
    "mode" },
  -- A folder is all that is in it, by whatever way it is written.
  { "auto", { { "deny", path = "/home/user/.ssh" } }, { verb = "read", path = ".ssh/id" }, "deny",
    "rule 1" },
  { "auto", { { "deny", path = "~/.ssh" } }, { verb = "read", path = "/home/user/x/../.ssh//id" },
    "deny", "rule 1" },
  { "auto", { { "deny", path = "~/.ssh" } }, { verb = "read", path = "/../home/./user/.ssh" },
    "deny", "rule 1" },
  { "auto", { { "deny", path = "~/.ssh" } }, { verb = "read", path = ".sshd" }, "allow", "mode" },
  { "auto", { { "deny", path = "~/.ssh" } }, { verb = "read", path = "/home" }, "allow", "mode" },
  { "auto", { { "deny", path = "~/.ssh" } }, { verb = "read", path = "/home", is_deep = true },
    "deny", "rule 1" },
  { "locked", { { "allow", path = "/work/out" } },
    { verb = "write", path = "/work", is_deep = true }, "deny", "mode" },
  { "auto", { { "deny", path = "/work/**/.git" } }, { verb = "write", path = "/work/a/b/.git/x" },
    "deny", "rule 1" },
  { "auto", { { "deny", path = "/work/**/.git" } }, { verb = "write", path = "/work/.git" }, "deny",
    "rule 1" },
  { "auto", { { "deny", path = "/work/*/keys" } }, { verb = "read", path = "/work/a/b/keys" },
    "allow", "mode" },
  { "auto", { { "deny", path = "/work/*.p?m" } }, { verb = "read", path = "/work/key.pem" }, "deny",
    "rule 1" },
  -- A host with any port, or with that one.
  { "auto", { { "deny", host = "*.example.org" } },
    { verb = "net", host = "A.B.Example.org.:8443" }, "deny", "rule 1" },
  { "auto", { { "deny", host = "*.example.org" } }, { verb = "net", host = "example.org" }, "allow",
    "mode" },
  { "auto", { { "deny", host = "a.example:22" } }, { verb = "net", host = "a.example:443" },
    "allow", "mode" },
  { "auto", { { "deny", env = "AWS_*" } }, { verb = "env", env = { "HOME", "AWS_KEY" } }, "deny",
    "rule 1" },
  { "auto", { { "deny", name = "tools.delete*" } }, { verb = "expose", name = "tools.delete_all" },
    "deny", "rule 1" },
  -- Lua's own patterns mean nothing.
  { "auto", { { "deny", path = "/work/%a+" } }, { verb = "read", path = "/work/abc" }, "allow",
    "mode" },
  { "auto", { { "deny", path = "/work/[a]" } }, { verb = "read", path = "/work/[a]" }, "deny",
    "rule 1" },
}

describe("a policy", function()
  it("decides by its table, and names the rule that did #I21", function()
    for i, row in ipairs(TABLE) do
      local made = policy.new { mode = row[1], rules = row[2] }
      local effect, reason = made:decide(row[3])
      local where = ("row %d: %s"):format(i, reason)
      assert.equal(row[4], effect, where)
      assert.truthy(reason:find(row[5], 1, true), where)
    end
  end)

  it("is never made laxer by one more rule that denies #I21", function()
    local weight = { allow = 1, ask = 2, deny = 3 }
    for _, row in ipairs(TABLE) do
      for _, other in ipairs(TABLE) do
        local given = { { "deny", verb = other[3].verb } }
        for _, rule in ipairs(row[2]) do
          given[#given + 1] = rule
        end
        local before = policy.new({ mode = row[1], rules = row[2] }):decide(row[3])
        local after = policy.new({ mode = row[1], rules = given }):decide(row[3])
        assert.truthy(weight[after] >= weight[before])
        assert.truthy(other[3].verb ~= row[3].verb or after == "deny")
      end
    end
  end)

  it("takes a time that is bounded, whatever a name is #I21", function()
    local made = policy.new { mode = "auto",
      rules = { { "deny", path = "/" .. ("*a"):rep(40) .. "b" },
        { "deny", path = ("/**/a"):rep(40) .. "/b" } } }
    local began = os.clock()
    assert.equal("allow", (made:decide { verb = "read", path = "/" .. ("a"):rep(4000) }))
    assert.equal("allow", (made:decide { verb = "read", path = ("/a"):rep(2000) }))
    assert.truthy(os.clock() - began < 10)
  end)

  it("keeps what it was made with, whatever becomes of the table #I21", function()
    local given = { { "deny", verb = "run" } }
    local made = policy.new { mode = "auto", rules = given }
    given[1][1], given[1].verb = "allow", "gpu"
    given[2] = { "allow" }
    assert.equal("deny", (made:decide { verb = "run" }))
  end)

  it("refuses what is no rule, in the caller's line", function()
    for text, given in pairs {
      ["rules%[1%]: effect"] = { rules = { { "permit", verb = "run" } } },
      ["unknown option \"paths\""] = { rules = { { "deny", paths = "/a" } } },
      ["verb: one of run"] = { rules = { { "deny", verb = "execute" } } },
      ["mode: one of ask, auto, locked"] = { mode = "free" },
      ["unknown option \"rule\""] = { rule = {} },
    } do
      local ok, problem = pcall(policy.new, given)
      assert.is_false(ok)
      assert.truthy(problem:find(text), problem)
    end
    local made = policy.new()
    assert.has_error(function() made:decide { verb = "fly" } end)
  end)

  it("lets through, refuses with the rule and its reason, and tells each decision", function()
    local told = {}
    local made = policy.new { mode = "auto",
      rules = { { "deny", verb = "install", package = "evil*", because = "it steals keys" } },
      on_decision = function(one) told[#told + 1] = one end }
    assert.is_true(made:permit { verb = "install", package = "pandas" })
    local permitted, err = made:permit { verb = "install", package = { "pandas", "evil-2" } }
    assert.is_nil(permitted)
    assert.equal("denied_by_policy", err.kind)
    assert.equal("it steals keys", err.reason)
    assert.equal("install: install of evil-2 is denied by rule 1 (deny install package evil*): "
      .. "it steals keys", err.message)
    assert.same({ "allow", "deny" }, { told[1].effect, told[2].effect })
    assert.equal(err.rule, told[2].rule)
  end)

  it("denies what it would ask, where there is nobody to ask, and names the knob", function()
    local permitted, err = policy.new():permit { verb = "run", what = "run_code",
      language = "python" }
    assert.is_nil(permitted)
    assert.equal("denied_by_policy", err.kind)
    assert.truthy(err.message:find('give the policy an `approve`', 1, true))
    assert.truthy(err.hint:find('{ "allow", verb = "run" }', 1, true))
  end)

  local function asking(answers)
    local asked = {}
    return policy.new { approve = function(question)
      asked[#asked + 1] = question
      local answer = table.remove(answers, 1)
      if type(answer) == "table" then
        return answer[1], answer[2]
      end
      return answer
    end }, asked
  end

  it("asks with the code and all that it knows, and takes run, edit and reject", function()
    local made, asked = asking { "run", { "edit", "1 + 1" }, { "reject", "use a loop" }, false }
    local request = { verb = "run", language = "python", code = "rm()",
      touches = { network = "none" } }
    assert.is_true(made:permit(request))
    assert.equal("rm()", asked[1].code)
    assert.equal("none", asked[1].touches.network)
    assert.equal('mode "ask"', asked[1].rule)
    local changed = made:permit(request)
    assert.equal("1 + 1", changed.code)
    assert.equal("python", changed.language)
    assert.equal("rm()", request.code)
    local permitted, err = made:permit(request)
    assert.is_nil(permitted)
    assert.equal("use a loop", err.reason)
    assert.equal("run: rejected by the user: use a loop", err.message)
    assert.is_nil((made:permit(request)))
    assert.equal(4, #asked)
  end)

  it("remembers \"always\" for what is like it, in that session alone", function()
    local made, asked = asking { "always", "run", "run", "run" }
    assert.is_true(made:permit { verb = "run", language = "python", code = "1" })
    assert.is_true(made:permit { verb = "run", language = "py", code = "2" })
    assert.equal(1, #asked)
    made:permit { verb = "run", language = "lua", code = "1" }
    made:permit { verb = "run", language = "python", code = "1", user = "bob" }
    assert.equal(3, #asked)
    made:as({ agent = "other" }):permit { verb = "run", language = "python", code = "1" }
    assert.equal(4, #asked)
  end)

  it("does not let \"always\" past a rule that denies", function()
    local made = policy.new { rules = { { "deny", package = "evil" } },
      approve = function() return "always" end }
    assert.is_true(made:permit { verb = "install", package = "pandas" })
    assert.is_nil((made:permit { verb = "install", package = { "pandas", "evil" } }))
  end)

  it("edits nothing that has no code", function()
    local made = policy.new { approve = function() return "edit", "x" end }
    assert.has_error(function() made:permit { verb = "install", package = "pandas" } end)
  end)

  it("raises what is no answer, and what the function raises", function()
    local ok, problem = pcall(function()
      policy.new({ approve = function() return "maybe" end }):permit { verb = "run" }
    end)
    assert.is_false(ok)
    assert.truthy(problem:find("one of run, always, edit, reject expected", 1, true))
    assert.has_error(function()
      policy.new({ approve = function() error("gone", 0) end }):permit { verb = "run" }
    end, "gone")
  end)

  it("may wait for who is asked", function()
    local made = policy.new { approve = function()
      return codecell.async(function() return "run" end):wait()
    end }
    local task = codecell.async(function() return made:permit { verb = "run" } end)
    assert.is_true(task:wait(20))
  end)
end)

describe("a sandbox under a policy", function()
  local sandbox

  local function create(given, more)
    local options = more or {}
    options.policy = policy.new(given)
    local err
    sandbox, err = codecell.create(options)
    return sandbox, err
  end

  after_each(function()
    if sandbox then
      sandbox:close()
    end
    sandbox = nil
  end)

  it("runs what is allowed and refuses the rest, unrun", function()
    codecell.assert(create { mode = "auto", rules = {
      { "deny", verb = "run", language = "bash" }, { "deny", verb = "shell" },
      { "deny", verb = "read", path = "~/.ssh" }, { "deny", verb = "install", package = "evil" },
      { "deny", verb = "env", env = "LD_*" } } })
    assert.equal("2", sandbox:run_code("1 + 1").text)
    local refused = {
      { sandbox:run_code("touch made", { language = "bash" }) },
      { sandbox:start_code("touch made", { language = "sh" }) },
      { sandbox.commands:run "touch made" },
      { sandbox.commands:run({ "touch", "made" }, { background = true }) },
      { sandbox.pty:create {} },
      { sandbox.git:init "." },
      { sandbox.files:read ".ssh/id" },
      { sandbox.files:archive { "a", ".." } },
      { sandbox.files:download("/home", "/nowhere") },
      { sandbox:install { "pandas", "evil" } },
      { sandbox:run_code("1", { packages = { "evil" } }) },
      { sandbox:run_code("1", { envs = { LD_PRELOAD = "x" } }) },
      { sandbox:set_envs { LD_PRELOAD = "x" } },
      { sandbox:install("pandas", { envs = { LD_PRELOAD = "x" } }) },
    }
    for i, outcome in ipairs(refused) do
      assert.is_nil(outcome[1], i)
      assert.equal("denied_by_policy", outcome[2].kind)
      assert.truthy(outcome[2].rule:find "^rule %d")
    end
    assert.is_false(sandbox.files:exists "made")
    assert.equal("x", sandbox.files:write("a", "x") and sandbox.files:read "a")
  end)

  it("asks for the variables of git as well", function()
    codecell.assert(create { mode = "auto", rules = { { "deny", env = "GIT_*" } } })
    local made, err = sandbox.git:init("x", { envs = { GIT_TEMPLATE_DIR = "/tmp" } })
    assert.is_nil(made)
    assert.equal("denied_by_policy", err.kind)
  end)

  it("stays what it is behind it: connected, copied and tidied up", function()
    codecell.assert(create { mode = "auto",
      rules = { { "deny", verb = "read", path = "/secret" } } })
    local other = codecell.connect(sandbox.id)
    assert.is_nil((other.files:read "/secret/a"))
    other:close()
    local copy = codecell.assert(sandbox:fork())
    assert.is_nil((copy.files:read "/secret/a"))
    assert.is_nil((codecell.connect(copy.id).files:read "/secret/a"))
    copy:close()
    assert.is_true(sandbox:is_running())
    sandbox:close()
    assert.is_false(sandbox:is_running())
    assert.has_error(function() sandbox:run_code "1" end)
  end)

  it("shows who is asked what no terminal obeys", function()
    local asked = {}
    codecell.assert(create({ approve = function(question)
      asked[#asked + 1] = question.shown
      return "reject"
    end }))
    sandbox:run_code("evil()\27[2K\27[1A\rsafe()\226\128\174")
    sandbox.files:write_files({ { path = "a\27[1A", data = "" }, { path = "b", data = "" } })
    assert.same({ "evil()\226\144\155[2K\226\144\155[1A\226\144\141safe()<U+202E>",
      "a\226\144\155[1A, b" }, asked)
  end)

  it("asks with what the code can reach, and runs what was edited", function()
    local asked
    codecell.assert(create({ approve = function(question)
      asked = question
      return "edit", "6 * 7"
    end }, { network = "none" }))
    assert.equal("42", sandbox:run_code("import os").text)
    assert.equal("import os", asked.code)
    assert.equal("python", asked.language)
    assert.equal("none", asked.touches.network)
    assert.same({}, asked.touches.mounts)
  end)

  it("does not ask about what a compiler writes for itself", function()
    local asked = 0
    codecell.assert(create { rules = { { "allow", verb = "run" } }, approve = function()
      asked = asked + 1
    end })
    local execution, err = sandbox:run_code("#include <stdio.h>\nint main(void){puts(\"hi\");}",
      { language = "c" })
    if err and err.kind == "unsupported" then
      return pending(err.message)
    end
    assert.same({ "hi\n" }, execution.logs.stdout)
    assert.equal(0, asked)
  end)

  it("is asked for what a file names, too", function()
    codecell.assert(create({ mode = "auto", rules = { { "deny", package = "evil" } } }))
    local folder = shell.folder()
    shell.write(folder .. "/list", "six\nEvil[all]>=1 # so\n")
    shell.write(folder .. "/evil-1.0-py3-none-any.whl", "none")
    for _, result in ipairs({
      { sandbox:install({}, { requirements = folder .. "/list" }) },
      { sandbox:install(folder .. "/evil-1.0-py3-none-any.whl") },
    }) do
      assert.is_nil(result[1])
      assert.equal("denied_by_policy", result[2].kind)
      assert.matches("rule 1", result[2].rule)
    end
    local _, err = sandbox:install({}, { requirements = folder .. "/no" })
    assert.equal("not_found", err.kind)
    assert.has_error(function() sandbox:install({ 1 }) end)
    assert.has_error(function() sandbox:install("six", { requirements = true }) end)
    assert.has_error(function() sandbox:install({ {} }, { language = "python" }) end)
    shell.remove(folder)
  end)

  it("has no wider network than the rules leave, nor packages", function()
    local made, err = create({ mode = "locked" }, { network = "open" })
    assert.is_nil(made)
    assert.equal("denied_by_policy", err.kind)
    codecell.assert(create({ mode = "auto",
      rules = { { "deny", verb = "net", host = "keys.example.org" } } },
      { network = { allow = { "*.example.org" } } }))
    assert.same({ "keys.example.org" }, sandbox:get_info().network.deny)
    assert.is_nil((sandbox:update_network { allow = { "keys.example.org" } }))
    assert.equal("denied_by_policy", select(2, sandbox:update_network { allow = {
      "keys.example.org:8443" } }).kind)
    assert.is_true(sandbox:update_network { allow = { "*.example.org:8443" } })
    assert.same({ "keys.example.org" }, sandbox:get_info().network.deny)
    sandbox:close()
    made, err = create({ mode = "auto",
      rules = { { "deny", verb = "net", host = "k*s.example" } } }, { network = "open" })
    assert.is_nil(made)
    assert.truthy(err.message:find("write \"name\" or \"*.name\" in it", 1, true))
    local touches
    codecell.assert(create({ mode = "auto", rules = { { "deny", package = "evil" },
      { "deny", package = "a.b", language = "node" }, { "deny", package = "npm:c" },
      { "ask", verb = "run" } }, approve = function(question)
        touches = question.touches
        return "reject"
      end }, { packages = { allow = { "six" } } }))
    assert.is_nil((sandbox:run_code("1")))
    assert.same({ "evil", "npm:a.b", "npm:c" }, touches.packages.deny)
    sandbox:close()
    made, err = create({ mode = "auto", rules = { { "deny", package = "*coin*" } } },
      { packages = true })
    assert.is_nil(made)
    assert.truthy(err.message:find("write names without", 1, true))
  end)

  it("has a home that nothing can write to, where it is locked", function()
    codecell.assert(create { mode = "locked" })
    assert.equal("OSError", sandbox:run_code("open('a', 'w')").error.name)
    assert.equal("4", sandbox:run_code("2 + 2").text)
    assert.is_nil((sandbox.files:write("a", "")))
    sandbox:close()
    codecell.assert(create { mode = "auto", rules = { { "deny", verb = "write", path = "~/a" } } })
    assert.is_nil(sandbox:run_code("open('b', 'w')").error)
    assert.is_nil((sandbox.files:write("a", "")))
  end)
end)

describe("a service under a policy", function()
  it("asks it for each owner", function()
    local service = codecell.assert(codecell.service { mode = "kernel", log = "none",
      policy = policy.new { mode = "auto", rules = { { "deny", verb = "run", user = "bob" } } } })
    assert.equal("2", service:execute("1 + 1", { owner = "ann" }).text)
    local reply, err = service:execute("1 + 1", { owner = "bob" })
    assert.is_nil(reply)
    assert.equal("denied_by_policy", err.kind)
    service:close()
  end)
end)
