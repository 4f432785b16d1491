-- ml_iris.lua -- a model's answer trains a classifier on a fifth less than all
-- of the iris data and says how often it is right about the rest.
--
-- Needs scikit-learn (Debian: python3-sklearn). Nothing is fetched: the data
-- comes with it.
local codecell = require "codecell"

local code = [[
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

iris = load_iris()
train_x, test_x, train_y, test_y = train_test_split(
    iris.data, iris.target, test_size=0.2)
model = RandomForestClassifier()
model.fit(train_x, train_y)
print(f"Model accuracy: {model.score(test_x, test_y):.2%}")
]]

local sandbox = codecell.assert(codecell.create())
local execution = codecell.assert(sandbox:run_code(code, { timeout = 120 }))
sandbox:close()

if execution.error then
  io.stderr:write(execution.error.traceback, "\n")
  os.exit(1, true)
end
io.write(table.concat(execution.logs.stdout))
