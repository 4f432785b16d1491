--- Mutates model answers and checks what must hold of every text.
---
---     lua fuzz/blocks_fuzz.lua SECONDS CORPUS [SEED]
---
--- LUA_PATH must reach the library and the repository's root. Exits with 1 at the first failure,
--- after writing the text to standard error as a Lua string.
local blocks = require "codecell.agent.blocks"
local check = require "spec.support.blocks_check"

local seconds = tonumber(arg[1] or "10")
local corpus_folder = arg[2] or "fuzz/corpus/blocks"
local seed = tonumber(arg[3] or "1")

-- What is worth inserting: all that the detector looks at.
local WORDS = {
  "```", "````", "~~~", "`", "```python\n", "```\n", "\n```\n", "\n```", "~~~ sh\n", "```pycon\n",
  "````markdown\n", "```output\n", "```{.lua #a key=\"v\"}\n", "> ", "- ", "1. ", "    ", "\t", " ",
  "\n", "\r\n", "\r", "\n\n", '"""', "'''", "'", '"', "\\", "#", "--[[", "]]", "<<EOF\n", "EOF\n",
  ">>> x\n", "... y\n", "$ ls\n", "<code>", "</code>", "<code lang=lua>", "`<code>`",
  '{"language": "python", "code": "x"}', '{"code":', "{", "}", '\\u00e9', "f(", ")", "\0",
  "\128", "\195\169", "\240\159\152\128", "\226\128\156", "\239\191\189", "# lang: lua\n", "x = 1",
}

local VARIANTS = {
  {}, { tags = true }, { calls = true }, { tags = "lua", calls = true, unclosed = "run" },
  { untagged = "python", nested = "run" }, { role = "user" },
  { parses = function(code) return #code % 3 == 0 end },
}

-- A small generator of our own: the same numbers in every Lua.
local state = seed * 2654435 % 2147483647 + 1
local function random(count)
  state = state * 16807 % 2147483647
  return state % count + 1
end

local function read_corpus()
  local texts = { "", "```python\nprint(1)\n```\n" }
  for i = 1, 99 do
    local file = io.open(("%s/%02d.md"):format(corpus_folder, i), "rb")
    if not file then
      break
    end
    texts[#texts + 1] = file:read("*a")
    file:close()
  end
  return texts
end

local function mutate(text, texts)
  for _ = 1, random(8) do
    local at = random(#text + 1)
    local action = random(6)
    if action <= 3 then
      text = text:sub(1, at - 1) .. WORDS[random(#WORDS)] .. text:sub(at)
    elseif action == 4 then
      text = text:sub(1, at - 1) .. text:sub(at + random(20))
    elseif action == 5 then
      local other = texts[random(#texts)]
      text = text:sub(1, at - 1) .. other:sub(random(#other + 1))
    else
      local from = random(#text + 1)
      text = text:sub(1, at) .. text:sub(from, from + random(40)) .. text:sub(at + 1)
    end
  end
  return text:sub(1, 4000)
end

local function examine(text)
  local opts = VARIANTS[random(#VARIANTS)]
  local whole = blocks.scan(text, opts)
  check.ranges(text, whole)
  local every = {}
  for i = 1, #text do
    every[i] = i
  end
  check.stream(text, every, opts, whole)
  local some, at = {}, 0
  while at < #text do
    at = at + random(60)
    some[#some + 1] = math.min(at, #text)
  end
  check.stream(text, some, opts, whole)
end

-- A text eight times as long may take a little more than eight times as long, not sixty-four.
local function examine_time(text)
  local opts = VARIANTS[random(#VARIANTS - 1)]
  local small = text:rep(math.ceil(60000 / math.max(#text, 1)))
  local large = small:rep(8)
  local clock = os.clock()
  blocks.scan(small, opts)
  local short = os.clock() - clock
  clock = os.clock()
  blocks.scan(large, opts)
  local long = os.clock() - clock
  assert(long < 0.5 + short * 32, ("8 times the text took %.2f s after %.2f s"):format(long, short))
end

local texts = read_corpus()
local stop, count = os.time() + seconds, 0
while os.time() < stop do
  local text = mutate(texts[random(#texts)], texts)
  local ok, message = pcall(examine, text)
  if ok and count % 200 == 0 then
    ok, message = pcall(examine_time, text)
  end
  if not ok then
    io.stderr:write(("blocks_fuzz: seed %d, text %d: %s\n%q\n"):format(seed, count, message, text))
    os.exit(1)
  end
  if #texts < 400 and random(10) == 1 then
    texts[#texts + 1] = text
  end
  count = count + 1
end
print(("blocks_fuzz: %d texts, seed %d, no failure"):format(count, seed))
