-- Run code, see which files it has changed, and fetch them in one stream.
-- lua examples/artefacts.lua writes artefacts.tar into the current directory.
local codecell = require "codecell"

local sandbox = codecell.assert(codecell.create())
local execution = codecell.assert(sandbox:run_code [[
import csv, os
os.makedirs("report")
with open("report/squares.csv", "w") as file:
    csv.writer(file).writerows([i, i * i] for i in range(1, 4))
with open("report/README.md", "w") as file:
    file.write("# Squares\n")
]])

for _, change in ipairs(execution.files_changed) do
  print(change.op, change.path, change.size)
end

local archive = codecell.assert(sandbox.files:archive(execution.files_changed))
local file = assert(io.open("artefacts.tar", "wb"))
local piece, err = archive:read()
while piece do
  file:write(piece)
  piece, err = archive:read()
end
file:close()
sandbox:close()
assert(not err, tostring(err))
print "artefacts.tar"
