-- data_analysis.lua [CSV] -- reads a table, describes it and draws a bar chart;
-- the picture comes back although the code calls no savefig.
--
-- The host brings the file (by a path here; by whatever fetched it elsewhere):
-- the sandbox has no network.
local codecell = require "codecell"

local HERE = arg[0]:match "^(.*)/[^/]*$" or "."
local source = arg[1] or HERE .. "/answers/sales.csv"

local code = [[
import pandas as pd
import matplotlib.pyplot as plt

table = pd.read_csv("table.csv")
print(table.describe())

numbers = table.select_dtypes("number").sum()
plt.figure(figsize=(10, 6))
plt.bar(numbers.index, numbers.values)
plt.title("Sum of each column")
plt.show()
]]

local sandbox = codecell.assert(codecell.create())
codecell.assert(sandbox.files:upload(source, "table.csv"))
local execution = codecell.assert(sandbox:run_code(code))
sandbox:close()

io.write(table.concat(execution.logs.stdout))
if execution.error then
  io.stderr:write(execution.error.traceback or execution.error.name, "\n")
  os.exit(1, true)
end
local file = assert(io.open("analysis.png", "wb"))
file:write(assert(execution.results[1].png, "no picture came back"))
file:close()
print "saved as analysis.png"
