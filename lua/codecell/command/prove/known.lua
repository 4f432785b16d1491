--- Attacks on what is known to the host and to nobody else, in the form of
--- lua/codecell/command/prove/attacks.lua.
local base64 = require "codecell.base64"
local core = require "codecell.core"

-- What programs inside get by these names is not the host's.
local OWN = {}
for name in ("PATH HOME LANG LC_ALL USER LOGNAME SHELL TERM TMPDIR TZ PWD OLDPWD SHLVL GIVEN")
  :gmatch "%S+" do
  OWN[name] = true
end
local LEAST = 6 -- characters of a value that is nobody else's by chance

local function look_at_variables(result)
  local tries = { { name = "variables", outcome = "hidden" } }
  for name, value in pairs(core.environment()) do
    if not OWN[name] and #value >= LEAST
      and result.stdout:find(name .. "=" .. value, 1, true) then
      tries[#tries + 1] = { name = name:gsub("[^%w_]", "_"), outcome = "seen" }
    end
  end
  return tries
end

local function hexadecimal(text)
  return (text:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function look_at_secret(result, about)
  local output = result.stdout .. result.stderr
  local tries = {}
  for name, text in pairs { plain = about.secret, base64 = base64.encode(about.secret),
    hexadecimal = hexadecimal(about.secret) } do
    tries[#tries + 1] = { name = name, outcome = output:find(text, 1, true) and "seen"
      or output:find("***", 1, true) and "masked" or "not-printed" }
  end
  table.sort(tries, function(one, other)
    return one.name < other.name
  end)
  return tries
end

return {
  {
    name = "see the host's environment", group = "secrets", is_harmless = true,
    tried = "the variables of every process, against those of the host",
    code = [[
for pid in processes():
    print(contents("/proc/%d/environ" % pid).replace(b"\0", b"\n").decode("latin-1"))
print("\n".join("%s=%s" % pair for pair in os.environ.items()))]],
    shell = [[env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\000' '\n']],
    look = look_at_variables,
    blocked = { hidden = "an environment made for it" },
  },
  {
    name = "print a secret of its own", group = "secrets", is_harmless = true,
    tried = "as it is, in base64, in hexadecimal, cut over two writes, in an error",
    code = [[
import base64
secret = os.environ["CODECELL_CANARY_SECRET"]
print(secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex())
for half in (secret[:9], secret[9:]):
    sys.stdout.write(half)
    sys.stdout.flush()
    time.sleep(0.01)
print()
raise ValueError(secret)]],
    shell = [[echo "$CODECELL_CANARY_SECRET"; printf %s "$CODECELL_CANARY_SECRET" | base64
printf %s "$CODECELL_CANARY_SECRET" | od -An -v -tx1 | tr -d ' \n']],
    look = look_at_secret,
    blocked = { masked = "masked where output leaves the sandbox" },
  },
}
