-- agent_loop.lua [--mock] -- write, run, analyse: a session that runs the code of each answer and
-- tells the model what it did, until an answer has no code. The model is a script here; put a call
-- of yours in `ask`.
local codecell = require "codecell"

local STEPS_MAX = 5
local MODE = arg[1] == "--mock" and "mock" or "kernel"

local ANSWERS = {
  "I shall count the words first.\n\n```python\ntext = 'the cat and the dog and the bird'\n"
    .. "counts = {}\nfor word in text.split():\n    counts[word] += 1\n```\n",
  "A missing key; once more.\n\n```python\nfor word in text.split():\n"
    .. "    counts[word] = counts.get(word, 0) + 1\nmax(counts, key=counts.get)\n```\n",
  "The most frequent word is `the`.",
}

local function ask(turn)
  return ANSWERS[turn]
end

local service = codecell.assert(codecell.service { mode = MODE })
local session = codecell.session { service = service, user = "example", conversation = "1" }
for turn = 1, STEPS_MAX do
  local answer = ask(turn)
  print("model:   " .. answer)
  local observation = session:observe(answer)
  if not observation then
    break
  end
  print("sandbox: " .. observation)
end
print(("%d runs, mode %s"):format(#session:history(), service:stats().mode))
service:close()
