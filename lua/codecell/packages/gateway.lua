--- What installers inside take for their index: it decides, fetches from the real one, compares
--- with its checksums, and keeps what is right for all. No address that a sandbox chose is ever
--- asked for: only names, and files that an index has told.
local cache = require "codecell.packages.cache"
local errors = require "codecell.errors"
local fetch = require "codecell.packages.fetch"
local json = require "codecell.json"
local names = require "codecell.packages.names"
local pypi = require "codecell.packages.pypi"
local reactor = require "codecell.reactor"
local registry = require "codecell.packages.registry"
local wait = require "codecell.wait"
local wheel = require "codecell.packages.wheel"

local gateway = {}

local CHUNK = 65536
local KEPT_MOST = 64 * 2 ^ 20 -- bytes of pages that a sandbox keeps
local AT_ONCE = 8 -- pages that are fetched for a sandbox
local PAGE_AGE = 300 -- seconds
local NAME_MOST = 214 -- letters, as npm has it

local PLAIN = { { "Content-Type", "text/plain; charset=utf-8" } }
local JSON = { { "Content-Type", "application/json" } }
local BYTES = { { "Content-Type", "application/octet-stream" } }

-- ---- answers ----

local function say(request, manager, status, text)
  if manager == "npm" then
    return request:reply(status, JSON, json.encode({ error = text }))
  end
  return request:reply(status, PLAIN, text .. "\n")
end

-- 424 is none of those that installers try again after a while.
local function say_failed(desk, request, manager, what, err)
  local text = ("%s: %s"):format(what, err.message)
  desk:failed(text, err.kind)
  return say(request, manager, 424, text)
end

local function missing(desk, request, manager, name)
  local near = names.nearest(manager, name:lower())
  local why = "the index has no such package"
    .. (near and ("; did you mean %q?"):format(near) or "")
  desk:missing(name:lower(), why)
  return say(request, manager, 404, name .. ": " .. why)
end

-- Old packages of npm have capital letters in their names, which count for the registry alone.
local function is_refused(desk, request, manager, name)
  local why = desk:refusal(manager, name:lower())
  if why then
    say(request, manager, 403, ("%s: %s"):format(name, why))
  end
  return why ~= nil
end

-- ---- what an index has of a package ----

local function known(desk, manager, name)
  desk.pages = desk.pages or { size = 0 }
  local page = desk.pages[manager .. " " .. name]
  return page and reactor.now() - page.at < PAGE_AGE and page or nil
end

local function keep(desk, manager, name, page)
  if desk.pages.size + page.size > KEPT_MOST then
    desk.pages = { size = 0 }
  end
  page.at = reactor.now()
  desk.pages.size = desk.pages.size + page.size + 1024
  desk.pages[manager .. " " .. name] = page
  return page
end

-- Let only so many fetch at a time: code can ask for whatever it likes. False: given up.
local function enter(desk)
  while (desk.fetching or 0) >= AT_ONCE do
    if not wait.key(desk, wait.deadline(PAGE_AGE)) then
      return false
    end
  end
  desk.fetching = (desk.fetching or 0) + 1
  return true
end

local function leave(desk)
  desk.fetching = desk.fetching - 1
  reactor.wake(desk)
end

local function fetch_page(desk, manager, source, name, is_short)
  if not source then
    return nil, errors.new("invalid_argument", "the address of the index is none")
  elseif not enter(desk) then
    return nil, errors.new("cancelled", "the installer has gone")
  end
  local ok, page, err
  if manager == "pip" then
    ok, page, err = wait.call(pypi.page, source, name)
  else
    ok, page, err = wait.call(registry.document, source, name, is_short)
  end
  leave(desk)
  if not ok then
    error(page, 0)
  end
  return page, err
end

-- The page, or nil once the request was answered.
local function page_of(desk, request, manager, name, is_short)
  local source = manager == "pip" and desk.source.index() or manager == "npm"
    and desk.source.registry()
  if is_refused(desk, request, manager, name) then
    return nil
  end
  local page = known(desk, manager, name)
  if page and (is_short or not page.is_short) then
    return page, source
  end
  local err
  page, err = fetch_page(desk, manager, source, name, is_short)
  if page == false then
    missing(desk, request, manager, name)
    return nil
  elseif not page then
    say_failed(desk, request, manager, name, err)
    return nil
  end
  page.is_short = is_short
  return keep(desk, manager, name, page), source
