--- Calls that are worth a second look, by their names in the plain code: advice and no boundary.
--- Those of Python are known better, by its own parser.
local report = require "codecell.analyze.report"
local scan = require "codecell.analyze.scan"

local risks = {}

local NOTES_MOST, LINES_MOST, LINE_MOST = 100, 50000, 500

local BECOMES, LEAVES = "makes code of data", "ends the session"
local NETWORK, PROGRAM, REMOVES = "needs the network", "starts a program", "removes files"
local SHELL = "starts a program by the shell: what is put into its words can become a command"

-- A function that another name leads to.
local function member(owner, name, why)
  local pattern = ("%%f[%%w_$.:]%s%%s*%%.%%s*%s%%f[^%%w_$]"):format(owner, name)
  return { pattern, owner .. "." .. name, why }
end

-- Of each language: pattern, name, why.
local C = {
  { "%f[%w_]system%s*%(", "system", SHELL },
  { "%f[%w_]popen%s*%(", "popen", SHELL },
  { "%f[%w_]exec[lv][pe]*%s*%(", "exec", LEAVES },
  { "%f[%w_]gets%s*%(", "gets", "reads more than there is room for" },
}
local JAVASCRIPT = {
  { "%f[%w_$.]eval%s*%(", "eval", BECOMES },
  { "%f[%w_$]new%s+Function%s*%(", "Function", BECOMES },
  member("process", "exit", LEAVES),
  member("process", "kill", "sends a signal"),
  { "%f[%w_$]rmdirSync%s*%(", "rmdirSync", REMOVES },
  { "%f[%w_$]rmSync%s*%(", "rmSync", REMOVES },
  { "%f[%w_$]unlinkSync%s*%(", "unlinkSync", REMOVES },
  { "%f[%w_$.]fetch%s*%(", "fetch", NETWORK },
}
local CALLS = {
  bash = {
    { "%f[%w]rm%s+%-%a*[rR]%a*", "rm", "removes whole folders" },
    { "%f[%w]curl%f[^%w_]", "curl", NETWORK },
    { "%f[%w]wget%f[^%w_]", "wget", NETWORK },
    { "%f[%w]sudo%f[^%w_]", "sudo", "there are no rights to be had in a sandbox" },
    { "%f[%w]eval%f[^%w_]", "eval", BECOMES },
  },
  c = C, cpp = C, javascript = JAVASCRIPT, typescript = JAVASCRIPT,
  lua = {
    { "%f[%w_.:]loadstring%f[^%w_]", "loadstring", BECOMES },
    { "%f[%w_.:]load%s*%(", "load", BECOMES },
    { "%f[%w_.:]dofile%f[^%w_]", "dofile", BECOMES },
    member("os", "execute", SHELL),
    member("io", "popen", SHELL),
    member("os", "remove", REMOVES),
    member("os", "exit", LEAVES),
  },
  php = {
    { "%f[%w_$>]eval%s*%(", "eval", BECOMES },
    { "%f[%w_$>]exec%s*%(", "exec", SHELL },
    { "%f[%w_$>]shell_exec%s*%(", "shell_exec", SHELL },
    { "%f[%w_$>]system%s*%(", "system", SHELL },
    { "%f[%w_$>]passthru%s*%(", "passthru", SHELL },
    { "%f[%w_$>]unserialize%s*%(", "unserialize", BECOMES },
    { "%f[%w_$>]unlink%s*%(", "unlink", REMOVES },
  },
  ruby = {
    { "%f[%w_.]eval%f[^%w_?!]", "eval", BECOMES },
    { "%f[%w_.]system%f[^%w_?!]", "system", SHELL },
    { "%f[%w_.]exec%f[^%w_?!]", "exec", LEAVES },
    member("Marshal", "load", BECOMES),
    { "%f[%w_]rm_rf%f[^%w_]", "rm_rf", REMOVES },
  },
}
-- Modules of node that are there for such things.
local MODULES = { child_process = PROGRAM, http = NETWORK, https = NETWORK, net = NETWORK,
  vm = BECOMES }

local function of_line(list, line, number, notes)
  for _, call in ipairs(list) do
    local column = line:find(call[1])
    if column and #notes < NOTES_MOST then
      notes[#notes + 1] = report.note(call[2] .. ": " .. call[3], number, column, call[2])
    end
  end
end

--- What is worth a second look.
---@param language string
---@param code string
---@param imports {name: string, line: integer?}[]
---@return codecell.AnalysisNote[] notes in the order of the code
function risks.look(language, code, imports)
  local notes, list = {}, CALLS[language]
  if not list then
    return notes
  end
  local number = 0
  for line in (scan.plain(code, language) .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if number > LINES_MOST then
      break
    elseif not (language == "bash" and line:find "^%s*#") then
      of_line(list, line:sub(1, LINE_MOST), number, notes)
    end
  end
  for _, import in ipairs(language:find "script$" and imports or {}) do
    local name = import.name:gsub("^node:", "")
    if MODULES[name] then
      notes[#notes + 1] = report.note(name .. ": " .. MODULES[name], import.line, nil, name)
    end
  end
  table.sort(notes, function(left, right)
    if left.line ~= right.line then
      return left.line < right.line
    end
    return (left.column or 0) < (right.column or 0)
  end)
  return notes
end

return risks
