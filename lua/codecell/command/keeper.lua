--- The keeper: the background program (`codecell serve --unix`) that keeps named sandboxes of one
--- user between commands. Here is how commands find it, start it and ask it.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local errors = require "codecell.errors"
local http = require "codecell.http"
local json = require "codecell.json"
local runtime_folder = require "codecell.runtime_folder"

local START = 20 -- seconds until it answers
local POLL = 0.02
local ORIGIN = "http://127.0.0.1" -- of what goes through its socket
local ANSWER_MOST = 1048576 -- bytes of an answer that is read at once
local DAY = 86400

local keeper = {
  prefix = "/codecell/", -- of its paths
}

--- Where its socket is: in a folder of this user alone.
---@return string path
function keeper.socket()
  return runtime_folder() .. "/serve.sock"
end

-- Whoever could put another socket there would get the code, and what it is given.
local function open()
  local path = keeper.socket()
  local ok, err = core.host_store(path:match("^(.*)/"), false)
  if ok then
    return http.client({ socket = path })
  elseif err.kind == "not_found" then
    return nil, errors.new("unavailable", "no program keeps named sandboxes")
  end
  return nil, err
end

local function request(client, method, path, body, timeout)
  return client:request({ url = ORIGIN .. keeper.prefix .. path, method = method, body = body,
    timeout = timeout, idle = DAY })
end

--- Whether it runs.
---@return codecell.HttpClient? client to ask it by
---@return codecell.Error? err kind "unavailable": it does not run; "permission_denied": the folder
---of its socket is not of this user alone
function keeper.find()
  local client, err = open()
  if not client then
    return nil, err
  end
  local answer
  answer, err = request(client, "GET", "", nil, START)
  if not answer then
    client:close()
    return nil, err
  end
  answer:close()
  return client
end

--- Have it run.
---@return codecell.HttpClient? client
---@return codecell.Error? err
function keeper.start()
  local client, err = keeper.find()
  if client or err.kind == "unsupported" or err.kind == "permission_denied" then
    return client, err
  end
  local started
  started, err = core.launch_again({ "codecell", command.absolute(arg[0]), "serve", "--unix",
    keeper.socket() })
  if not started then
    return nil, err
  end
  local deadline = codecell.reactor():now() + START
  repeat
    codecell.step(POLL)
    client = keeper.find()
  until client or codecell.reactor():now() >= deadline
  if client then
    return client
  end
  return nil, errors.new("unavailable", ("the program that keeps named sandboxes does not start; "
    .. "'codecell serve --unix %s' says why"):format(keeper.socket()))
end

--- Ask for something that is answered at once.
---@param client codecell.HttpClient
---@param method string
---@param path string below the prefix
---@return any value of its JSON; nil when there is none of that name
---@return codecell.Error? err
function keeper.ask(client, method, path)
  local answer, err = request(client, method, path, nil, START)
  local body
  if answer then
    body, err = answer:all(ANSWER_MOST)
  end
  if not body then
    return nil, err
  elseif answer.status ~= 200 then
    return nil, errors.new("not_found", "there is no such sandbox")
  end
  return json.decode(body)
end

--- Ask for something long, and be given it piece by piece.
---@param client codecell.HttpClient
---@param path string below the prefix
---@param take fun(piece: string): any nil ends it
---@return true? done
---@return codecell.Error? err
function keeper.copy(client, path, take)
  local answer, err = request(client, "GET", path, nil, DAY)
  if answer and answer.status ~= 200 then
    local text = answer:all(ANSWER_MOST)
    return nil, errors.new("system", text and text:gsub("%s+$", "") or "it was refused")
  end
  local piece, taken
  repeat
    if answer then
      piece, err = answer:read()
    end
    taken = not piece or take(piece)
  until not piece or not taken
  return not err and taken and true or nil, err
end

-- Calls with each line of JSON that a text has, and returns what comes behind the last.
local function take_lines(text, heard)
  local from = 1
  while true do
    local till = text:find("\n", from, true)
    if not till then
      return text:sub(from)
    end
    heard(json.decode(text:sub(from, till - 1)))
    from = till + 1
  end
end

--- Send an order, and hear what becomes of it as it comes.
---@param client codecell.HttpClient
---@param order table
---@param heard fun(line: table)
---@return true? done
---@return codecell.Error? err
function keeper.order(client, order, heard)
  local text, problem = json.encode(order)
  if not text then
    return nil, problem
  end
  local answer, err = request(client, "POST", "run", text, DAY)
  local rest, chunk = {}, nil -- pieces of a line that may be long
  repeat
    if answer then
      chunk, err = answer:read()
    end
    rest[#rest + 1] = chunk
    if chunk and chunk:find("\n", 1, true) then
      rest = { take_lines(table.concat(rest), heard) }
    end
  until not chunk
  return not err or nil, err
end

return keeper