end

-- ---- files ----

-- See `admit`, below.
local function admit_by_file(desk, entry, file)
  if desk:has_list() and not entry.is_admitted and entry.name:find("%.whl$") then
    local text = file and wheel.metadata(file)
    desk:admit("pip", text and pypi.needs(text) or {})
    entry.is_admitted = true
  end
end

-- A file that is kept.
local function send_kept(request, file)
  local ok = request:start(200, BYTES, file:size())
  file:seek(0)
  while ok do
    local chunk = file:read(CHUNK)
    if not chunk then
      break
    end
    ok = request:write(chunk)
  end
  file:close()
  if ok then
    request:finish()
  else
    request:abort()
  end
end

local function length_of(response)
  local text = response.headers["content-length"]
  return text and text:find("^%d+$") and #text <= 15 and tonumber(text) or nil
end

local function too_large(entry, most)
  return errors.new("no_space", ("%s is larger than the disk of the sandbox (%.0f bytes), alone or "
    .. "with what is fetched beside it"):format(entry.name, most))
end

-- The last piece goes when all of it is known to be right: nobody has a whole wrong file. What is
-- not whole yet takes no more of this machine's disk, in sum, than the sandbox has itself.
local function copy(desk, request, response, writer, most, entry)
  local held, err
  while true do
    local chunk
    chunk, err = response:read()
    if not chunk then
      break
    elseif desk.unfinished + #chunk > most then
      return nil, too_large(entry, most)
    end
    desk.unfinished = desk.unfinished + #chunk
    local ok
    ok, err = writer:write(chunk)
    if ok and held then
      ok, err = request:write(held)
    end
    if not ok then
      return nil, err
    end
    held = chunk
  end
  return not err and (held or "") or nil, err
end

local function is_right(writer, entry)
  return not entry.digest or writer.digest:finish() == entry.digest
end

local function send_fetched(desk, request, manager, source, entry)
  local response, err = fetch.get(source, entry.url)
  if response and response.status ~= 200 then
    response:close()
    response, err = nil, errors.new("not_found", "the index names it, and does not have it")
  end
  local writer
  if response then
    writer, err = cache.create("files", entry.algorithm)
  end
  if not writer then
    return say_failed(desk, request, manager, entry.name, err)
  end
  local most = desk:disk()
  local length = length_of(response)
  local ok
  if length and length > most then
    response:close()
    writer:discard()
    return say_failed(desk, request, manager, entry.name, too_large(entry, most))
  end
  ok, err = request:start(200, BYTES, length)
  local last
  if ok then
    last, err = copy(desk, request, response, writer, most, entry)
  end
  response:close()
  desk.unfinished = desk.unfinished - writer.size
  if last and not is_right(writer, entry) then
    last, err = nil, errors.new("protocol", "it is not what the index promised: its checksum "
      .. "is wrong")
  end
  local whole = last and writer:reopen()
  if whole then
    admit_by_file(desk, entry, whole)
    whole:close()
  end
  if not last then
    writer:discard()
    request:abort()
    desk:failed(("%s: %s"):format(entry.name, err.message), err.kind)
    return
  end
  if entry.digest and entry.algorithm ~= "sha1" then
    cache.keep_file(writer, entry.algorithm, entry.digest)
  else
    writer:discard()
  end
  if request:write(last) then
    request:finish()
  end
end

local function send_file(desk, request, manager, source, entry)
  if request.method == "HEAD" then
    return request:reply(200, BYTES)
  end
  local file = entry.digest and entry.algorithm ~= "sha1"
    and cache.file(entry.algorithm, entry.digest)
  if file then
    admit_by_file(desk, entry, file)
    return send_kept(request, file)
  end
  return send_fetched(desk, request, manager, source, entry)
end

