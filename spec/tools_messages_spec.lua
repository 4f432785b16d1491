-- The answers of models with calls of tools: what comes back for any of them, and in each dialect.
local codecell = require "codecell"
local json = require "codecell.json"
local picture = require "spec.support.picture"

local function same_json(expected, value)
  assert.equal((json.encode(json.decode(expected))), (json.encode(value)))
end

describe("any request at all", function()
  -- A generator of its own, so that a failure can be had again.
  local state
  local function random(most)
    state = (state * 16807) % 2147483647
    return state % most + 1
  end

  local NAMES = { "run_code", "run_shell", "files", "install", "read_output", "run_cod", "", "\0",
    "execute", ("n"):rep(5000) }
  local FIELDS = { "code", "language", "intent", "command", "background", "op", "path", "content",
    "packages", "id", "offset", "to", "old_text", "", "x\0y", "network" }
  local VALUES = { "", "1", "python", "\255\254", ("z"):rep(100000), "a\0b", 0, -1, 1e308, 0.5,
    true, false, json.null, "read", "list", "write", "o1", "../../etc/passwd", "\27]0;x\7" }

  local function value(depth)
    local pick = random(#VALUES + 3)
    if pick <= #VALUES or depth > 3 then
      return VALUES[(pick - 1) % #VALUES + 1]
    end
    local list = pick == #VALUES + 1 and json.list() or {}
    for i = 1, random(4) - 1 do
      list[pick == #VALUES + 1 and i or FIELDS[random(#FIELDS)]] = value(depth + 1)
    end
    return list
  end

  local function arguments()
    local given = {}
    for _ = 1, random(5) - 1 do
      given[FIELDS[random(#FIELDS)]] = value(1)
    end
    local pick = random(6)
    if pick == 1 then
      return value(1)
    elseif pick == 2 then
      local text = json.encode(given)
      return text:sub(1, random(#text))
    elseif pick == 3 then
      return (json.encode(given))
    end
    return given
  end

  it("has a result that is JSON in every dialect, and raises nothing", function()
    state = 20260101
    local kit = codecell.tools.kit({ create = { backend = "mock" }, budget = { chars = 1000 } })
    for number = 1, 1500 do
      local name, given = NAMES[random(#NAMES)], arguments()
      local told = kit:call(name, given)
      local about = ("request %d: %s %s"):format(number, name:sub(1, 20),
        tostring(json.encode(given)):sub(1, 200))
      assert.is_boolean(told.is_error, about)
      assert.equal(not told.is_error, told.structured.success, about)
      assert.is_true(#told.text < 20000, about)
      assert.not_equal("internal", told.word, about .. told.text)
      for _, dialect in ipairs(codecell.tools.dialects) do
        assert.truthy(json.encode(codecell.tools.encode(dialect, told, "c1")), about)
      end
    end
    kit:close()
  end)

  it("has messages in every dialect, whatever the answer is", function()
    state = 4711
    local kit = codecell.tools.kit({ create = { backend = "mock" } })
    local WORDS = { "tool_calls", "function", "name", "arguments", "id", "content", "type",
      "tool_use", "input", "output", "function_call", "call_id", "parts", "functionCall", "args",
      "candidates", "choices", "message", "method", "tools/call", "params", "run_code" }
    local function answer(depth)
      local pick = random(10)
      if pick <= 4 or depth > 5 then
        return pick <= 3 and WORDS[random(#WORDS)] or VALUES[random(#VALUES)]
      end
      local built = pick <= 7 and {} or json.list()
      for i = 1, random(4) do
        built[pick <= 7 and WORDS[random(#WORDS)] or i] = answer(depth + 1)
      end
      return built
    end
    for _ = 1, 1500 do
      local message = answer(1)
      for _, dialect in ipairs(codecell.tools.dialects) do
        local list = kit:handle(dialect, message)
        assert.is_true(json.is_list(list))
        assert.truthy(json.encode(list))
      end
    end
    kit:close()
  end)
end)

describe("kit:handle", function()
  local kit
  setup(function()
    kit = codecell.tools.kit {}
    kit:call("run_code", { code = picture(2, 2) })
  end)
  teardown(function()
    kit:close()
  end)

  local CODE = '{"code":"display(Picture())"}'

  it("answers OpenAI's chat: tool messages first, pictures in a message of the user", function()
    local list = kit:handle("openai", { choices = { { message = { role = "assistant",
      tool_calls = {
        { id = "a", type = "function", ["function"] = { name = "run_code", arguments = CODE } },
        { id = "b", type = "function", ["function"] = { name = "run_code",
          arguments = '{"code":' } } } } } } })
    assert.equal(3, #list)
    assert.same({ "tool", "a", "tool", "b", "user" }, { list[1].role, list[1].tool_call_id,
      list[2].role, list[2].tool_call_id, list[3].role })
    assert.is_string(list[1].content)
    assert.truthy(list[2].content:find("no JSON", 1, true))
    assert.truthy(list[3].content[2].image_url.url:find("^data:image/png;base64,iVBOR"))
  end)

  it("answers OpenAI's responses by items", function()
    local list = kit:handle("openai_responses", { output = { { type = "reasoning" },
      { type = "function_call", call_id = "a", name = "run_code", arguments = CODE },
      { type = "function_call", call_id = "b", name = "run_code", arguments = '{"code":"1"}' } } })
    assert.equal(2, #list)
    assert.same({ "function_call_output", "a", "input_text", "input_image" }, { list[1].type,
      list[1].call_id, list[1].output[1].type, list[1].output[2].type })
    assert.is_string(list[2].output)
  end)

  it("answers Anthropic by blocks, with is_error", function()
    local list = kit:handle("anthropic", json.encode({ role = "assistant", content = {
      { type = "text", text = "I try" },
      { type = "tool_use", id = "a", name = "run_code", input = json.decode(CODE) },
      { type = "tool_use", id = "b", name = "nothing", input = {} } } }))
    assert.equal(1, #list)
    assert.equal("user", list[1].role)
    local first, second = list[1].content[1], list[1].content[2]
    assert.same({ "tool_result", "a", false, "text", "image", "base64", "image/png" },
      { first.type, first.tool_use_id, first.is_error, first.content[1].type,
        first.content[2].type, first.content[2].source.type, first.content[2].source.media_type })
    assert.is_true(second.is_error)
  end)

  it("answers Gemini by parts, a response for each call", function()
    local list = kit:handle("gemini", { candidates = { { content = { role = "model", parts = {
      { functionCall = { name = "run_code", args = json.decode(CODE) } },
      { functionCall = { id = "b", name = "run_code", args = { code = "1/0" } } } } } } } })
    local parts = list[1].parts
    assert.same({ "user", "run_code", "b" }, { list[1].role, parts[1].functionResponse.name,
      parts[2].functionResponse.id })
    assert.is_string(parts[1].functionResponse.response.output)
    assert.is_string(parts[2].functionResponse.response.error)
    assert.equal("image/png", parts[3].inlineData.mimeType)
  end)

  it("answers MCP with content, and no picture twice", function()
    local list = kit:handle("mcp", { jsonrpc = "2.0", id = 7, method = "tools/call",
      params = { name = "run_code", arguments = json.decode(CODE) } })
    local told = list[1].result
    assert.same({ 7, "text", "image", "image/png", false }, { list[1].id, told.content[1].type,
      told.content[2].type, told.content[2].mimeType, told.isError })
    assert.is_nil((json.encode(told.structuredContent)):find("iVBOR", 1, true))
    assert.equal(1, told.structuredContent.pictures)
  end)

  it("has nothing to say where no tool is called", function()
    for _, dialect in ipairs(codecell.tools.dialects) do
      same_json("[]", kit:handle(dialect, { role = "assistant", content = "hello" }))
      same_json("[]", kit:handle(dialect, "no JSON"))
    end
  end)

  it("calls a hundred tools of an answer, and refuses the others", function()
    local calls = {}
    for i = 1, 102 do
      calls[i] = { type = "function_call", call_id = "c" .. i, name = "read_output",
        arguments = '{"id":"o1"}' }
    end
    local list = kit:handle("openai_responses", { output = calls })
    assert.equal(102, #list)
    assert.truthy(list[102].output:find("more than 100 calls", 1, true))
  end)
end)

describe("the sets of others", function()
  it("are the twelve actions, as one tool, with their replies", function()
    local service = codecell.assert(codecell.service({ mode = "mock", log_level = "error" }))
    local kit = codecell.tools.kit({ set = "actions", service = service, user = "ann" })
    assert.same({ "e2b_code" }, kit:names())
    local told = kit:call("e2b_code", { action = "create", sessionId = "a" })
    assert.is_true(json.decode(told.text).success)
    told = kit:call("e2b_code", { action = "execute", sessionId = "a" })
    assert.is_true(told.is_error)
    assert.equal("Code is required for `execute` action.", told.structured.error)
    service:close()
  end)

  it("are the two of a coding agent, with their replies", function()
    local service = codecell.assert(codecell.service({ mode = "mock", log_level = "error" }))
    local kit = codecell.tools.kit({ set = "cortex", service = service })
    assert.same({ "execute_python_code", "get_sandbox_info" }, kit:names())
    local told = kit:call("execute_python_code", { code = "1" })
    assert.is_true(json.decode(told.text).success)
    told = kit:call("get_sandbox_info", {})
    assert.is_true(json.is_list(json.decode(told.text)))
    assert.same(json.decode(told.text), told.structured.sandboxes)
    service:close()
  end)
end)
