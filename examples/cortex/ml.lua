-- A coding agent trains a classifier on a thousand made samples; the seed makes
-- the accuracy the same each time. Needs scikit-learn (Debian: python3-sklearn).
local codecell = require "codecell"

local sandbox = codecell.assert(codecell.create())
local execution = codecell.assert(sandbox:run_code([[
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

samples, labels = make_classification(n_samples=1000, random_state=42)
train_x, test_x, train_y, test_y = train_test_split(
    samples, labels, test_size=0.2, random_state=42)
model = RandomForestClassifier(random_state=42)
model.fit(train_x, train_y)
print(f"Model accuracy: {model.score(test_x, test_y):.2f}")
]], { timeout = 120 }))
sandbox:close()

if execution.error then
  io.stderr:write(execution.error.traceback, "\n")
  os.exit(1, true)
end
io.write(table.concat(execution.logs.stdout))
