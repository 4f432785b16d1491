-- nginx.lua -- a real nginx with its Lua module, on a socket in a folder of its own.

local core = require "codecell.core"
local shell = require "spec.support.shell"

local nginx = {}

local program = os.getenv "CODECELL_NGINX"
local modules = os.getenv "CODECELL_NGINX_MODULES" or "/usr/lib/nginx/modules"

local function find_program()
  for _, name in ipairs { program or "openresty", program or "nginx" } do
    local about = shell.run(name .. " -V")
    if about.status == 0 then
      return name, about.stderr
    end
  end
end

-- Lines that load the Lua module, where it is not compiled in; nil where there is none.
local function load_module(about)
  if about:find("ngx_lua", 1, true) then
    return ""
  elseif shell.read(modules .. "/ngx_http_lua_module.so") then
    return ("load_module %s/ndk_http_module.so; load_module %s/ngx_http_lua_module.so;")
      :format(modules, modules)
  end
end

local Server = {}
Server.__index = Server

--- Start one whose `http` block holds these directives; LISTEN in them becomes its address.
--- nil and a reason where there is none, or environment is nil.
function nginx.start(http, environment)
  local name, about = find_program()
  local loading = name and load_module(about)
  if not loading then
    return nil, "nginx with its Lua module is not installed (CODECELL_NGINX names another)"
  elseif shell.run("curl --version").status ~= 0 then
    return nil, "curl is not installed"
  end
  local folder = shell.folder()
  local lua_path = environment:match "LUA_PATH='([^']*)'"
  local lua_cpath = environment:match "LUA_CPATH='([^']*)'"
  shell.write(folder .. "/conf", ([[
    %s
    daemon off;
    worker_processes 1;
    pid FOLDER/pid;
    error_log FOLDER/log info;
    events { worker_connections 128; }
    http {
      access_log off;
      client_body_temp_path FOLDER/body;
      proxy_temp_path FOLDER/proxy;
      fastcgi_temp_path FOLDER/fastcgi;
      uwsgi_temp_path FOLDER/uwsgi;
      scgi_temp_path FOLDER/scgi;
      lua_package_path "%s";
      lua_package_cpath "%s";
      %s
    }
  ]]):format(loading, lua_path, lua_cpath, (http:gsub("LISTEN", "unix:FOLDER/socket"))
    :gsub("%%", "%%%%")):gsub("FOLDER", folder))
  os.execute(("%s -p %s -c %s/conf >%s/out 2>&1 &"):format(name, folder, folder, folder))
  local self = setmetatable({ folder = folder }, Server)
  if not self:eventually(function()
    return (shell.read(folder .. "/pid") or "") ~= "" and self:get("/").status == 0
  end) then
    local said = (shell.read(folder .. "/out") or "") .. (shell.read(folder .. "/log") or "")
    self:stop()
    error("nginx did not start: " .. said)
  end
  return self
end

--- Ask until it is so, for at most ten seconds.
function Server.eventually(_, condition)
  local codecell = require "codecell"
  local deadline = codecell.reactor():now() + 10
  while not condition() do
    if codecell.reactor():now() > deadline then
      return false
    end
    codecell.step(0.05)
  end
  return true
end

function Server:line(path, options)
  return ("curl -sS -m 20 %s --unix-socket %s/socket http://host%s")
    :format(options or "", self.folder, path)
end

--- What a request is answered: {stdout, stderr, status} of curl.
function Server:get(path, options)
  return shell.run(self:line(path, options))
end

function Server:signal(name)
  return shell.run(("kill -%s $(cat %s/pid)"):format(name, self.folder)).status == 0
end

function Server:log()
  return shell.read(self.folder .. "/log") or ""
end

--- Ids of living sandboxes, of those that the text speaks of.
function nginx.living(text)
  local count = 0
  for _, one in ipairs(core.sandboxes("all")) do
    count = count + (text:find("id " .. one.id, 1, true) and 1 or 0)
  end
  return count
end

--- End it, gracefully if it still can.
function Server:stop()
  local pid = shell.read(self.folder .. "/pid")
  self:signal("QUIT")
  local ended = self:eventually(function()
    return shell.read(self.folder .. "/pid") == nil
  end)
  if not ended and pid and pid ~= "" then
    shell.run("kill -KILL " .. pid)
  end
  shell.remove(self.folder)
  return ended
end

return nginx
