local shell = require "spec.support.shell"

describe("codecell git #user #once", function()
  local folder, environment

  local function run(words)
    return shell.run(environment .. shell.codecell .. " " .. words, { folder = folder })
  end

  before_each(function()
    folder = shell.folder()
    environment = "XDG_RUNTIME_DIR=" .. folder .. " "
  end)

  after_each(function()
    -- The program that keeps it, and with it all sandboxes.
    local keepers = shell.run("env -u LD_PRELOAD pgrep -f '[s]erve --unix " .. folder .. "'").stdout
    for pid in keepers:gmatch "%d+" do
      shell.run("kill -KILL " .. pid .. "; while kill -0 " .. pid .. " 2>/dev/null; do :; done")
    end
    shell.remove(folder)
  end)

  it("clones, and what comes next is about the clone #E31", function()
    if shell.run("command -v git").status ~= 0 then
      return pending "git is not installed"
    end
    local made = shell.run("git init -q origin && cd origin && echo one >a && git add a "
      .. "&& git -c user.name=Ada -c user.email=ada@example.com commit -qm first",
      { folder = folder })
    assert.equal(0, made.status, made.stderr)
    local result = run "git --mount origin:/home/user/origin clone /home/user/origin 'my work'"
    assert.equal(0, result.status, result.stderr)
    result = run "git log --oneline"
    assert.truthy(result.stdout:find "^%x+ first\n$", result.stdout .. result.stderr)
    result = run "run --name git -l bash -c 'echo two >>a; pwd'"
    assert.equal("/home/user/my work\n", result.stdout)
    assert.truthy(run("git diff").stdout:find("\n one\n%+two\n$"))
    assert.equal(1, run("git diff --quiet").status)
  end)

  it("reaches the host that is cloned from, and asks nobody for a password", function()
    if shell.run("command -v git").status ~= 0 then
      return pending "git is not installed"
    end
    local result = run "git clone https://127.0.0.1:9/nothing.git"
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find("unable to access", 1, true), result.stderr)
  end)

  it("wants words", function()
    assert.equal(2, run("git").status)
  end)
end)
