--- Mutates what E2B sends, and checks what must hold of every stream: pieces of any size are read
--- as the whole is, and nothing raises. The same for what clients send to the gateway as forms, for
--- packed bodies, and for cassettes: one is refused, or played.
---
---     lua fuzz/e2b_fuzz.lua SECONDS CORPUS [SEED]
---
--- LUA_PATH must reach the library and the repository's root. Exits with 1 at the first failure,
--- after writing the bytes to standard error as a Lua string.
local base64 = require "codecell.base64"
local cassette = require "codecell.cassette"
local control = require "codecell.e2b.control"
local e2b = require "spec.support.e2b"
local envelope = require "codecell.e2b.envelope"
local format = require "codecell.cassette.format"
local gzip = require "codecell.http.gzip"
local json = require "codecell.json"
local lines = require "codecell.e2b.lines"
local multipart = require "codecell.gateway.envd.multipart"
local shape = require "codecell.e2b.shape"

local seconds = tonumber(arg[1] or "10")
local seed = tonumber(arg[3] or "1")

local function packed(text)
  local body, pieces = assert(gzip.packed(text)), {}
  for piece in body do
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

local SEEDS = {
  '--b\r\nContent-Disposition: form-data; name="file"; filename="a%22b"\r\n\r\ncontent\r\n--b\r\n'
    .. 'content-disposition: form-data; name=x\r\n\r\n\r\n--b--\r\n', packed(("text "):rep(50)),
  e2b.process(e2b.out "hi", e2b.out("oh", "stderr"), e2b.exit0),
  e2b.envelope { start = {} } .. e2b.envelope { filesystem = { name = "a", type = 1 } },
  e2b.envelope({ error = { code = "not_found", message = "none" } }, 2),
  e2b.lines({ type = "stdout", text = "hi" }, { type = "result", png = "aGk=", extra = {} },
    { type = "end_of_execution" }),
  '[{"path":"/a","name":"a","type":"file"}]', "", json.encode(e2b.detail()),
  format.text { cassette = 1, backend = "local" } .. format.text(format.pack { kind = "execute",
    asked = { code = "a\nb" }, answer = { logs = { stdout = { "\255" } }, results = {} } }),
}
local PIECES = { "\r\n--b", "--", "\r\n\r\n", "\31\139\8",
  "\0", "\2", "\255", "\0\0\0\0", "\0\0\0\0\2{}", "\2\0\0\0\2{}", "{", "}", "[", "]",
  '"', "\\", "\n", "null", "1e999", "-0", "\226\130", '{"a":', '"\\ud800"', "2026-08-01T10:00:00Z",
  "0.6.13", "aGk=" }

local state = seed * 2654435 % 2147483647 + 1
local function random(count)
  state = state * 16807 % 2147483647
  return state % count + 1
end

local function mutate(text)
  for _ = 1, random(6) do
    local at, action = random(#text + 1), random(3)
    if action == 1 then
      text = text:sub(1, at - 1) .. PIECES[random(#PIECES)] .. text:sub(at)
    elseif action == 2 then
      text = text:sub(1, at - 1) .. text:sub(at + random(20))
    else
      text = text:sub(1, at - 1) .. string.char(random(256) - 1) .. text:sub(at + 1)
    end
  end
  return text
end

-- What a reader finds in these pieces, as one text.
local function read(new, pieces)
  local reader, found = new("x"), {}
  for _, piece in ipairs(pieces) do
    reader:add(piece)
    local value, more = reader:next()
    while value do
      found[#found + 1] = json.encode(value) .. tostring(more)
      value, more = reader:next()
    end
    if value == nil then
      found[#found + 1] = more.kind
      break
    end
  end
  return table.concat(found, "\n")
end

local function cut(text)
  local pieces, at = {}, 1
  while at <= #text do
    local size = random(12)
    pieces[#pieces + 1] = text:sub(at, at + size - 1)
    at = at + size
  end
  return pieces
end

local tape = os.tmpname()

-- A cassette is refused, or answers what it holds, each once.
local function play(text)
  local file = assert(io.open(tape, "wb"))
  file:write(text)
  file:close()
  local recording, err = cassette.open(tape)
  assert(recording or err.kind == "protocol", tostring(err))
  for _ = 1, recording and 2 or 0 do
    local answer
    answer, err = recording:take("x", "execute", { code = "a\nb" })
    assert(answer ~= nil or err == nil or type(err.message) == "string")
  end
  assert(not recording or err and err.kind == "protocol", "an answer is given twice")
end

local function source_of(pieces)
  local at = 0
  return function()
    at = at + 1
    return pieces[at]
  end
end

-- What a form holds, as one text.
local function parts_of(pieces)
  local form = assert(multipart.reader("multipart/form-data; boundary=b", source_of(pieces)))
  local found = {}
  local part, err = form:next()
  while part do
    found[#found + 1] = ("%s=%s:"):format(tostring(part.name), tostring(part.filename))
    local piece, problem = form:read()
    while piece do
      found[#found + 1] = piece
      piece, problem = form:read()
    end
    err = problem
    if err then
      break
    end
    part, err = form:next()
  end
  return (err and err.kind .. " " or "") .. (err and "" or table.concat(found))
end

-- What was packed, until the end or what makes no sense.
local function unpacked(pieces)
  local unpacker, found, problem = assert(gzip.unpacker()), {}, nil
  for _, piece in ipairs(pieces) do
    unpacker:add(piece)
    local bytes
    repeat
      bytes, problem = unpacker:next()
      found[#found + 1] = bytes or nil
    until not bytes
    if problem then
      break
    end
  end
  local is_cut = unpacker:cut "x" ~= nil
  unpacker:close()
  return (problem or "") .. tostring(is_cut) .. (problem and "" or table.concat(found))
end

local function check(text)
  assert(parts_of { text } == parts_of(cut(text)), "a form is read as something else")
  assert(unpacked { text } == unpacked(cut(text)), "what is packed is read as something else")
  assert(unpacked(cut(packed(text))) == "false" .. text, "packing loses bytes")
  for _, new in ipairs { envelope.reader, lines.reader } do
    assert(read(new, { text }) == read(new, cut(text)), "pieces are read as something else")
  end
  local bytes = base64.decode(text)
  assert(not bytes or base64.decode(base64.encode(bytes)) == bytes, "base64 loses bytes")
  shape.time(text)
  shape.number(text)
  shape.http_date(text)
  assert(shape.version(text) >= 0)
  local value = json.decode(text, 10000)
  if type(value) == "table" and value ~= json.null then
    control.info(value)
    assert(json.encode(format.unpack(format.pack(value))) == json.encode(value))
  end
  play(text)
end

local deadline, runs = os.time() + seconds, 0
while os.time() < deadline do
  for _ = 1, 200 do
    local text = mutate(SEEDS[random(#SEEDS)])
    local ok, problem = pcall(check, text)
    if not ok then
      io.stderr:write(("%s\n%q\n"):format(tostring(problem), text))
      os.exit(1)
    end
    runs = runs + 1
  end
end
os.remove(tape)
print(("%d texts"):format(runs))