-- ---- Python ----

-- What a file needs may be had too. The index tells that beside the file, or else the file itself
-- does: either is read before anybody has all of it.
local function admit(desk, source, entry)
  if not desk:has_list() or entry.is_admitted or not entry.metadata then
    return true
  end
  local text, err = pypi.metadata(source, entry)
  if text then
    desk:admit("pip", pypi.needs(text))
    entry.is_admitted = true
  end
  return text ~= nil, err
end

local function python_file(desk, request, name, file)
  local page, source = page_of(desk, request, "pip", name, true)
  if not page then
    return
  end
  local is_metadata = file:find("%.metadata$") and not page.files[file]
  local entry = page.files[(file:gsub("%.metadata$", is_metadata and "" or "%0"))]
  if not entry or is_metadata and not entry.metadata then
    return say(request, "pip", 404, file .. ": the index has no such file")
  end
  entry.algorithm, entry.digest = "sha256", entry.sha256
  local ok, err = admit(desk, source, entry)
  if ok and is_metadata then
    local text
    text, err = pypi.metadata(source, entry)
    if text then
      return request:reply(200, PLAIN, text)
    end
    ok = text
  end
  if not ok then
    return say_failed(desk, request, "pip", file, err
      or errors.new("not_found", "the index names it, and does not have it"))
  end
  return send_file(desk, request, "pip", source, entry)
end

local function python(desk, request, path)
  local name, rest = path:match("^/simple/(%w[%w._-]*)(/?)$")
  if name and #name > NAME_MOST then
    return say(request, "pip", 404, "no package has a name that is longer than 214 letters")
  elseif name and (rest == "" or name ~= names.plain_python(name)) then
    local place = "/pypi/simple/" .. names.plain_python(name) .. "/"
    return request:reply(301, { { "Location", place } })
  elseif name then
    local page = page_of(desk, request, "pip", name, true)
    if page then
      page.html = page.html or pypi.html(name, page)
      request:reply(200, { { "Content-Type", "text/html" } }, page.html)
    end
    return
  end
  local file
  name, file = path:match("^/files/(%w[%w.-]*)/(%w[%w._+!-]*)$")
  if not name or #name > NAME_MOST then
    return say(request, "pip", 404, "there is nothing here but /pypi/simple/NAME/")
  end
  return python_file(desk, request, names.plain_python(name), file)
end

-- ---- npm ----

local function npm(desk, request, path)
  path = path:gsub("%%2[fF]", "/"):gsub("%%40", "@")
  local name, file = path:match("^/%-/files/(.+)/([^/]+)$")
  local wanted = name or path:sub(2)
  local spec = names.npm(wanted)
  if not spec or spec.name ~= wanted:lower() then
    return say(request, "npm", 404, "there is nothing here but /npm/NAME")
  end
  local is_short = name ~= nil
    or (request.headers.accept or ""):find("install-v1", 1, true) ~= nil
  local page, source = page_of(desk, request, "npm", wanted, is_short)
  if not page then
    return
  end
  if desk:has_list() and not page.is_admitted then
    desk:admit("npm", registry.needs(page))
    page.is_admitted = true
  end
  if not name then
    return request:reply(200, { { "Content-Type", page.kind } }, page.text)
  end
  local entry = page.files[file]
  if not entry then
    return say(request, "npm", 404, file .. ": the registry has no such file")
  end
  return send_file(desk, request, "npm", source, entry)
end

-- ---- both ----

--- Answer a request of an installer.
---@param desk codecell.PackageDesk of the sandbox that it runs in
---@param request codecell.IncomingRequest below /pypi/ or /npm/
function gateway.serve(desk, request)
  local manager, path = request.path:match("^/(%a+)(/.*)$")
  if request.method ~= "GET" and request.method ~= "HEAD" then
    say(request, manager, 405, "packages can be had here, and nothing else")
  elseif manager == "pypi" then
    python(desk, request, path)
  elseif manager == "npm" then
    npm(desk, request, path)
  else
    say(request, manager, 404, "there is nothing here but /pypi/ and /npm/")
  end
end

return gateway
