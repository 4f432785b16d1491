-- multi_turn.lua [--mock] -- a program that grows over the turns of a conversation: the variables,
-- files and functions of one turn are there in the next.
local codecell = require "codecell"

local MODE = arg[1] == "--mock" and "mock" or "kernel"

local TURNS = {
  { "Remember ten.", "x = 10" },
  { "Twice that?", "x * 2" },
  { "Write a function.", "def area(width, height):\n    return width * height" },
  { "Use it, and keep the outcome.",
    "with open('area.txt', 'w') as file:\n    file.write(str(area(x, 3)))" },
  { "What did we keep?", "print(open('area.txt').read())" },
}

local service = codecell.assert(codecell.service { mode = MODE })
local session = codecell.session { service = service, user = "ann", conversation = "geometry" }
for i, turn in ipairs(TURNS) do
  local reply = codecell.assert(session:run(turn[2]))
  local shown = reply.mock and reply.text or reply.text or reply.output
  print(("%d. %s %s"):format(i, turn[1], (shown:gsub("\n$", ""))))
end
print(("%d turns in one sandbox"):format(#session:history()))
service:close()
