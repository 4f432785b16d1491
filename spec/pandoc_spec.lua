local codecell = require "codecell"
local shell = require "spec.support.shell"

local FILTER = "examples/pandoc/codecell.lua"

local function missing()
  if shell.run("command -v pandoc").status ~= 0 then
    return "pandoc is not installed: apt-get install pandoc (165 MB)"
  end
  return not codecell.languages.program "python" and "Python is not installed" or nil
end

-- A document as Pandoc makes it, in a folder of its own that keeps its pictures.
local function make(text, words)
  local root = shell.run("pwd", { folder = "." }).stdout:gsub("\n$", "")
  local folder = shell.folder()
  local result = shell.run(("CODECELL=%s pandoc -f markdown -L %s --extract-media media %s")
    :format(shell.codecell, shell.quote(root .. "/" .. FILTER), words or "-t html"),
    { stdin = text, folder = folder })
  result.pictures = shell.run("ls media", { folder = folder }).stdout
  shell.remove(folder)
  return result
end

describe("the filter of Pandoc #once", function()
  it("puts below code what it shows: text, tables, pictures, errors", function()
    if missing() then
      return pending(missing())
    end
    local result = make([[
```{.python .run}
x = 6
x * 7
```

```{.python .run echo=false}
from IPython.display import HTML
HTML("<table><tr><td>in a cell</td></tr></table>")
```

```{.python .run}
import base64
from IPython.display import Image
Image(base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="))
```

```{.python .run}
x / 0
```

```{.bash .run}
echo said
```

```python
print("quoted")
```
]])
    assert.equal(0, result.status, result.stderr)
    local page = result.stdout
    assert.truthy(page:find "<code>42</code>")
    assert.truthy(page:find "<td>in a cell</td>")
    assert.falsy(page:find "HTML%(") -- its code is not shown
    assert.truthy(result.pictures:find "%.png\n")
    assert.truthy(page:find("<img", 1, true))
    assert.truthy(page:find("ZeroDivisionError: division by zero", 1, true))
    assert.truthy(page:find "<code>said\n</code>")
    assert.falsy(page:find "<code>quoted\n</code>")
  end)

  it("makes the page of the examples", function()
    if missing() then
      return pending(missing())
    elseif shell.run("/usr/bin/python3 -c 'import pandas, matplotlib'").status ~= 0 then
      return pending "pandas or matplotlib is not installed"
    end
    local result = make(shell.read "examples/pandoc/page.md")
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find "<code>45</code>")
    assert.truthy(result.stdout:find("<td>Mon</td>", 1, true))
    assert.truthy(result.pictures:find "%.png\n")
    assert.truthy(result.stdout:find("KeyError", 1, true))
  end)

  it("lets code put no markup, no file of the reader and no address into the page #S001",
    function()
      if missing() then
        return pending(missing())
      end
      local result = make([[
```{.python .run echo=false}
from IPython.display import display, HTML, Markdown
display(Markdown("![](/etc/passwd)"))
display(HTML("<table><tr><td><img src='/etc/passwd'><a href='http://x.example'>t</a>"
             "<script>alert(1)</script></td></tr></table><script>alert(2)</script>"))
print("``` <b>")
```
]], "-t html --self-contained --metadata title=x")
      assert.equal(0, result.status, result.stderr)
      assert.falsy(result.stdout:find "root:")
      assert.falsy(result.stdout:find "alert%(")
      assert.falsy(result.stdout:find("x.example", 1, true))
      assert.truthy(result.stdout:find("``` &lt;b&gt;", 1, true))
    end)

  it("leaves a document without such code as it is, and tells why code cannot be run", function()
    if missing() then
      return pending(missing())
    end
    assert.truthy(make("```python\n1\n```\n").stdout:find("sourceCode", 1, true))
    local result = make("```{.nonsense .run}\n1\n```\n", "-t html")
    assert.equal(0, result.status, result.stderr)
    local failed = shell.run(("CODECELL=/no/such/program pandoc -L %s -t html")
      :format(FILTER), { stdin = "```{.python .run}\n1\n```\n", folder = "." })
    assert.not_equal(0, failed.status)
  end)
end)
