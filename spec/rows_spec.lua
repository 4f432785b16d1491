-- What codecell is to do, row by row (spec/cases/rows.tsv), and that nothing of it is lost.
local shell = require "spec.support.shell"

local function read(name)
  local list = {}
  for line in assert(io.lines("spec/cases/" .. name)) do
    local id, text = line:match "^(%u%d%d)\t(.+)$"
    if id then
      list[#list + 1] = { id = id, text = text }
    end
  end
  return list
end

local function by_id(list)
  local found = {}
  for _, row in ipairs(list) do
    assert.is_nil(found[row.id], row.id)
    found[row.id] = row
  end
  return found
end

local rows = read "rows.tsv"
local known, without = by_id(rows), by_id(read "rows_without_test.tsv")

-- The rows that names of tests have as a tag.
local function tagged()
  local found = {}
  local lines = shell.run("grep -hoE '#[A-N][0-9]{2}\\b' spec/*_spec.lua spec/hosts/*_spec.lua",
    { folder = "." }).stdout
  for id in lines:gmatch "#(%u%d%d)" do
    found[id] = true
  end
  return found
end

describe("the rows #once", function()
  it("are 334, each in its place", function()
    assert.equal(334, #rows)
    for i = 2, #rows do
      assert.truthy(rows[i - 1].id < rows[i].id, rows[i].id)
    end
  end)

  it("are each shown by a test, or named with the reason why none does", function()
    local found = tagged()
    for _, row in ipairs(rows) do
      assert.truthy(found[row.id] or without[row.id],
        row.id .. " (" .. row.text .. ") has lost its test")
    end
    for id, row in pairs(without) do
      assert.truthy(known[id], id)
      assert.falsy(found[id], id .. " has a test: take it out of rows_without_test.tsv")
      assert.truthy(#row.text > 10, id .. " needs a reason")
    end
  end)

  it("are all that tags speak of", function()
    for id in pairs(tagged()) do
      assert.truthy(known[id], "#" .. id .. " is the tag of no row")
    end
  end)

  it("have the second and the third milestone whole #M16 #M17", function()
    local found = tagged()
    for _, id in ipairs { "M09", "M10", "M11", "M12", "M13", "M14", "B23", "E04", "L11", "K15" } do
      if without[id] then
        return pending(id .. ": " .. without[id].text)
      end
      assert.truthy(found[id], id)
    end
  end)

  it("are printed with their tests by `make rows`, and what is missing", function()
    local all = shell.run("env -u MAKEFLAGS -u MFLAGS make -s rows", { folder = "." })
    assert.equal("", all.stderr)
    assert.truthy(all.stdout:find("\nD11  write a file from the host\n     spec/", 1, true))
    local total, shown, missing = all.stdout:match
      "\n(%d+) rows, (%d+) shown by tests, (%d+) missing\n$"
    assert.equal(334, tonumber(total))
    assert.equal(334, shown + missing)
    local only = shell.run("env -u MAKEFLAGS -u MFLAGS make -s rows MISSING=1",
      { folder = "." }).stdout
    assert.equal(tonumber(missing), select(2, only:gsub("\n     MISSING: ", "")))
    assert.falsy(only:find("\nD11", 1, true))
  end)
end)
