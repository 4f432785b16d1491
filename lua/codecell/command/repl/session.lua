--- The sandbox of a REPL: the cells that are run in it, and the words that begin with "%".
local codecell = require "codecell"
local command = require "codecell.command"
local completion = require "codecell.context.completion"
local languages = require "codecell.languages"
local launch = require "codecell.command.launch"
local reactor = require "codecell.reactor"
local run = require "codecell.command.run"
local show = require "codecell.command.show"
local wait = require "codecell.wait"

local AFTER_MOST = 65536 -- bytes of output that are shown after Ctrl-C
-- Times Ctrl-C is typed until the interpreter itself is ended, each so many seconds after the last.
local PATIENCE, APART = 3, 0.5

---@class codecell.ReplSession
local Session = {}
Session.__index = Session

local session = {}

---@param sandbox codecell.Sandbox
---@param options table as options.parse gave them
---@return codecell.ReplSession
function session.new(sandbox, options)
  return setmetatable({
    sandbox = sandbox, language = options.language, timeout = options.timeout or launch.day,
    view = show.open(sandbox, options.save), typed = {}, status = command.status.success,
  }, Session)
end

--- What is said about the session, apart from what its code says.
---@param ... string
function Session:note(...)
  self.view.err:write(self.view.err:style("dim", table.concat({ ... })), "\n")
end

local function complain(self, text)
  self.view.err:write(self.view.err:style("red", text), "\n")
end

-- ---- cells ----

-- Wait for the end of a run, and let Ctrl-C interrupt it: at first the code, at last all of it.
local function follow(self, running, editor)
  local interrupts, counts_from = 0, 0
  while true do
    local execution, err = running:poll()
    if execution ~= false then
      return execution, err
    end
    local is_gone = editor and editor:gather() == nil
    if is_gone or editor and editor:take_interrupt() then
      interrupts = is_gone and PATIENCE or interrupts
      if reactor.now() >= counts_from then
        interrupts, counts_from = interrupts + 1, reactor.now() + APART
      end
      self.left = self.left or AFTER_MOST
      running:kill(interrupts < PATIENCE and "sigint" or "sigkill")
      if is_gone then
        editor = nil
      elseif interrupts < PATIENCE then
        self:note("^C", interrupts == PATIENCE - 1 and " (once more ends the interpreter)" or "")
      end
    end
    if editor then
      wait.wait(editor.reader)
    else
      wait.key(nil, nil)
    end
  end
end

-- As a terminal does, Ctrl-C drops what was printed and waits to be shown, but for a little.
local function stream(self)
  local how, shown = show.stream(self.view), 0
  for name, called in pairs(how) do
    how[name] = function(text)
      shown = shown + #text
      if shown > AFTER_MOST then -- whoever floods lets the keys be heard
        shown = 0
        wait.turn()
      end
      if self.left then
        text, self.left = text:sub(1, self.left), self.left - #text
        self.is_dropped = self.is_dropped or self.left < 0
        self.left = math.max(self.left, 0)
      end
      called(text)
    end
  end
  self.left, self.is_dropped = nil, false
  return how
end

-- Names that a session of JavaScript declares are nowhere to be asked for.
local function remember_names(self, code)
  for name in code:gmatch("%f[%a]%l+%s+([%a_$][%w_$]*)") do
    self.typed[name] = true
  end
end

-- Once: the end of an interpreter says it itself, and the first code in the next one knows it too.
local function tell_loss(self, execution)
  local problem = execution.error
  local says_so = show.has_failed(execution) and problem.name == "KernelDiedError"
  if execution.state_lost and not says_so and not self.is_loss_told then
    self:note("the interpreter was started again: its variables are lost")
  end
  self.is_loss_told = execution.state_lost and problem ~= nil
end

