-- template.lua -- a template with files, a variable and a helper of its own, built in a sandbox and
-- then shared by every sandbox that names it; and a snapshot of what one of them made of it.
-- What it builds goes into CODECELL_HOME; it removes it again.
local codecell = require "codecell"

local function say(text, ...)
  io.stdout:write(text:format(...), "\n")
end

local built = codecell.assert(codecell.template.build("example", {
  description = "what examples/template.lua builds",
  envs = { GREETING = "Hello" },
  run = {
    "mkdir -p lib && echo 'def greet(name): return f\"{GREETING} {name}\"' > lib/greeter.py",
    "sed -i '1i import os\\nGREETING = os.environ[\"GREETING\"]' lib/greeter.py",
  },
  on_step = function(number, count, text) say("[%d/%d] %s", number, count, text) end,
}))
say("%s: %d file(s)", built.name, built.files)

local sandbox = codecell.assert(codecell.create({ template = "example" }))
local code = "import sys; sys.path.insert(0, 'lib')\nimport greeter; greeter.greet('world')"
say("%s", sandbox:run_code(code).text) -- Hello world

-- What a sandbox changes is its own; a snapshot keeps it for others.
sandbox:run_code("open('notes.txt', 'w').write('kept')")
local kept = codecell.assert(sandbox:create_snapshot({ name = "after the greeting" }))
sandbox:close()

local other = codecell.assert(codecell.create({ template = kept.id }))
say("%s", other:run_code("open('notes.txt').read()").text) -- kept
other:close()

codecell.assert(codecell.snapshot.remove(kept.id))
codecell.assert(codecell.template.remove("example"))
