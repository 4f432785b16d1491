--- Terminals that take a PNG as it is, and how to tell which terminal this is.
local base64 = require "codecell.base64"

local graphics = {}

-- The kitty protocol takes at most this much in one sequence.
local CHUNK = 4096

local TRUE_COLOUR = 16777216

local function colours_of(env)
  local term = env.TERM or ""
  local depth = (env.COLORTERM or ""):lower()
  if term == "" or term == "dumb" then
    return 0
  elseif depth == "truecolor" or depth == "24bit" or term:find("direct", 1, true) then
    return TRUE_COLOUR
  elseif env.KITTY_WINDOW_ID or env.WEZTERM_PANE or env.WT_SESSION or env.KONSOLE_VERSION
    or (tonumber(env.VTE_VERSION) or 0) >= 3600 or env.TERM_PROGRAM == "iTerm.app" then
    return TRUE_COLOUR
  elseif term:find("256color", 1, true) then
    return 256
  end
  return 16
end

local function is_kitty(env)
  local term = env.TERM or ""
  return env.KITTY_WINDOW_ID ~= nil or term == "xterm-kitty" or term == "xterm-ghostty"
    or env.GHOSTTY_RESOURCES_DIR ~= nil or env.TERM_PROGRAM == "ghostty"
end

local function is_iterm(env)
  local program = env.TERM_PROGRAM
  return program == "iTerm.app" or program == "WezTerm" or program == "vscode"
    or program == "mintty" or env.LC_TERMINAL == "iTerm2" or env.WEZTERM_PANE ~= nil
    or env.WEZTERM_EXECUTABLE ~= nil
end

local function is_sixel(env)
  local term = env.TERM or ""
  return term:find("^foot") ~= nil or term:find("^mlterm") ~= nil
    or term:find("sixel", 1, true) ~= nil
    or term:find("^yaft") ~= nil or (tonumber(env.KONSOLE_VERSION) or 0) >= 220400
end

--- What a terminal can do: a pure function of its environment.
---@param env table<string, string>
---@return {protocol: string, colours: integer}
function graphics.detect(env)
  local colours, term = colours_of(env), env.TERM or ""
  local protocol
  if colours == 0 then
    protocol = "none"
  elseif env.TMUX or env.STY or term:find("^screen") or term:find("^tmux") then
    -- A multiplexer eats the sequences of the terminal that it runs in.
    protocol = "blocks"
  elseif is_kitty(env) then
    protocol = "kitty"
  elseif is_iterm(env) then
    protocol = "iterm2"
  elseif is_sixel(env) then
    protocol = "sixel"
  else
    protocol = "blocks"
  end
  if protocol == "blocks" and (colours < 256 or env.NO_COLOR and env.NO_COLOR ~= "") then
    protocol = "none"
  end
  return { protocol = protocol, colours = colours }
end

--- The kitty graphics protocol: base64 in pieces. The terminal is told not to answer (q=2), or its
--- answer would be read as typed input.
---@param png string
---@param columns integer? width in cells
---@param rows integer? height in cells
---@return string
function graphics.kitty(png, columns, rows)
  local data = base64.encode(png)
  local control = "a=T,f=100,q=2"
  if rows then
    control = control .. (",c=%d,r=%d"):format(columns, rows)
  elseif columns then
    control = control .. (",c=%d"):format(columns)
  end
  local parts = {}
  for at = 1, #data, CHUNK do
    local more = at + CHUNK <= #data and 1 or 0
    parts[#parts + 1] = ("\27_G%sm=%d;"):format(at == 1 and control .. "," or "", more)
      .. data:sub(at, at + CHUNK - 1) .. "\27\\"
  end
  return table.concat(parts)
end

--- iTerm2's inline pictures, which WezTerm, VS Code and mintty take too.
---@param png string
---@param columns integer? width in cells
---@param rows integer? height in cells
---@return string
function graphics.iterm2(png, columns, rows)
  return ("\27]1337;File=inline=1;size=%d;preserveAspectRatio=1%s%s:"):format(#png,
    columns and (";width=%d"):format(columns) or "", rows and (";height=%d"):format(rows) or "")
    .. base64.encode(png) .. "\7"
end

return graphics