--- Run a piece of code, and show what it does as it does it.
---@param code string
---@param editor codecell.Editor? hears Ctrl-C meanwhile
---@return boolean goes_on false: the sandbox has ended
function Session:execute(code, editor)
  local view, how = self.view, stream(self)
  how.language, how.timeout = self.language, self.timeout
  local running, err = self.sandbox:start_code(code, how)
  local execution
  if running then
    execution, err = follow(self, running, editor)
  end
  if not execution then
    view.out:settle()
    complain(self, "codecell: " .. tostring(err) .. (err.hint and "\n  " .. err.hint or ""))
    self.status = command.status.failed
    return self.sandbox:is_running() == true
  end
  if self.is_dropped then
    view.out:settle()
    self:note("the rest of the output is left out")
  end
  show.finish(view, execution)
  tell_loss(self, execution)
  remember_names(self, code)
  self.status = run.status(execution)
  return true
end

--- What the word before the cursor may become.
---@param before string
---@return string word
---@return string[] names
function Session:complete(before)
  local word = before:match("^%%(%a*)$")
  if word then
    local names = {}
    for name in pairs(self.words) do
      names[#names + 1] = name:sub(1, #word) == word and "%" .. name or nil
    end
    table.sort(names)
    return "%" .. word, names
  end
  local context = self.sandbox._backend.contexts.default(self.sandbox, self.language)
  local names
  word, names = "", {}
  if context then
    word, names = completion.ask(self.sandbox, context, before)
  end
  if self.language:find("script$") and word ~= "" and not word:find(".", 1, true) then
    local seen = {}
    for _, name in ipairs(names) do
      seen[name] = true
    end
    for name in pairs(self.typed) do
      names[#names + 1] = not seen[name] and name:sub(1, #word) == word and name or nil
    end
    table.sort(names)
  end
  return word, names
end

-- ---- words ----

local words = {}
Session.words = words

local HELP = [[
Code is run when it is whole; an empty line ends a suite. Ctrl-C interrupts it and keeps the
variables, Ctrl-D ends the session, Tab completes names, Ctrl-R looks for what was typed before.

  %lang LANGUAGE   the language of what comes next; each keeps variables of its own
  %reset           forget the variables of this language; files stay
  %save FILE       write what was run to a file of this machine: .ipynb, .md, .py or .lua
  %help            this
  %quit            end the session; exit and quit do it too

]]

function words.help(self)
  self.view.out:write(HELP)
end

function words.quit()
  return "quit"
end

words.exit = words.quit

function words.lang(self, name)
  local known = {}
  for _, one in ipairs(languages.list()) do
    known[#known + 1] = one.available and one.name or nil
  end
  if name == "" then
    self:note(self.language, "; there are ", table.concat(known, ", "))
    return
  end
  local way, err = languages.way(name, true, self.sandbox._root)
  if not way then
    complain(self, tostring(err))
    return
  end
  self.language = way.name
end

function words.reset(self)
  local context, err = self.sandbox._backend.contexts.default(self.sandbox, self.language)
  local done
  if context then
    done, err = self.sandbox:restart_code_context(context)
  end
  if not done then
    complain(self, tostring(err))
    return
  end
  self.typed = {}
  self:note("the variables of ", self.language, " are forgotten")
end

function words.save(self, path)
  local there = path ~= "" and io.open(path, "rb")
  if there then
    there:close()
    complain(self, path .. " is there already; name another file")
    return
  end
  local done, err
  if path ~= "" then
    done, err = require("codecell.export").save(self.sandbox, path)
  end
  if done then
    self:note("wrote ", path)
  else
    complain(self, err and tostring(err) or "%save needs the name of a file")
  end
end

-- What people type to get out of other programs of this sort, where nothing else is meant.
local FAREWELLS = { [".exit"] = true, exit = true, quit = true, ["exit()"] = true,
  ["quit()"] = true, ["os.exit()"] = true, ["process.exit()"] = true, ["sys.exit()"] = true }

--- Do what a word of the session's own asks for.
---@param text string what was typed
---@return boolean is_word it was one
---@return "quit"|nil outcome
function Session:word(text)
  if FAREWELLS[text:match("^%s*(.-)[%s;]*$")] then
    return true, words.quit()
  end
  local name, rest = text:match("^%%(%a+)%s*([^\n]-)%s*$")
  if not name or not words[name] then
    return false
  end
  return true, words[name](self, rest)
end

--- What it says of itself at its beginning.
function Session:greet()
  self:note(("codecell %s, %s, isolated by the %s; %%help for help"):format(codecell._VERSION,
    self.language, self.sandbox:get_info().isolation))
end

return session
