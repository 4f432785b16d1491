-- `codecell template` and `codecell snapshot`.
local json = require "cjson"
local codecell = require "codecell"
local shell = require "spec.support.shell"
local template_home = require "spec.support.template_home"

describe("codecell template", function()
  local home = template_home(setup, teardown)
  local folder

  setup(function()
    folder = shell.folder()
    shell.write(folder .. "/data.txt", "some data\n")
    shell.write(folder .. "/web.Dockerfile", table.concat({
      "# what it begins with", "from demo", "ENV A=1 \\", "    B='two words'", "ENV C $A and $B",
      "WORKDIR app", "", "COPY data.txt copied", "RUN echo \"$C\" > said && \\", "  # between",
      "  cat copied >> said", 'RUN ["sh", "-c", "echo $0 >> said", "json"]', "" }, "\n"))
  end)
  teardown(function() shell.remove(folder) end)

  local function run(words)
    return home.run(words, { folder = folder })
  end

  it("builds of options, shows, lists and removes #D24", function()
    local result = run("template build demo --run 'echo 1 > n' --run 'echo 2 >> n' --env K=V=W "
      .. "--description 'a demonstration'")
    assert.equal(0, result.status, result.stderr)
    assert.equal("demo: 1 file, 4 B\n", result.stdout)
    assert.equal("[1/3] ENV K\n[2/3] RUN echo 1 > n\n[3/3] RUN echo 2 >> n\n", result.stderr)
    result = run "template ls"
    assert.matches("^demo +%d%d%d%d%-%d%d%-%d%d %d%d:%d%d +4 B +a demonstration\n", result.stdout)
    assert.matches("python-datascience", result.stdout, 1, true)
    result = run "template show demo"
    assert.matches("env          K=V=W\n", result.stdout, 1, true)
    assert.matches("step 3       RUN echo 2 >> n\n", result.stdout, 1, true)
    local about = json.decode(run("template show demo --json").stdout)
    assert.same({ "ENV K", "RUN echo 1 > n", "RUN echo 2 >> n" }, about.steps)
    assert.equal(2, #json.decode(run("template ls --json").stdout))
    result = run "run --template demo -l bash -c 'cat n; echo $K'"
    assert.equal("1\n2\nV=W\n", result.stdout)
  end)

  it("builds of a Dockerfile, which names it #D24", function()
    local result = run "template build web.Dockerfile"
    assert.equal(0, result.status, result.stderr)
    result = run "run --template web -l bash -c 'pwd; cat said; cat ../n'"
    assert.equal("/home/user/app\n1 and two words\nsome data\njson\n1\n2\n", result.stdout)
  end)

  it("says which line of a file it cannot take", function()
    local cases = {
      { "FROM demo\nCMD x", ":2: CMD is not understood; known are FROM, RUN, COPY, ENV, WORKDIR" },
      { "FROM demo\n\nFROM demo", ":3: a second FROM" }, { "FROM demo AS x", ":1: FROM needs one" },
      { "RUN x\nFROM demo", ":2: FROM must come first" }, { "RUN <<EOF\nx\nEOF", ":1: RUN takes" },
      { "RUN --mount=x y", ":1: RUN takes" }, { "RUN [\"a\", 1]", ":1: RUN needs a JSON list" },
      { "COPY ../x y", ":1: COPY takes what lies beside" }, { "COPY /etc/x y", ":1: COPY takes" },
      { "COPY *.txt y", ":1: COPY takes no patterns" }, { "COPY a b c", ":1: COPY of several" },
      { "COPY --chown=1 a b", ":1: COPY needs" }, { "ENV A", ":1: ENV needs NAME=VALUE" },
      { "ENV", ":1: ENV needs something" }, { "WORKDIR a b", ":1: WORKDIR needs one" },
    }
    for _, case in ipairs(cases) do
      shell.write(folder .. "/bad.Dockerfile", case[1])
      local result = run "template build bad.Dockerfile"
      assert.equal(2, result.status, case[1])
      assert.matches("bad.Dockerfile" .. case[2], result.stderr, 1, true)
    end
    for text, words in pairs({ ["numpy\n-r more.txt"] = ":2: a package expected",
      ["npm:a b"] = ":1: a package expected", ["# nothing"] = ": it says nothing" }) do
      shell.write(folder .. "/list.txt", text)
      local result = run "template build mine list.txt"
      assert.equal(2, result.status)
      assert.matches("list.txt" .. words, result.stderr, 1, true)
    end
  end)

  it("shows what a failing step said, with status 1", function()
    local result = run "template build bad --run 'echo first; echo why >&2; exit 4'"
    assert.equal(1, result.status)
    assert.matches("step 1 of 1, RUN echo first; echo why >&2; exit 4: exit status 4\n",
      result.stderr, 1, true)
    assert.matches("\n  first\n", result.stderr, 1, true) -- two pipes: in either order
    assert.matches("\n  why\n", result.stderr, 1, true)
    assert.equal("", result.stdout)
    assert.equal(2, run("template show bad").status)
  end)

  it("has status 1 when something moved that it was made of #D25 #N09", function()
    assert.equal(0, run("template outdated demo web --offline").status)
    assert.equal(0, run("template build files --from " .. folder).status)
    assert.equal(0, run("template outdated").status)
    shell.write(folder .. "/data.txt", "other data\n")
    local result = run "template outdated files"
    assert.equal(1, result.status)
    assert.matches("^files: folder [^ ]+: %x+ %-> %x+\n", result.stdout)
    run "template build demo --run 'echo 3 > n'"
    result = run "template outdated web --json"
    assert.equal(1, result.status)
    assert.equal("template demo", json.decode(result.stdout).web[1].what)
    run "template rm demo"
    assert.matches("web: template demo: %w+ %-> gone\n", run("template outdated web").stdout)
    assert.equal("1\n2\n", run("run --template web -l bash -c 'cat ../n'").stdout)
  end)

  it("removes what there is, with status 1 for what there is not", function()
    local result = run "template rm web nothing files"
    assert.equal(1, result.status)
    assert.matches('there is no template "nothing"', result.stderr, 1, true)
    assert.matches("^python%-datascience[^\n]*\n$", run("template ls").stdout)
  end)

  it("refuses what makes no sense", function()
    for _, words in ipairs({ "", "bild", "build", "ls x", "show", "show a b", "rm", "ls --run x",
      "build a b c", "build x nofile", "show x --offline", "build ../x", "build x --env K",
      "build x --from /nowhere/at/all", "outdated nothing" }) do
      local result = run("template " .. words)
      assert.equal(2, result.status, words)
      assert.equal("", result.stdout)
      assert.matches("^codecell[^\n]*\n$", (result.stderr:gsub("\n  [^\n]*", "")))
    end
    assert.matches("did you mean build?", run("template bild").stderr, 1, true)
  end)
end)

describe("codecell snapshot", function()
  local home = template_home(setup, teardown)

  it("exports to a file or a pipe, and imports #N15", function()
    local sandbox = codecell.assert(codecell.create())
    codecell.assert(sandbox.files:write("note", "restore me"))
    local id = codecell.assert(sandbox:create_snapshot({ name = "night" })).id
    sandbox:close()
    assert.matches("^" .. id .. " %d[%d: -]+ 10 B +night\n$", home.run("snapshot ls").stdout)
    local result = home.run(("snapshot export %s file.tar && ls && tar tf file.tar"):format(id))
    assert.equal("err\nfile.tar\nin\nout\nnote\n", result.stdout)
    result = home.run(("snapshot export %s | CODECELL_HOME=%s %s snapshot import --name morning")
      :format(id, shell.quote(home.path), shell.codecell))
    assert.equal(0, result.status, result.stderr)
    local other = result.stdout:match("^(s%w+)\n$")
    result = home.run(("run --template %s -c 'print(open(\"note\").read())'"):format(other))
    assert.equal("restore me\n", result.stdout)
    assert.equal(2, #json.decode(home.run("snapshot ls --json").stdout))
    assert.equal(0, home.run(("snapshot rm %s %s"):format(id, other)).status)
    assert.equal("", home.run("snapshot ls").stdout)
  end)

  it("says what it cannot do, and leaves no half file", function()
    for words, status in pairs({ ["export nothing x.tar"] = 2, ["import nofile"] = 2, [""] = 2,
      ["rm nothing"] = 1, ["export"] = 2, ["ls --name x"] = 2 }) do
      local result = home.run(("snapshot %s; status=$?; ls | grep tar; exit $status"):format(words))
      assert.equal(status, result.status, words)
      assert.equal("", result.stdout)
      assert.matches("^codecell snapshot: ", result.stderr)
    end
    local result = home.run("snapshot import", { stdin = "no tar stream" })
    assert.equal(2, result.status)
    assert.matches("tar stream", result.stderr, 1, true)
  end)
end)
