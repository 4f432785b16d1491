-- Templates with packages, of an index on this machine.
local codecell = require "codecell"
local package_index = require "spec.support.package_index"
local shell = require "spec.support.shell"
local template_home = require "spec.support.template_home"

describe("a template with packages #once", function()
  template_home(setup, teardown)
  local index = package_index.new(setup, teardown)
  local packages, folder

  setup(function()
    folder = shell.folder()
    packages = { index = index.url, registry = index.registry }
  end)
  teardown(function() shell.remove(folder) end)

  local function text_of(template, code, options)
    local sandbox = codecell.assert(codecell.create({ template = template }))
    local run = codecell.assert(sandbox:run_code(code, options))
    sandbox:close()
    assert.is_nil(run.error)
    return run.text
  end

  it("has them installed once, for every sandbox that names it #L04 #D24", function()
    if package_index.needs_pip(pending) then return end
    local built = codecell.assert(codecell.template.build("tiny", { python = { "beta" },
      packages = packages, run = { "python3 -c 'import beta; print(beta.value)' > said" } }))
    assert.same({ "beta" }, built.packages.python)
    assert.matches("alpha", index.log())
    for _ = 1, 2 do
      assert.equal("20 20", text_of("tiny", "import beta; print(end='');"
        .. "f'{beta.value} {open(\"said\").read().strip()}'"))
    end
    assert.equal("", index.log())
  end)

  it("may be a list of them, for npm too #D24", function()
    if package_index.needs_pip(pending) or package_index.needs_npm(pending) then return end
    shell.write(folder .. "/tools.txt", "# what it needs\ndotted.name\nnpm:needs-pad\n")
    local built = codecell.assert(codecell.template.build("tools", {
      file = folder .. "/tools.txt", packages = packages }))
    assert.same({ "needs-pad" }, built.packages.javascript)
    assert.equal("4", text_of("tools", "import dotted_name; dotted_name.value"))
    assert.equal("9", text_of("tools", "require('needs-pad').value", { language = "javascript" }))
  end)

  it("is not built when one of them cannot be had", function()
    if package_index.needs_pip(pending) then return end
    local built, err = codecell.template.build("wrong", { python = { "wrong-sum" },
      packages = packages })
    assert.is_nil(built)
    assert.equal(1, err.step)
    assert.matches("step 1 of 1, python wrong-sum: ", err.message, 1, true)
    assert.matches("wrong", err.output, 1, true)
    assert.is_nil((codecell.template.show("wrong")))
  end)

  it("is out of date when the index has a newer one of what it named #D25 #slow", function()
    assert.same({}, codecell.assert(codecell.template.outdated("tiny")))
    codecell.assert(codecell.template.build("older", { python = { "alpha" }, packages = packages,
      run = { "pip install -q alpha==1.0" } }))
    assert.same({ { what = "python alpha", had = "1.0", has = "2.0" } },
      codecell.assert(codecell.template.outdated("older")))
    assert.same({}, codecell.assert(codecell.template.outdated("older", { packages = false })))
    codecell.assert(codecell.template.build("pinned", { python = { "alpha==1.0" },
      packages = packages }))
    assert.same({}, codecell.assert(codecell.template.outdated("pinned")))
  end)
end)
