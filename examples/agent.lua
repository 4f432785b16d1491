-- agent.lua -- the smallest agent: ask the model, run the code of its answer, tell it what
-- happened, until it answers without code.
--
-- The model here is a script, so that this runs without a key: put a call of your model in `ask`,
-- or see openai_agent.lua.
local codecell = require "codecell"

local answers = {
  "First sorted.\n\n```python\nnumbers = [3, 1, 4, 1, 5, 9]\nsorted(number)\n```\n",
  "A wrong name; once more.\n\n```python\nsorted(numbers)[len(numbers) // 2]\n```\n",
  "The upper median of the numbers is 4.",
}

-- A model gets the conversation so far, a list of {role =, content =}; this one only counts.
local function ask(_, about)
  return answers[about.step]
end

local outcome = codecell.agent.loop {
  prompt = "What is the upper median of the numbers?",
  ask = ask,
  max_steps = 5,
  on_step = function(event)
    if event.type == "reply" then
      print("model:   " .. event.text)
    elseif event.type == "result" then
      print("sandbox: " .. event.result.text)
    end
  end,
}
print(("%s after %d runs"):format(outcome.stopped, outcome.usage.executions))
