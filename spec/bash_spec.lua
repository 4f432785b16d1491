-- Cells in bash: a session in one shell, which outlives what would end a script.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

describe("cells of bash #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(code, options)
    options = options or {}
    options.language = options.language or not options.context and "bash" or nil
    return codecell.assert(sandbox():run_code(code, options))
  end

  local function output(code, options)
    local execution = run(code, options)
    assert.same({}, execution.logs.stderr)
    return table.concat(execution.logs.stdout)
  end

  local function status(code, options)
    local execution = run(code, options)
    return execution.error and execution.error.value, execution
  end

  it("are what shell and sh are too #E02 #F11", function()
    assert.equal("bash\n", output("echo $0", { language = "shell" }))
    assert.equal("bash\n", output("echo $0", { language = "sh" }))
    assert.equal("a b\nc\n", output("printf '%s\\n' 'a b' c"))
  end)

  it("keep variables, arrays, functions, aliases, options and the folder #E04 #M23", function()
    run("x=5; a=(one 'two three'); declare -A map=([key]=value); f() { local y=$1; echo \"<$y>\"\n}"
      .. "; alias hi='echo aliased'; shopt -s extglob; mkdir -p sub; cd sub; umask 027; set -- p q")
    assert.equal("5 2 two three value\n", output('echo "$x ${#a[@]} ${a[1]} ${map[key]}"'))
    assert.equal("<z>\naliased\nq 2\n", output("f z\nhi\necho $2 $#"))
    assert.equal("sub 0027\nyes\n",
      output("echo ${PWD##*/} $(umask)\n[[ aab == +(a)b ]] && echo yes"))
    assert.equal('declare -A map=([key]="value" )\n',
      output("declare -p map; cd"))
  end)

  it("keep what they wait for: jobs, $!, a coprocess", function()
    run("sleep 60 & job=$!; coproc CAT { cat; }")
    assert.equal("true\n", output("[[ $! -gt 1 ]] && kill $job && echo true"))
    assert.equal("143", status("wait $job"))
    assert.equal("said\n", output("echo said >&${CAT[1]}; read -r line <&${CAT[0]}; echo $line"))
    run("kill $CAT_PID; wait $CAT_PID")
  end)

  it("have the status of the last one at hand", function()
    assert.equal("3", status("(exit 3)"))
    assert.equal("3\n", output("echo $?"))
    assert.equal("1 0\n", output("false | true; echo ${PIPESTATUS[*]}"))
  end)

  it("print in order, bytes as they are, each stream for itself", function()
    local execution = run("echo out; echo err >&2; bash -c 'echo child'; printf 'a\\0\\377é'")
    assert.same({ "err\n" }, execution.logs.stderr)
    assert.equal("out\nchild\na\0\255é", table.concat(execution.logs.stdout))
  end)

  it("end in an error by the status of their last command", function()
    for code, value in pairs({ ["false"] = "1", ["echo a; (exit 42)"] = "42", no_such = "127",
      ["bash -c 'kill -9 $$'"] = "137", ["set -o pipefail; false | true; set +o pipefail"] = false,
      ["! true"] = "1", ["false || true"] = false, ["/etc/passwd"] = "126",
      ["return 3"] = "2", ["timeout 0.01 sleep 9"] = "124", ["[[ a == b ]]"] = "1" }) do
      assert.equal(value or nil, status(code), code)
    end
    local value, execution = status("no_such")
    assert.equal("127", value)
    assert.truthy(execution.error.traceback:find("there is no such command", 1, true))
  end)

  it("say on which line the shell makes no sense of them", function()
    local value, execution = status("echo a\nif then\n")
    assert.equal("2", value)
    assert.equal("SyntaxError", execution.error.name)
    assert.equal(2, execution.error.line)
    assert.truthy(execution.error.traceback:find("bash: line 2: syntax error", 1, true))
    assert.truthy(table.concat(execution.logs.stderr):find("bash: eval: line 2: ", 1, true))
    assert.equal("SyntaxError", select(2, status("echo 'abc")).error.name)
    assert.equal("ExitError", select(2, status("ls --nonsense")).error.name)
    assert.equal("1\n2\n", output("echo $LINENO\necho $LINENO"))
  end)

  it("stop at what fails under set -e, and keep everything", function()
    local value, execution = status(
      "kept=1\nset -euo pipefail\nf() { bash -c 'exit 4'; echo no; }\nf")
    assert.equal("4", value)
    assert.equal(4, execution.error.line)
    assert.same({}, execution.logs.stdout)
    assert.equal("1 ehu\n", output("echo $kept ${-//[^ehu]/}"))
    assert.equal("1", status("echo $missing; echo no"))
    assert.equal("1", status("false; echo no"))
    assert.equal("on\n", output("false || echo on; if false; then :; fi"))
    assert.equal("caught 1\n", table.concat(select(2,
      status("trap 'echo caught $LINENO' ERR; false; echo no")).logs.stdout))
    assert.equal("trap -- 'echo caught $LINENO' ERR\n", output("set +eu +o pipefail\ntrap - DEBUG")
      .. output("trap -p; trap - ERR"))
  end)

  it("stop at an unset variable under set -u, and at ${name:?}", function()
    local value, execution = status("set -u\necho $missing\necho no")
    assert.equal("1", value)
    assert.same({ "bash: missing: unbound variable\n" }, execution.logs.stderr)
    assert.same({}, execution.logs.stdout)
    execution = select(2, status("set +u; : ${missing:?must be set}\necho no"))
    assert.same({ "bash: missing: must be set\n" }, execution.logs.stderr)
    assert.same({}, execution.logs.stdout)
  end)

  it("are interrupted with everything kept, again and again", function()
    run("kept=2; trap 'echo usr1' USR1")
    for _, code in ipairs({ "while :; do :; done", "sleep 60", "sleep 60 | cat", "x=$(sleep 60)",
      "f() { sleep 60; }; f", "(while :; do :; done)", "cat <(sleep 60)", "set -e; sleep 60" }) do
      local execution = run(code, { timeout = 0.1 })
      assert.is_true(execution.timed_out, code)
      assert.is_false(execution.state_lost, code)
      assert.equal("2\n", output("set +e; echo $kept"), code)
    end
    assert.equal("usr1\n", output("kill -USR1 $$"))
  end)

  it("are not disturbed by an interrupt that comes between them", function()
    local pid = output("trap 'echo int' INT; echo $$"):match("%d+")
    for _ = 1, 5 do
      codecell.assert(sandbox().commands:run("kill -INT " .. pid))
      assert.equal("fine\n", output("echo fine"))
    end
    assert.equal("trap -- 'echo int' SIGINT\nint\n" .. pid .. "\n",
      output("trap -p INT; kill -INT $$; echo $$; trap - INT"))
    assert.equal("", output("trap -p INT"))
  end)

  it("read what they are given, and nothing else", function()
    assert.equal("1", status("read -r line"))
    assert.equal("one two\nthree", output("read -r a; echo $a two; cat",
      { stdin = "one\nthree" }))
    assert.equal("a\0b", output("cat", { stdin = "a\0b" }))
    assert.equal("300000\n", output("cat | wc -c", { stdin = ("x"):rep(300000) }))
    assert.equal("", output("cat"))
  end)

  it("have variables of the environment for themselves alone", function()
    run("mine=old; export both=old")
    assert.equal("new two words\n$'\"\n", output("bash -c 'echo $mine $both; echo \"$odd\"'",
      { envs = { mine = "new", both = "two words", odd = "$'\"" } }))
    assert.equal("old old unset\n", output("echo $mine $both ${odd-unset}"))
    assert.equal("old\n", output("bash -c 'echo $mine$both'"))
  end)

  it("cannot break the next cell", function()
    for _, code in ipairs({ "exec >file 2>&1 </dev/zero", "exec 1>&- 2>&- 3>&- 4>&- 10>&- 11>&-",
      "exec 10>ten 200>lock", "set -f; set -x; set -v; IFS=0123456789", "shopt -s nocasematch",
      "read() { echo mine; }; printf() { echo mine; }; eval() { :; }; local() { :; }",
      "trap 'echo debug' DEBUG; trap 'false' RETURN; set -T", "unset IFS PS4 PS0; PS1='$(no) '",
      "alias if=no while=no read=no builtin=no eval=no", "LC_ALL=C; LANG=x; set -a; set -o posix",
      "break; continue 9; shift 9; return 9", "set -k; set -C", "exec no_such",
      "IGNOREEOF=0; HISTSIZE=0; TMOUT=1; PROMPT_COMMAND=date; hash -r; umask 777" }) do
      run(code)
      local execution = run("unalias -a; echo fine; trap - DEBUG RETURN; set +xvfaTkC +o posix")
      assert.equal("fine\n", table.concat(execution.logs.stdout):gsub("debug\n", ""), code)
      assert.is_false(execution.state_lost, code)
      run("shopt -u nocasematch; unset -f read printf eval local; unset IFS PS1; umask 022")
    end
  end)

  it("find another shell where theirs can do nothing any more", function()
    local execution = run("enable -n read printf")
    assert.equal("KernelDiedError", execution.error.name)
    assert.equal("fine\n", output("echo fine"))
  end)

  it("count on where a pattern that matches nothing is an error, or nothing", function()
    for _, option in ipairs({ "failglob", "nullglob" }) do
      local context = codecell.assert(sandbox():create_code_context({ language = "bash" }))
      assert.is_nil(run("shopt -s " .. option, { context = context }).error)
      for count = 2, 11 do
        assert.equal(count, run(":", { context = context }).execution_count)
      end
      codecell.assert(sandbox():remove_code_context(context))
    end
  end)

  it("start a fresh shell after exit, whose trap is heard", function()
    run("trap 'echo bye $kept' EXIT; kept=3")
    assert.equal("bye 3\n", table.concat(run("exit 3").logs.stdout))
    run("kept=3")
    local execution = run("exit 3")
    assert.equal("KernelDiedError", execution.error.name)
    assert.is_true(execution.state_lost)
    assert.equal("gone\n", output("echo ${kept-gone}"))
  end)

  it("may be large, and may hold a NUL, which bash leaves out", function()
    local lines = (": " .. ("x"):rep(97) .. "\n"):rep(20000)
    assert.equal("done\n", output(lines .. "echo done"))
    assert.equal("8000000\n", output("x='" .. ("é"):rep(4000000) .. "'; echo $((${#x} * 2))"))
    assert.equal("ab\n", output("echo a\0b; unset x"))
  end)
end)
