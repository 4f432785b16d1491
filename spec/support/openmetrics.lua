-- openmetrics.lua -- a strict reader of OpenMetrics text: what is against its rules raises.

local SUFFIXES = { counter = { _total = true }, gauge = { [""] = true },
  histogram = { _bucket = true, _count = true, _sum = true } }

local function check_labels(text)
  local rest = text
  repeat
    local name, value, more = rest:match('^([%a_][%w_]*)="([^"\\\n]*)"(.*)$')
    assert(name and value, "labels: " .. text)
    rest = more:match("^,(.+)$") or more
  until more == ""
  return text
end

local function family_of(families, name)
  for _, suffix in ipairs({ "_total", "_bucket", "_count", "_sum", "" }) do
    local family = families[suffix == "" and name or name:match("^(.+)" .. suffix .. "$") or ""]
    if family and SUFFIXES[family.kind][suffix] then
      return family
    end
  end
end

local function read_sample(families, current, line)
  local name, labels, value = line:match("^([%a_:][%w_:]*){(.*)} (%S+)$")
  if not name then
    name, value = line:match("^([%a_:][%w_:]*) (%S+)$")
  end
  assert(name and tonumber(value), "sample: " .. line)
  local family = assert(family_of(families, name), "of no family: " .. line)
  assert(family == current, "not with its family: " .. line)
  local key = name .. (labels and "{" .. check_labels(labels) .. "}" or "")
  assert(not family.samples[key], "twice: " .. line)
  assert(family.kind == "gauge" or tonumber(value) >= 0, "below 0: " .. line)
  family.samples[key] = tonumber(value)
  if name:find("_bucket$") then
    local bound, others = labels:match('le="([^"]+)"'), labels:gsub(',?le="[^"]+"', "")
    assert(bound == "+Inf" or bound:find("^%d+%.%d+$"), "bound: " .. line)
    assert(tonumber(value) >= (family.last[others] or 0), "buckets: " .. line)
    family.last[others] = tonumber(value)
  end
end

--- The families of a text, by name: `kind unit help samples`.
return function(text)
  local families, current = {}, nil
  assert(text:find("\n# EOF\n$"), "no end")
  for line in text:sub(1, -#"# EOF\n" - 1):gmatch("([^\n]*)\n") do
    local word, name, rest = line:match("^# (%u+) (%S+) (.+)$")
    if word == "TYPE" then
      assert(not families[name], "twice: " .. line)
      assert(SUFFIXES[rest], line)
      current = { name = name, kind = rest, samples = {}, last = {} }
      families[name] = current
    elseif word == "UNIT" then
      assert(current.name == name and name:sub(-#rest - 1) == "_" .. rest, line)
      current.unit = rest
    elseif word == "HELP" then
      assert(current.name == name and not current.help, line)
      current.help = rest
    else
      assert(line:sub(1, 1) ~= "#" and line ~= "", "line: " .. line)
      read_sample(families, current, line)
    end
  end
  return families
end
