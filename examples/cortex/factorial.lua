-- The request "Calculate the factorial of 10", answered by code: the model
-- writes the code, the sandbox runs it, the model words what came out.
--
-- The model here is a script, so that this runs without a key: put a call of
-- your model in `ask`.
local codecell = require "codecell"

---@param messages table[] the conversation so far: {role=, content=}
---@return string answer of the model
local function ask(messages)
  local last = messages[#messages].content
  if #messages == 1 then
    return "I will compute it.\n\n```python\nimport math\nmath.factorial(10)\n```\n"
  end
  return "The factorial of 10 is " .. last:match("%d+") .. "."
end

local sandbox = codecell.assert(codecell.create())
local messages = { { role = "user", content = "Calculate the factorial of 10" } }
local answer
repeat
  answer = ask(messages)
  messages[#messages + 1] = { role = "assistant", content = answer }
  local block = codecell.blocks.scan(answer)[1]
  if block then
    local execution = codecell.assert(sandbox:run_code(block.code, { language = block.language }))
    messages[#messages + 1] = { role = "user", content = codecell.format(execution) }
  end
until not block
sandbox:close()
print(answer)
