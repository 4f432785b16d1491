-- `codecell bench`: figures of this machine, not judged by any time.
local json = require "cjson"
local shell = require "spec.support.shell"

local function run(words)
  return shell.run(shell.codecell .. " " .. words)
end

local function figures_of(words)
  local result = run(words .. " --json")
  assert.equal(0, result.status, result.stderr)
  return json.decode(result.stdout)
end

local function assert_summary(one, count)
  assert.equal(count, one.n)
  assert.is_true(0 < one.min and one.min <= one.p50 and one.p50 <= one.p95 and one.p95 <= one.max)
end

describe("codecell bench #once", function()
  it("start tells p50 and p95 of create and first cell, cold and from a pool #D20 #D22 #L12",
    function()
      local figures = figures_of "bench start --mode local -n 5"
      for _, name in ipairs({ "cold", "pool" }) do
        assert_summary(figures[name].create, 5)
        assert_summary(figures[name].first_cell, 5)
        assert.is_true(figures[name].create.p50 < figures[name].first_cell.p50)
      end
      assert.is_true(figures.pool.first_cell.p50 < figures.cold.first_cell.p50)
      local text = run("bench start -n 2").stdout
      assert.matches("p50 ms +p95 ms", text)
      assert.matches("\ncreate, pool +[%d.]+ +[%d.]+", text)
      assert.matches("\ncreate and first cell, cold +[%d.]+ +[%d.]+", text)
    end)

  it("audit tells what it costs a cell that it is recorded #K11", function()
    local figures = figures_of "bench audit -n 5"
    for _, name in ipairs({ "plain", "audited", "synced" }) do
      assert_summary(figures[name], 5)
    end
    assert.matches("\ncell, audited +[%d.]+ +[%d.]+", run("bench audit -n 2").stdout)
  end)

  it("start tells how the pool was used, and needs none #D22 #L03", function()
    local used = figures_of("bench start -n 3 --pool 2").utilisation
    assert.same({ 2, 4, 0, 0 }, { used.size, used.taken, used.missed, used.died })
    assert.is_true(used.made >= used.taken)
    local without = figures_of "bench start -n 3 --pool 0"
    assert.is_nil(without.pool)
    assert.is_nil(without.utilisation)
  end)

  it("memory tells what a sandbox weighs, which has no interpreter until code asks for one "
    .. "#D30 #L03", function()
      local figures = figures_of "bench memory -n 20"
      assert.equal(20, figures.count)
      assert.equal(2, figures.idle.processes)
      assert.equal(3, figures.session.processes)
      assert.is_true(figures.idle.private > 0 and figures.idle.private < 2 ^ 20)
      assert.is_true(figures.session.private > figures.idle.private)
      assert.matches("\nsandbox +[%d.]+", run("bench memory -n 2").stdout)
    end)

  it("parallel tells the sum of the times, and the time of all at once #D32", function()
    local figures = figures_of "bench parallel -n 2"
    assert.equal(2, figures.count)
    assert.is_true(figures.sum > 0 and figures.wall > 0)
  end)

  it("scale tells how many a GiB holds, and runs a second; make bench keeps it #L09 #M12",
    function()
      local figures = figures_of "bench scale -n 2"
      assert.equal(2, figures.count)
      assert.equal(100, figures.runs)
      assert.is_true(figures.per_gib > 1 and figures.runs_per_second > 0)
      assert.equal(math.floor(2 ^ 30 / figures.bytes), figures.per_gib)
      assert.matches("in a GiB\n2 at once: %d+ runs a second", run("bench scale -n 2").stdout)
      assert.truthy(shell.read("Makefile"):find("bench scale --json", 1, true))
    end)

  it("says what it wants", function()
    for words, message in pairs({ ["bench"] = "give one of start",
      ["bench idle"] = "give one of start", ["bench start -n 0"] = "at least 1",
      ["bench start -n x"] = "whole number" }) do
      local result = run(words)
      assert.equal(2, result.status)
      assert.truthy(result.stderr:find(message, 1, true), result.stderr)
    end
  end)

  it("load lives many at once, and leaves no process, descriptor or mount #M14", function()
    local figures = figures_of "bench load -n 20"
    assert.equal(0, figures.failed, figures.problem)
    assert_summary(figures.create, 20)
    assert_summary(figures.first_cell, 20)
    assert.same({ processes = 0, descriptors = 0, mounts = 0 }, figures.left)
    assert.matches("left: 0 processes, 0 descriptors, 0 mounts", run("bench load -n 2").stdout)
  end)
end)
