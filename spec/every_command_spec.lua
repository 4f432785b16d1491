-- What holds for all commands alike.
local shell = require "spec.support.shell"

local codecell = shell.codecell

local function run(words, options)
  return shell.run(codecell .. " " .. words, options)
end

local names = {}
for name in run("--help").stdout:gmatch "\n  (%l[%l-]*) +%l" do
  names[#names + 1] = name
end

describe("every command #once", function()
  it("is in the list", function()
    assert.truthy(#names >= 24)
  end)

  it("is told on standard error, with status 2, where none is given", function()
    local result = run ""
    assert.equal(2, result.status)
    assert.equal("", result.stdout)
    assert.equal(run("--help").stdout .. "codecell: give a command\n", result.stderr)
  end)

  it("tells options, exit statuses and an example with --help, on standard output", function()
    for _, name in ipairs(names) do
      local result = run(name .. " --help")
      assert.equal(0, result.status, name)
      assert.equal("", result.stderr, name)
      local text = result.stdout
      assert.equal(1, (text:find("usage: codecell " .. name, 1, true)), name)
      assert.truthy(text:find("\n  -h, --help ", 1, true), name)
      assert.truthy(text:find "\nExit status: 0 .-2 bad usage", name)
      assert.truthy(text:find("\nFor instance: [^\n]*codecell " .. name:gsub("%-", "%%-")), name)
      assert.equal(text, run("help " .. name).stdout)
    end
  end)

  it("says units and defaults where an option has a value", function()
    local help = run("run --help").stdout
    assert.truthy(help:find("--timeout SECONDS      time for the code (default 300)", 1, true))
    assert.truthy(help:find("SECONDS is a number of seconds above 0, at most 86400.", 1, true))
    assert.truthy(run("serve --help").stdout:find("SIZE is a number of bytes", 1, true))
  end)

  it("names the nearest option for one that it has not, with status 2", function()
    for _, name in ipairs(names) do
      local result = run(name .. " --helpp")
      assert.equal(2, result.status, name)
      assert.equal("", result.stdout, name)
      assert.equal(("codecell %s: unknown option --helpp; did you mean --help? "
        .. "see 'codecell %s --help'\n"):format(name, name), result.stderr)
    end
  end)

  it("ends without a word when nobody reads its output", function()
    -- Where SIGPIPE is ignored, as programs in Python have it, writing fails instead.
    for _, ignored in ipairs { "", "trap '' PIPE; " } do
      for _, name in ipairs(names) do
        local result = shell.run(("%s{ %s %s --help; echo $? >status; } | true; cat status")
          :format(ignored, codecell, name))
        assert.equal("", result.stderr, name)
        assert.truthy(result.stdout == "141\n" or result.stdout == "0\n", name .. result.stdout)
      end
    end
  end)

  it("prints JSON for programs with --json", function()
    local folder = shell.folder()
    local home = "XDG_RUNTIME_DIR=" .. folder .. " " -- nobody else's sandboxes with names
    shell.write(folder .. "/usage.jsonl", "")
    local function json(words, status)
      local result = shell.run(home .. codecell .. " " .. words, { folder = folder })
      assert.equal(status or 0, result.status, words .. ": " .. result.stderr)
      return (require("cjson").decode(result.stdout))
    end
    assert.equal("Hello World\n", json("selftest --json").logs.stdout[1])
    assert.same({}, json("metrics --json usage.jsonl").runs_total)
    assert.same({ file = "a.json" }, json "agent new --type coding --json a.json")
    assert.same({ { id = "nobody", killed = false } }, json("kill nobody --json", 1))
    local sandbox = assert(require("codecell").create())
    assert.same({ { id = sandbox.id, killed = true } }, json("kill --json " .. sandbox.id))
    sandbox:close()
    shell.write(folder .. "/answer.md", "```python\n1\n```\n")
    assert.same({ { block = 1, language = "python", runs = true } },
      json "doctor --why answer.md --json")
    shell.remove(folder)
  end)

  it("has no colour in a pipe, nor with NO_COLOR on a terminal", function()
    for _, words in ipairs { "--help", "doctor", "languages", "config", "errors", "ls",
      "run -c '1 / 0'" } do
      local result = run(words)
      assert.falsy((result.stdout .. result.stderr):find "\27", words)
    end
    if shell.run("script -qec true /dev/null").status ~= 0 then
      return pending "there is no script command"
    end
    local line = shell.quote(codecell .. " doctor")
    local function doctor(variables)
      return shell.run(variables .. " TERM=xterm script -qec " .. line .. " /dev/null").stdout
    end
    assert.truthy(doctor("env -u NO_COLOR"):find("\27[32m", 1, true))
    assert.falsy(doctor("NO_COLOR=1"):find("\27", 1, true))
  end)
end)

describe("codecell completion #once", function()
  local function words(line)
    return run("completion --words -- " .. line).stdout
  end

  it("completes commands, options, languages and parts, each with an explanation", function()
    assert.equal("run\trun code from a file, the command line or standard input\n", words "ru")
    assert.truthy(words("run --ti"):find "^%-%-timeout\ttime for the code")
    assert.equal("python\tsession\n", words "run -l pyt")
    assert.equal("python\tsession\n", words "run --language = pyt")
    assert.equal("--language=python\tsession\n", words "run --language=pyt")
    assert.equal("show\n", words "template sh")
    assert.truthy(words("errors time"):find "^timeout\t")
    assert.equal(":files\n", words "run x")
    assert.equal("", words "nothing x")
  end)

  it("completes the ids of sandboxes that live", function()
    local sandbox = assert(require("codecell").create())
    local line = sandbox.id .. "\tprocess"
    assert.truthy(words("kill " .. sandbox.id:sub(1, 8)):find(line, 1, true))
    sandbox:close()
  end)

  it("is a script that bash runs", function()
    local script = [[
eval "$(]] .. codecell .. [[ completion bash)"
codecell() { command ]] .. codecell .. [[ "$@"; }
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _codecell; echo "${COMPREPLY[*]}"; }
try codecell lan
try codecell run --back
try codecell run -l pyth
complete -p codecell
]]
    local result = shell.run("bash -s", { stdin = script })
    assert.equal("", result.stderr)
    assert.equal("languages\n--backend\npython\ncomplete -F _codecell codecell\n", result.stdout)
  end)

  it("is a script that zsh and fish run", function()
    if shell.run("command -v zsh && command -v fish").status ~= 0 then
      return pending "zsh or fish is not installed"
    end
    local folder = shell.folder()
    shell.write(folder .. "/codecell", "#!/bin/sh\nexec " .. codecell .. " \"$@\"\n")
    shell.run("chmod +x " .. folder .. "/codecell")
    local path = "HOME=" .. folder .. " PATH=" .. folder .. ":$PATH "
    local fish = shell.run(path .. "fish -c 'codecell completion fish | source; "
      .. "complete -C \"codecell lan\"; complete -C \"codecell run --language=pyt\"'")
    assert.truthy(fish.stdout:find("languages\tlist the languages", 1, true), fish.stderr)
    assert.truthy(fish.stdout:find("--language=python\tsession", 1, true))
    -- What the function of zsh would show is told by a stand-in for what shows it.
    local zsh = shell.run(path .. "zsh -f", { stdin = [[
autoload -Uz compinit; compinit -u -D
eval "$(codecell completion zsh)"
_describe() { print -l -- "${(@P)2}" }
words=(codecell lan); CURRENT=2; _codecell
print $_comps[codecell]
]] })
    shell.remove(folder)
    assert.equal("languages:list the languages and whether this machine has them\n_codecell\n",
      zsh.stdout, zsh.stderr)
  end)

  it("wants the name of a shell", function()
    local result = run "completion tcsh"
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find("bash, zsh and fish", 1, true))
  end)
end)
