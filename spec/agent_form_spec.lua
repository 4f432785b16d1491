-- The form of a coding agent's configuration, in a browser.
local browser = require "spec.support.browser"
local cjson = require "cjson"
local codecell = require "codecell"
local shell = require "spec.support.shell"

local SAMPLE = { name = "Data Analysis Assistant",
  defaultPackages = { "pandas", "numpy", "matplotlib" }, timeout = 600 }
local MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(2)>'

describe("the form of a coding agent, in a browser #slow #registry #once", function()
  local folder, told, missing
  setup(function()
    folder = shell.folder()
    local program
    program, missing = browser.prepare(folder)
    if missing then
      return
    end
    local function page(name, initial, given)
      local form = assert(codecell.agent_config.form({ initial = initial }))
      shell.write(folder .. "/" .. name, form:html(given))
    end
    page("acting.html", SAMPLE, { action = "/save" })
    page("plain.html", SAMPLE)
    page("hostile.html", { name = MARKUP, systemPrompt = "\n</textarea>" .. MARKUP })
    shell.write(folder .. "/form.mjs", shell.read "spec/support/form.mjs")
    local result = shell.run(("cd %s && node form.mjs acting.html plain.html hostile.html %s")
      :format(folder, program), { time = 200 })
    told = result.stdout .. result.stderr
  end)
  teardown(function()
    shell.remove(folder)
  end)

  for _, case in ipairs({
    { "values", "shows the documented sample #H03" },
    { "refuses", "says all that is wrong, and sends nothing #H01" },
    { "answer", "says what its server refuses, and claims nothing #H02" },
    { "file", "offers what was filled in as a file #H01" },
    { "around", "hands it to the page around it #H02" },
    { "hostile", "takes values as they are: nothing in them does anything #H01" },
    { "keyboard", "can be used without a mouse, and every field has its label #H01" },
    { "quiet", "asks nobody else, and no browser complains #H01" },
  }) do
    it(case[2], function()
      browser.expect(case[1], told, missing)
    end)
  end

  it("sends what was filled in, which is then saved #H02 #H14", function()
    if missing then
      return pending(missing)
    end
    assert.truthy(("\n" .. told):find("\nok posts\n", 1, true), told)
    local text = told:match("posted ([^\n]+)\n")
    local saved
    local form = codecell.agent_config.form({ on_save = function(config) saved = config end })
    assert.truthy(form:save(text))
    assert.equal('Other "name" </script> é', saved.name)
    assert.equal("Two\nlines", saved.system_prompt)
    assert.same({ "pandas", "requests[socks]>=2", "numpy" }, saved.default_packages)
    assert.equal(77.5, saved.timeout)
    assert.is_true(saved.enable_network)
    assert.is_false(saved.enable_file_system)
    assert.equal("table", type(cjson.decode(text)))
  end)
end)
