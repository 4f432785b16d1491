-- "What are mean and spread of these figures?" The file is put into the sandbox,
-- the code reads it there, the table comes back as text.
local codecell = require "codecell"

local data = "month,revenue,cost\nJan,120,80\nFeb,135,82\nMar,150,90\nApr,110,79\n"

local answer = [[
`describe` has all of them:

```python
import pandas as pd

pd.read_csv("figures.csv").describe()
```
]]

local sandbox = codecell.assert(codecell.create())
codecell.assert(sandbox.files:write("figures.csv", data))
local block = codecell.blocks.scan(answer)[1]
local execution = codecell.assert(sandbox:run_code(block.code, { language = block.language }))
sandbox:close()
if execution.error then
  io.stderr:write(execution.error.traceback or execution.error.name, "\n")
  os.exit(1, true)
end
print(execution.text)
