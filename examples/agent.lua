-- agent.lua -- the smallest loop of an agent: ask the model, run the code of its
-- answer, tell it what happened, until it answers without code.
--
-- The model here is a script, so that this runs without a key: put a call of
-- your model in `ask`.
local codecell = require "codecell"

local STEPS_MAX = 5

local answers = {
  "First sorted.\n\n```python\nnumbers = [3, 1, 4, 1, 5, 9]\nsorted(number)\n```\n",
  "A wrong name; once more.\n\n```python\nsorted(numbers)[len(numbers) // 2]\n```\n",
  "The upper median of the numbers is 4.",
}

---@param messages table[] the conversation so far: {role=, content=}
---@return string answer of the model
local function ask(messages)
  local turn = 1
  for _, message in ipairs(messages) do
    turn = turn + (message.role == "assistant" and 1 or 0)
  end
  return answers[turn]
end

local function run_answer(sandbox, answer)
  local reports = {}
  for _, block in ipairs(codecell.blocks.scan(answer)) do
    if block.runnable then
      local execution = codecell.assert(sandbox:run_code(block.code, { language = block.language }))
      reports[#reports + 1] = codecell.format(execution)
      if execution.error then
        break
      end
    end
  end
  return #reports > 0 and table.concat(reports, "\n") or nil
end

local sandbox = codecell.assert(codecell.create())
local messages = { { role = "user", content = "What is the upper median of the numbers?" } }
for _ = 1, STEPS_MAX do
  local answer = ask(messages)
  messages[#messages + 1] = { role = "assistant", content = answer }
  print("model:   " .. answer)
  local report = run_answer(sandbox, answer)
  if not report then
    break
  end
  messages[#messages + 1] = { role = "user", content = report }
  print("sandbox: " .. report)
end
sandbox:close()
