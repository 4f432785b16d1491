-- "Write the Fibonacci numbers up to 10." The answer's code, run.
local codecell = require "codecell"

local answer = [[
Each number is the sum of the two before it:

```python
first, second = 0, 1
while first <= 10:
    print(first)
    first, second = second, first + second
```
]]

local sandbox = codecell.assert(codecell.create())
local block = codecell.blocks.scan(answer)[1]
local execution = codecell.assert(sandbox:run_code(block.code, { language = block.language }))
io.write(table.concat(execution.logs.stdout))
sandbox:close()
