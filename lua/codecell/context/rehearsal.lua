--- What a kernel runs ahead of its first cell, so that this one finds everything loaded and warm.
---
--- A kernel answers a rehearsal as a cell, and is then as if it had never run: its count, its
--- variables, its random state. What the code leaves in files is taken away here.
local context = require "codecell.context"
local errors = require "codecell.errors"
local mounts = require "codecell.project.mounts"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local PLACES = { "/home/user", "/tmp", "/dev/shm" } -- where code may write
local TIMEOUT = 120 -- seconds; imports may read a lot from a cold disk
local PAUSE = 0.001 -- seconds between two looks at what the last cell has left

-- Harmless cells, which leave nothing.
local CELLS = {
  python = { '1+1', 'print("ready")\n[1, 2.5, "three", {"four": 5}]',
    "try:\n    import traceback, linecache\n    1 / 0\nexcept ZeroDivisionError:\n"
      .. "    traceback.format_exc()\n" },
  javascript = { "1+1", 'console.log("ready"); [1, 2.5, "three"]' },
  typescript = { "1+1", 'console.log("ready"); [1, 2.5, "three"]' },
  bash = { "echo $((1+1))", "true | cat" },
  lua = { "1+1", 'print("ready") return { 1, 2.5, "three" }' },
}

-- What is done with a Python module besides importing it: first what everybody does.
local USES = {
  matplotlib = { [[
import matplotlib.pyplot as plt
figure = plt.figure()
plt.plot([1, 4, 2, 3], label="a")
plt.bar([1, 2], [3, 4])
plt.title("T")
plt.xlabel("x")
plt.legend()
plt.show()
]] },
  numpy = { [[
import numpy
(numpy.arange(12.0).reshape(3, 4) @ numpy.ones((4, 2))).mean()
]] },
  pandas = { [[
import pandas
pandas.DataFrame({"a": range(100), "b": [i * 0.5 for i in range(100)]}).describe()
]], [[
import pandas
frame = pandas.DataFrame({"a": range(100), "b": [i * 0.5 for i in range(100)], "c": ["d"] * 100})
frame.groupby("c").sum()
frame.describe()
]] },
}
local AGAIN = 2 -- a second time reaches what the first has only loaded
local SESSION = 2 -- of the harmless cells

local rehearsal = {}

--- The cells of a language.
---@param language string
---@param imports string[] Python modules
---@return string[] cells
function rehearsal.cells(language, imports)
  local cells = {}
  for i, code in ipairs(CELLS[language] or {}) do
    cells[i] = code
  end
  for _, module in ipairs(language == "python" and imports or {}) do
    cells[#cells + 1] = ("import %s"):format(module)
    for _, use in ipairs(USES[module:match("^[^.]+")] or {}) do
      for _ = 1, AGAIN do
        cells[#cells + 1] = use
      end
    end
  end
  return cells
end

-- Those of a fork of a zygote, which has run all of the others: what a cell writes to, it has from
-- then on for itself.
local function few_cells(language, imports)
  local cells = {}
  for i = 1, SESSION do
    cells[i] = CELLS[language][i]
  end
  for _, module in ipairs(imports) do
    local uses = USES[module:match("^[^.]+")] or {}
    for _ = 1, AGAIN do
      cells[#cells + 1] = uses[1]
    end
  end
  return cells
end

local function run(kernel, code)
  local done, err = kernel:execute({ code = code, timeout = TIMEOUT, sort = "rehearsal",
    call = wait.call })
  if not done then
    return nil, err
  elseif done.error then
    return nil, errors.new("invalid_argument", ("rehearsal of %s: %s: %s"):format(
      kernel.context.language, done.error.name, done.error.value))
  end
  return true
end

local FILES_MOST = 100000

-- What the code has made in a home that lies under an overlay.
local function list_made(self, place, i)
  local changes, err = self._backend.ask(self, "rehearsal", "differences", i, FILES_MOST)
  local names, last = {}, nil
  for _, change in ipairs(changes or {}) do
    if change.op == "create" and not (last and change.path:sub(1, #last) == last) then
      names[#names + 1] = place .. "/" .. change.path
      last = change.path .. "/"
    end
  end
  return changes and names, err
end

-- What lies in a place. Nothing in a folder of this machine is ever ours to remove.
local function list_place(self, place)
  local mount, i = mounts.holding(self, place)
  if mount then
    if mount.mode == "overlay" then
      return list_made(self, place, i)
    end
    return {}
  end
  local entries, err = self.files:list(place)
  local names = {}
  for _, entry in ipairs(entries or {}) do
    if not mounts.holding(self, entry.path) then
      names[#names + 1] = entry.path
    end
  end
  return entries and names, err
end

local function list(self)
  local names = {}
  for _, place in ipairs(PLACES) do
    local found, err = list_place(self, place)
    if not found then
      return nil, err
    end
    for _, name in ipairs(found) do
      if not mounts.lies_below(self, name) then
        names[#names + 1] = name
      end
    end
  end
  return names
end

local function tidy(self)
  local names, err = list(self)
  for _, name in ipairs(names or {}) do
    local ok
    ok, err = self.files:remove(name)
    if not ok and err.kind ~= "not_found" then
      return nil, err
    end
  end
  return names, err
end

-- Until nothing is left: a process of the last cell may still have written.
local function settle(self, kernels)
  local deadline = wait.deadline(TIMEOUT)
  repeat
    local left, err = tidy(self)
    if not left then
      return nil, err
    end
    for _, kernel in ipairs(kernels) do -- its answer says that the rehearsal before it is over
      local cells = CELLS[kernel.context.language]
      local ok
      ok, err = run(kernel, cells[1])
      if not ok then
        return nil, err
      end
    end
    if #left == 0 then
      return true
    end
    local again = wait.deadline(PAUSE)
    while wait.key(nil, again) do
      again = math.min(again, deadline)
    end
  until reactor.now() >= deadline
  return nil, wait.failure("rehearsal", TIMEOUT, "a module that it imports writes on and on")
end

--- Start the kernels of these languages in a new sandbox and let them rehearse.
---@param self codecell.Sandbox
---@param names string[] languages
---@param imports string[] Python modules
---@return true? done
---@return codecell.Error? err "invalid_argument": an import failed, as its message says; and those
---of run_code
function rehearsal.run(self, names, imports)
  local kernels = {}
  for _, name in ipairs(names) do
    local made, err = context.default(self, name)
    local kernel = made and context.kernel(self, "pool", made)
    local cells = made and self._zygote == made.language and few_cells or rehearsal.cells
    local ok
    if kernel then
      ok, err = kernel:start()
    end
    if not ok then
      return nil, err
    end
    if CELLS[made.language] then
      kernels[#kernels + 1] = kernel
    end
    for _, code in ipairs(cells(made.language, imports)) do
      ok, err = run(kernel, code)
      if not ok then
        return nil, err
      end
    end
  end
  return settle(self, kernels)
end

return rehearsal
