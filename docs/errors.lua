--- Make docs/errors.md of the table of errors: lua docs/errors.lua > docs/errors.md
---
--- Run it in the top folder, with the library on the path: `make docs` does.
local kinds = require "codecell.errors.kinds"

local HEAD = [[
# Errors

<!-- Made by `make docs` of lua/codecell/errors/kinds.lua and lua/codecell/agent/words.lua.
Change them, not this. -->

What can happen to a well-formed call returns `nil, err`. Branch on `err.kind`, which is one of a
closed set; `err.message` says what was tried, on what, and what to change. What code in a sandbox
does wrong is no error but a result: `execution.error`, `exit_code`, `timed_out`. A bug of the
caller, such as a wrong type, raises.

## Kinds

`codecell errors KIND` says the same.

| `err.kind` | what it means | what to do | does trying again help | who can mend it |
| --- | --- | --- | --- | --- |
]]

local WORDS = [[

## Words

Models are told finer words (`reply.kind`, `reply.details.kind`, `result.word` of
[tools](tools.md)), since a model must know whether to mend its code, to wait, to ask, or to give
up. `codecell errors --words` lists them.

| word | when | what the model is told to do | what you can do | does trying again help |
| --- | --- | --- | --- | --- |
]]

local function anchor(heading)
  return (heading:lower():gsub("%s", "-"))
end

local function more(row)
  return row.page and (": [%s](troubleshooting.md#%s)"):format(row.page, anchor(row.page)) or ""
end

local function generate()
  local lines = { (HEAD:gsub("\n$", "")) }
  for _, row in ipairs(kinds.list) do
    lines[#lines + 1] = ("| `%s` | %s | %s | %s | %s |"):format(row.kind, row.meaning, row.remedy,
      row.retryable and "yes" or "no", row.user_fault and "who calls" or "who runs it")
  end
  lines[#lines + 1] = (WORDS:gsub("\n$", ""))
  for _, row in ipairs(kinds.words) do
    lines[#lines + 1] = ("| `%s` | %s | %s | %s%s | %s |"):format(row.word, row.phase, row.model,
      row.developer, more(row), row.retryable and "yes" or "no")
  end
  return table.concat(lines, "\n") .. "\n"
end

if arg and arg[0] and arg[0]:find("errors%.lua$") then
  io.write(generate())
end

return { generate = generate }
