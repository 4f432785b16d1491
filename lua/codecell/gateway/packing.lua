--- Bodies packed with gzip: a program of the sandbox packs and unpacks them, within its limits and
--- on its time, so that what a client sends costs the others nothing.
local errors = require "codecell.errors"
local task = require "codecell.task"

local packing = {}

local PROGRAM = "gzip"
local SILENCE = 600 -- seconds

local function run(one, arguments, has_input)
  local words = { PROGRAM }
  for i, word in ipairs(arguments) do
    words[i + 1] = word
  end
  local process, err = one.sandbox.commands:run(words, { background = true,
    stdin = has_input or nil })
  if not process and err.kind == "not_found" then
    return nil, errors.new("unsupported",
      "Content-Encoding: the sandbox has no program gzip: send the body as it is")
  end
  return process, err
end

-- What it prints, in pieces; at its end, whether it went well.
local function reader_of(process, told)
  return function()
    local chunk, stream
    repeat
      chunk, stream = process:read(SILENCE)
    until not chunk or stream == "stdout"
    if chunk or stream then
      return chunk, not chunk and stream or nil
    end
    local result, err = process:wait(SILENCE)
    if result and result.exit_code == 0 then
      return nil
    end
    return nil, told.err or err
      or errors.new("invalid_argument", "the body is not packed with gzip")
  end
end

local function close(process)
  if not process:_closed() then
    process:kill()
  end
  if not process:_closed() then
    process:close()
  end
end

-- What cannot be written is not missed: the program has ended, and says why.
local function feed(process, source, told)
  local chunk, ok
  repeat
    chunk, told.err = source()
    ok = chunk and not process:_closed() and process:write(chunk, SILENCE)
  until not ok
  if not process:_closed() then
    process:close_input()
  end
end

--- Unpack what comes.
---@param one codecell.GatewayRecord
---@param source fun(): string?, codecell.Error? the next piece; nil: the end
---@return (fun(): string?, codecell.Error?)? read pieces of what was packed
---@return fun()|codecell.Error close call it when no more is read; or err
function packing.unpack(one, source)
  local process, err = run(one, { "-dc" }, true)
  if not process then
    return nil, err
  end
  local told = {}
  task.background(feed, process, source, told)
  return reader_of(process, told), function() close(process) end
end

--- Pack a file.
---@param one codecell.GatewayRecord
---@param path string absolute
---@return (fun(): string?, codecell.Error?)? read pieces
---@return fun()|codecell.Error close as of `unpack`
function packing.pack(one, path)
  local process, err = run(one, { "-1cf", "--", path })
  if not process then
    return nil, err
  end
  return reader_of(process, {}), function() close(process) end
end

return packing
