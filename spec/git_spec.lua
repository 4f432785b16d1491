local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local shell = require "spec.support.shell"
local status = require "codecell.git.status"

local AUTHOR = { author_name = "Ada", author_email = "ada@example.org" }

local has_git = shell.read("/usr/bin/git") ~= nil

describe("sandbox.git", function()
  local sandbox = one_sandbox(teardown)

  local function git()
    return sandbox().git
  end

  local function write(path, text)
    codecell.assert(sandbox().files:write(path, text))
  end

  local function repository(path)
    codecell.assert(git():init(path, { initial_branch = "main" }))
    write(path .. "/a", "one\n")
    codecell.assert(git():add(path))
    codecell.assert(git():commit(path, "first", AUTHOR))
  end

  it("makes repositories, adds, commits and tells the state", function()
    if not has_git then
      return pending "git is not installed"
    end
    repository("r")
    local found = codecell.assert(git():status("r"))
    assert.is_true(found.is_clean)
    assert.equal("main", found.current_branch)
    write("r/a", "two\n")
    write("r/b c", "new\n")
    write("r/d", "x")
    codecell.assert(git():add("r", { files = { "d" } }))
    found = codecell.assert(git():status("r"))
    assert.is_false(found.is_clean)
    assert.same({ { name = "d", status = "added", index_status = "A", working_tree_status = " ",
      staged = true }, { name = "a", status = "modified", index_status = " ",
      working_tree_status = "M", staged = false }, { name = "b c", status = "untracked",
      index_status = "?", working_tree_status = "?", staged = false } },
      { found.file_status[2], found.file_status[1], found.file_status[3] })
    assert.truthy(codecell.assert(git():diff("r")):find("\n-one\n+two\n", 1, true))
    assert.truthy(codecell.assert(git():diff("r", { staged = true })):find("+x", 1, true))
    codecell.assert(git():reset("r", { paths = { "d" } }))
    codecell.assert(git():restore("r", { "a" }))
    found = codecell.assert(git():status("r"))
    assert.equal("untracked", found.file_status[1].status)
    assert.equal("one\n", sandbox().files:read("r/a"))
    local none, err = git():commit("r", "nothing", AUTHOR)
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
    assert.equal(1, err.result.exit_code)
    codecell.assert(git():commit("r", "empty", { allow_empty = true, author_name = "Ada",
      author_email = "ada@example.org" }))
  end)

  it("has branches", function()
    if not has_git then
      return pending "git is not installed"
    end
    repository("s")
    codecell.assert(git():create_branch("s", "topic"))
    assert.same({ branches = { "main", "topic" }, current_branch = "topic" },
      codecell.assert(git():branches("s")))
    codecell.assert(git():checkout_branch("s", "main"))
    local none, err = git():create_branch("s", "topic")
    assert.is_nil(none)
    assert.equal("already_exists", err.kind)
    codecell.assert(git():delete_branch("s", "topic"))
    none, err = git():checkout_branch("s", "--orphan")
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
  end)

  it("clones, pushes and pulls, and says what is missing", function()
    if not has_git then
      return pending "git is not installed"
    end
    codecell.assert(git():init("hub.git", { bare = true, initial_branch = "main" }))
    repository("one")
    local none, err = git():push("one")
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
    codecell.assert(git():remote_add("one", "origin", "/home/user/hub.git"))
    none, err = git():remote_add("one", "origin", "/elsewhere")
    assert.is_nil(none)
    assert.equal("already_exists", err.kind)
    codecell.assert(git():remote_add("one", "origin", "/home/user/hub.git",
      { overwrite = true, fetch = true }))
    assert.equal("/home/user/hub.git", git():remote_get("one", "origin"))
    assert.is_false(git():remote_get("one", "other"))
    codecell.assert(git():push("one", { remote = "origin", branch = "main" }))
    codecell.assert(git():clone("/home/user/hub.git", { path = "two", branch = "main" }))
    write("one/a", "three\n")
    codecell.assert(git():add("one"))
    codecell.assert(git():commit("one", "second", AUTHOR))
    assert.equal(1, codecell.assert(git():status("one")).ahead)
    codecell.assert(git():push("one"))
    codecell.assert(git():pull("two"))
    assert.equal("three\n", sandbox().files:read("two/a"))
    none, err = git():clone("/home/user/nothing.git")
    assert.is_nil(none)
    assert.equal("not_found", err.kind)
    none, err = git():status("/tmp")
    assert.is_nil(none)
    assert.equal("not_found", err.kind)
  end)

  it("gives a password to one command, and keeps it nowhere", function()
    if not has_git then
      return pending "git is not installed"
    end
    local asked = "#!/bin/sh\nprintf 'protocol=https\\nhost=x\\n\\n' | git \"$@\" credential fill\n"
    write("ask", asked)
    local none, err = git():pull("one", { username = "ada" })
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
    codecell.assert(git():pull("two", { username = "ada", password = "hunter2hunter2" }))
    local result = codecell.assert(sandbox().commands:run(
      "grep -r hunter2 /home/user || echo none"))
    assert.equal("none\n", result.stdout)
    local run = require "codecell.git.run"
    local captured
    run.git({ _sandbox = { backend = "x", commands = { run = function(_, argv, options)
      captured = { argv, options.envs }
      return { exit_code = 0, stdout = "", stderr = "" }
    end } } }, "pull", { "pull" }, { username = "ada", password = "hunter2" })
    assert.falsy(table.concat(captured[1], " "):find("hunter2", 1, true))
    assert.equal("hunter2", captured[2].CODECELL_GIT_PASSWORD)
    result = codecell.assert(sandbox().commands:run({ "/bin/sh", "ask", captured[1][2],
      captured[1][3], captured[1][4], captured[1][5] }, { envs = captured[2] }))
    assert.truthy(result.stdout:find("username=ada\npassword=hunter2", 1, true), result.stderr)
  end)

  it("sets and tells the configuration", function()
    if not has_git then
      return pending "git is not installed"
    end
    codecell.assert(git():set_config("user.name", "Ada"))
    assert.equal("Ada", git():get_config("user.name"))
    assert.is_false(git():get_config("user.nothing"))
    repository("t")
    codecell.assert(git():set_config("user.name", "Bea", { scope = "local", path = "t" }))
    assert.equal("Bea", git():get_config("user.name", { scope = "local", path = "t" }))
    local none, err = git():set_config("user.name", "x", { scope = "local" })
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
  end)
end)

describe("what git says of a repository", function()
  it("is read whatever the names are", function()
    local found = status.parse("## main...origin/main [ahead 1, behind 2]\0R  new -> name\0old\0"
      .. "UU both\0 D gone\0?? a\nb\0")
    assert.equal("main", found.current_branch)
    assert.equal("origin/main", found.upstream)
    assert.equal(1, found.ahead)
    assert.equal(2, found.behind)
    assert.equal("new -> name", found.file_status[1].name)
    assert.equal("old", found.file_status[1].renamed_from)
    assert.equal("conflict", found.file_status[2].status)
    assert.is_false(found.file_status[2].staged)
    assert.equal("deleted", found.file_status[3].status)
    assert.equal("a\nb", found.file_status[4].name)
    assert.is_true(status.parse("## HEAD (no branch)\0").detached)
    assert.equal("main", status.parse("## No commits yet on main\0").current_branch)
    assert.is_true(status.parse("").is_clean)
  end)
end)
