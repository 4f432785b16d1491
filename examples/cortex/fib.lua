-- A coding agent writes a function, then calls it: the second cell sees what
-- the first one defined, because both run in one session.
local codecell = require "codecell"

local sandbox = codecell.assert(codecell.create())
codecell.assert(sandbox:run_code [[
def fibonacci(n):
    first, second = 0, 1
    for _ in range(n):
        first, second = second, first + second
    return first
]])
local execution = codecell.assert(sandbox:run_code [[
for n in range(10):
    print(fibonacci(n))
]])
io.write(table.concat(execution.logs.stdout))
sandbox:close()
