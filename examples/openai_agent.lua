-- openai_agent.lua [--tools] QUESTION -- an agent of any model behind an endpoint that speaks
-- OpenAI's chat completions: OpenAI itself, vLLM, Ollama, llama.cpp, LM Studio, OpenRouter, ...
--
--     OPENAI_API_KEY=sk-... lua openai_agent.lua "How many primes are below a million?"
--     OPENAI_BASE_URL=http://127.0.0.1:11434/v1 OPENAI_MODEL=qwen3 lua openai_agent.lua ...
--
-- The model writes code into its answer, or with --tools calls tools. Its words are printed as they
-- come. Nothing is installed, written outside or reached by the network.
local codecell = require "codecell"

local uses_tools = arg[1] == "--tools"
local question = table.concat(arg, " ", uses_tools and 2 or 1)
if question == "" then
  io.stderr:write("usage: openai_agent.lua [--tools] QUESTION\n")
  os.exit(2)
end

local outcome = codecell.agent.loop {
  prompt = question,
  ask = codecell.agent.chat {
    model = os.getenv "OPENAI_MODEL" or "gpt-4.1-mini",
    on_text = function(text)
      io.write(text)
      io.flush()
    end,
  },
  tools = uses_tools,
  policy = codecell.policy.new { mode = "auto", rules = { { "deny", verb = "net" } } },
  max_steps = 10,
  budget = { seconds = 300, chars = 200000 },
  on_step = function(event)
    if event.type == "result" then
      io.write("\n[", event.tool, event.result.is_error and " failed: " .. event.result.word or "",
        "]\n")
    end
  end,
}

print()
if outcome.final ~= nil then
  print("Answer: " .. codecell.assert(codecell.json.encode(outcome.final)))
elseif not outcome.answer then
  io.stderr:write("No answer (", outcome.stopped, "): ", tostring(outcome.err or ""), "\n")
end
io.stderr:write(("%d answers, %d runs, %.1f s, %s tokens\n"):format(outcome.usage.steps,
  outcome.usage.executions, outcome.usage.seconds, tostring(outcome.usage.tokens or "?")))
os.exit(outcome.stopped == "answer" and 0 or 1, true)
