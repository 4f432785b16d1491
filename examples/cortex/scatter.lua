-- A coding agent draws a scatter plot of 8 by 6 inches: it comes back as a
-- picture and as the numbers that were drawn.
local codecell = require "codecell"

local sandbox = codecell.assert(codecell.create())
local execution = codecell.assert(sandbox:run_code [[
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

random = np.random.default_rng(7)
data = pd.DataFrame({"x": random.normal(size=100), "y": random.normal(size=100)})

plt.figure(figsize=(8, 6))
plt.scatter(data["x"], data["y"])
plt.title("Sample Data Visualization")
plt.xlabel("X values")
plt.ylabel("Y values")
plt.show()
]])
sandbox:close()

if execution.error then
  io.stderr:write(execution.error.traceback, "\n")
  os.exit(1, true)
end
for _, result in ipairs(execution.results) do
  local chart = result.chart
  print(("%s of %d points, %s by %s, a picture of %d bytes"):format(chart.type,
    #chart.elements[1].points, chart.x_label, chart.y_label, #result.png))
end
