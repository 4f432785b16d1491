-- actions_walkthrough.lua [--mock] -- the procedure of a chat by the twelve actions: create, act
-- with the same sessionId, look, kill. Requests are what a model would send.
local codecell = require "codecell"

local MODE = arg[1] == "--mock" and "mock" or "kernel"

local REQUESTS = {
  { action = "create", sessionId = "my_unique_session_id", timeout = 60,
    envs = { MY_VAR = "my_value" } },
  { action = "execute", sessionId = "my_unique_session_id",
    code = "import os; print(os.environ.get('MY_VAR'))" },
  { action = "write_file", sessionId = "my_unique_session_id",
    filePath = "/home/user/test.txt", fileContent = "Hello, world!" },
  { action = "read_file", sessionId = "my_unique_session_id", filePath = "/home/user/test.txt" },
  { action = "shell", sessionId = "my_unique_session_id", command = "ls -la" },
  { action = "set_timeout", sessionId = "my_unique_session_id", timeout = 180 },
  { action = "list_sandboxes" },
  { action = "kill", sessionId = "my_unique_session_id" },
}

local service = codecell.assert(codecell.service { mode = MODE })
local failed = 0
for _, request in ipairs(REQUESTS) do
  local reply = codecell.actions.call(request, { service = service, user = "ann" })
  print(("%-14s %s  %s"):format(request.action, reply.success and "ok    " or "failed",
    (reply.text:gsub("%s*\n%s*", " | "))))
  failed = failed + (reply.success and 0 or 1)
end
service:close()
os.exit(failed == 0 and 0 or 1, true)
