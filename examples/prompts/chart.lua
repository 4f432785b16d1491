-- "Draw sine and cosine in one chart." The figure is saved as out.png; the code
-- never calls savefig.
local codecell = require "codecell"

local answer = [[
Both curves over one period:

```python
import numpy as np
import matplotlib.pyplot as plt

x = np.linspace(0, 2 * np.pi, 200)
plt.plot(x, np.sin(x), label="sin(x)")
plt.plot(x, np.cos(x), label="cos(x)")
plt.legend()
plt.show()
```
]]

local sandbox = codecell.assert(codecell.create())
local block = codecell.blocks.scan(answer)[1]
local execution = codecell.assert(sandbox:run_code(block.code, { language = block.language }))
sandbox:close()
if execution.error then
  io.stderr:write(execution.error.traceback or execution.error.name, "\n")
  os.exit(1, true)
end

local file = assert(io.open("out.png", "wb"))
file:write(assert(execution.results[1].png, "no picture came back"))
file:close()
print "saved as out.png"
