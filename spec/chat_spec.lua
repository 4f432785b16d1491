local codecell = require "codecell"
local json = codecell.json
local server = require "spec.support.e2b"
local shell = require "spec.support.shell"

local EVENTS = { ["Content-Type"] = "text/event-stream" }
local KEY = "sk-never-to-be-seen-1234"

-- What a model streams: each piece an event.
local function stream(pieces)
  local out = { ": a comment\r\n\r\n" }
  for _, piece in ipairs(pieces) do
    out[#out + 1] = "data: " .. codecell.assert(json.encode(piece)) .. "\n\n"
  end
  out[#out + 1] = "data: [DONE]\n\n"
  return table.concat(out)
end

local function delta(given, reason)
  return { choices = json.list({ { index = 0, delta = given,
    finish_reason = reason or json.null } }) }
end

-- A text, some letters an event.
local function texts(text, size)
  local pieces = { delta { role = "assistant", content = "" } }
  for at = 1, #text, size do
    pieces[#pieces + 1] = delta { content = text:sub(at, at + size - 1) }
  end
  pieces[#pieces + 1] = delta({}, "stop")
  pieces[#pieces + 1] = { choices = json.list({}), usage = { prompt_tokens = 10,
    completion_tokens = 5, total_tokens = 15 } }
  return stream(pieces)
end

local function tool_call(id, code)
  local arguments = codecell.assert(json.encode { code = code, language = "python" })
  local half = math.floor(#arguments / 2)
  return stream {
    delta { role = "assistant", content = json.null, tool_calls = json.list({ { index = 0,
      id = id, type = "function", ["function"] = { name = "run_code", arguments = "" } } }) },
    delta { tool_calls = json.list({ { index = 0,
      ["function"] = { arguments = arguments:sub(1, half) } } }) },
    delta { tool_calls = json.list({ { index = 0,
      ["function"] = { arguments = arguments:sub(half + 1) } } }) },
    delta({}, "tool_calls"),
  }
end

describe("codecell.agent.chat", function()
  local model
  setup(function() model = server.start() end)
  teardown(function() model:stop() end)

  local function chat(given)
    local all = { model = "m-1", url = model.url .. "/v1/", key = KEY }
    for name, value in pairs(given or {}) do
      all[name] = value
    end
    return codecell.agent.chat(all)
  end

  local function asked()
    local list = {}
    for i, request in ipairs(model:requests()) do
      list[i] = codecell.assert(json.decode(request.body))
      list[i].path, list[i].headers = request.path, request.headers
    end
    return list
  end

  it("asks with model, messages, key and parameters, and gives the text as it comes", function()
    model:script { { path = "/v1/chat/completions", headers = EVENTS, pieces = 7,
      body = texts("Eine größere Antwort.", 3) } }
    local heard = {}
    local answer = codecell.assert(chat { parameters = { temperature = 0 },
      on_text = function(text) heard[#heard + 1] = text end } {
        { role = "user", content = "Hello" } })
    assert.equal("Eine größere Antwort.", answer.choices[1].message.content)
    assert.equal("Eine größere Antwort.", table.concat(heard))
    assert.truthy(#heard > 5)
    assert.equal("stop", answer.choices[1].finish_reason)
    assert.equal(15, answer.usage.total_tokens)
    local request = asked()[1]
    assert.equal("m-1", request.model)
    assert.equal(0, request.temperature)
    assert.is_true(request.stream)
    assert.equal("Hello", request.messages[1].content)
    assert.equal("Bearer " .. KEY, request.headers.authorization)
  end)

  it("takes an answer that is not streamed", function()
    model:script { { path = "/v1/chat/completions", json = { choices = json.list({ {
      message = { role = "assistant", content = "Hi." }, finish_reason = "stop" } }) } } }
    local answer = codecell.assert(chat { stream = false } { { role = "user", content = "x" } })
    assert.equal("Hi.", answer.choices[1].message.content)
    assert.is_nil(asked()[1].stream)
  end)

  it("is the model of a loop: code in answers, streamed", function()
    model:script { { path = "/chat/completions", headers = EVENTS, pieces = 50, bodies = {
      texts("I count.\n\n```python\nsum(range(5))\n```\n", 4), texts("It is 10.", 4) } } }
    local outcome = codecell.agent.loop { prompt = "Sum?", ask = chat() }
    assert.equal("answer", outcome.stopped)
    assert.equal("It is 10.", outcome.answer)
    assert.equal("10", outcome.executions[1].text)
    assert.equal(30, outcome.usage.tokens)
    local second = asked()[2].messages
    assert.same({ "system", "user", "assistant", "user" }, { second[1].role, second[2].role,
      second[3].role, second[4].role })
    assert.truthy(second[4].content:find("10", 1, true))
  end)

  it("is the model of a loop: tools, called in pieces", function()
    model:script { { path = "/chat/completions", headers = EVENTS, pieces = 33, bodies = {
      tool_call("call_7", "6 * 7"), texts("It is 42.", 4) } } }
    local outcome = codecell.agent.loop { prompt = "Six times seven?", tools = true, ask = chat() }
    assert.equal("answer", outcome.stopped)
    assert.equal("42", outcome.executions[1].text)
    local requests = asked()
    assert.equal("run_code", requests[1].tools[1]["function"].name)
    local sent = requests[2].messages
    assert.equal("call_7", sent[3].tool_calls[1].id)
    assert.equal(json.null, sent[3].content)
    assert.same({ "tool", "call_7" }, { sent[4].role, sent[4].tool_call_id })
  end)

  it("says what the endpoint has refused, and never the key", function()
    local rows = {
      { 401, "unauthenticated", "check the key" }, { 404, "not_found", "check url and model" },
      { 429, "rate_limited", "wait, or raise" }, { 500, "unavailable", "" },
      { 400, "invalid_argument", "" },
    }
    for _, row in ipairs(rows) do
      model:script { { path = "/", status = row[1], headers = { ["Retry-After"] = "7" },
        json = { error = { message = "the key " .. KEY .. "\nis bad" } } } }
      local answer, err = chat() { { role = "user", content = "x" } }
      assert.is_nil(answer)
      assert.equal(row[2], err.kind)
      assert.equal(row[1], err.status)
      assert.equal(7, err.retry_after)
      assert.truthy(err.message:find("the key *** is bad", 1, true), err.message)
      assert.truthy(err.message:find(row[3], 1, true))
    end
    local outcome = codecell.agent.loop { prompt = "x", ask = chat() }
    assert.equal("error", outcome.stopped)
    assert.equal("invalid_argument", outcome.err.kind)
  end)

  it("says what is wrong with an answer", function()
    local rows = {
      { { headers = EVENTS, body = "data: {oops\n\n" }, "protocol", "no JSON object" },
      { { headers = EVENTS, body = 'data: {"error": {"message": "full"}}\n\n' }, "unavailable",
        "full" },
      { { headers = EVENTS, body = stream({ delta { content = "a" } }):gsub("data: %[DONE%]\n\n",
        "") }, "unavailable", "broke off" },
      { { headers = EVENTS, body = texts("abcdef", 1), cut = 60, pieces = 10 }, "unavailable", "" },
      { { headers = EVENTS, body = "data: " .. ("x"):rep(4200000) }, "protocol",
        "more than 4194304 bytes" },
      { { json = { choices = json.list({}) } }, "protocol", "without choices" },
      { { body = "<html>" }, "protocol", "no JSON object" },
    }
    for i, row in ipairs(rows) do
      row[1].path = "/"
      model:script { row[1] }
      local answer, err = chat() { { role = "user", content = "x" } }
      assert.is_nil(answer, i)
      assert.equal(row[2], err.kind, i .. err.message)
      assert.truthy(err.message:find(row[3], 1, true), err.message)
    end
  end)

  it("takes what comes without harm: calls without number, name or end", function()
    model:script { { path = "/", headers = EVENTS, body = stream {
      { choices = json.list({}) }, { choices = json.null }, { id = "x" },
      delta { tool_calls = json.list({ { index = 1e9 }, { index = -1 }, { index = "0" }, "x",
        { index = 3, ["function"] = { name = "run_code", arguments = "{" } } }) },
      delta({ tool_calls = json.null, content = json.list({}) }, "stop"),
    } } }
    local answer = codecell.assert(chat() { { role = "user", content = "x" } })
    local calls = answer.choices[1].message.tool_calls
    assert.equal(1, #calls)
    assert.equal("run_code", calls[1]["function"].name)
  end)

  it("waits no longer than it may, and can be cancelled", function()
    model:script { { path = "/", headers = EVENTS, body = ": nothing yet\n\n", pieces = 100,
      hang = true } }
    local answer, err = chat { idle = 0.3 } { { role = "user", content = "x" } }
    assert.is_nil(answer)
    assert.equal("timeout", err.kind)
    local task = codecell.async(function()
      return codecell.agent.loop { prompt = "x", ask = chat() }
    end)
    for _ = 1, 2000 do
      codecell.step(0.01)
      if #model:requests() > 1 then
        break
      end
    end
    task:cancel()
    assert.equal("cancelled", task:wait(20).stopped)
  end)

  it("sends no key where others can read it", function()
    local ok, problem = pcall(codecell.agent.chat, { model = "m", key = KEY,
      url = "http://models.example/v1" })
    assert.is_false(ok)
    assert.truthy(problem:find("over https", 1, true))
    assert.falsy(problem:find(KEY, 1, true))
    assert.has_error(function() codecell.agent.chat { model = "m", url = "models.example" } end)
    assert.has_error(function() codecell.agent.chat {} end)
  end)
end)

describe("examples/openai_agent.lua", function()
  local model
  setup(function() model = server.start() end)
  teardown(function() model:stop() end)

  local function run(words)
    return shell.run(("OPENAI_API_KEY=%s OPENAI_BASE_URL=%s/v1 OPENAI_MODEL=m-2 %s %s %s")
      :format(KEY, model.url, shell.lua, shell.quote(
        shell.run("pwd", { folder = "." }).stdout:gsub("\n", "") .. "/examples/openai_agent.lua"),
        words))
  end

  it("asks any endpoint, runs what the model writes, and prints it as it comes", function()
    model:script { { path = "/v1/chat/completions", headers = EVENTS, pieces = 40, bodies = {
      texts("Let me see.\n\n```python\nx = 2 ** 10\nfinal_answer({'x': x})\n```\n", 9) } } }
    local result = run "What is two to the ten?"
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("Let me see.", 1, true))
    assert.truthy(result.stdout:find("\n[run_code]\n", 1, true))
    assert.truthy(result.stdout:find('Answer: {"x":1024}', 1, true))
    assert.truthy(result.stderr:find("1 answers, 1 runs", 1, true))
  end)

  it("does the same by tools, and says what went wrong", function()
    model:script { { path = "/v1/chat/completions", headers = EVENTS, bodies = {
      tool_call("call_1", "1 / 0"), texts("That cannot be.", 9) } } }
    local result = run "--tools Divide."
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("[run_code failed: runtime]", 1, true))
    assert.truthy(result.stdout:find("That cannot be.", 1, true))
    model:script { { path = "/", status = 401, json = { error = { message = "no" } } } }
    result = run "Hello."
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find("check the key", 1, true))
  end)
end)
