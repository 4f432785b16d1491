-- two_agents.lua [--mock] -- a coder and a reviewer in one sandbox: the coder writes and runs, the
-- reviewer reads what was done, and may change nothing.
local codecell = require "codecell"

local MODE = arg[1] == "--mock" and "mock" or "kernel"

local service = codecell.assert(codecell.service { mode = MODE })
local sandbox = codecell.assert(service:create { owner = "lead" })
local team = codecell.assert(service:share(sandbox.id, {
  owner = "lead", agents = { "coder", "reviewer" }, rights = { reviewer = "reader" },
}))

codecell.assert(team.coder:run("def mean(values):\n    return sum(values) / len(values)"))
local reply = codecell.assert(team.coder:run("mean([1, 2, 3, 4])"))
print("coder:    the mean is " .. reply.text)
codecell.assert(team.coder:write("/home/user/report.txt", "mean of [1, 2, 3, 4]: " .. reply.text))

print("reviewer: the report says " .. codecell.assert(team.reviewer:read("/home/user/report.txt")))
local _, err = team.reviewer:run("mean = None")
print("reviewer: " .. tostring(err))
for _, event in ipairs(codecell.assert(team.reviewer:events())) do
  print(("log:      %d %s %s"):format(event.serial, event.who, event.event))
end
service:close()
