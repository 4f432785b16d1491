-- What the host knows and a sandbox must not.

local attack = require "spec.support.attack"

describe("secrets of the host #once", function()
  it("are not in any environment inside #S113", function()
    attack.within(function(sandbox)
      sandbox:run_code("1")
      local result = attack.python(sandbox, [[
for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
    try:
        print(open("/proc/%s/environ" % pid).read().replace("\0", "\n"))
    except OSError:
        pass
]])
      local allowed = attack.set("HOME", "USER", "LOGNAME", "PATH", "LANG", "TMPDIR", "TZ",
        "PIP_BREAK_SYSTEM_PACKAGES", "PIP_RETRIES", "npm_config_fetch_retries",
        "CODECELL", "PWD", "SHLVL", "_", "TERM", "LC_CTYPE", "MPLBACKEND", "MPLCONFIGDIR")
      local seen = 0
      for name in result.stdout:gmatch("\n?([%w_]+)=[^\n]*") do
        assert.is_true(allowed[name] or false, "unexpected variable " .. name)
        seen = seen + 1
      end
      assert.is_true(seen >= 8)
    end)
  end)

  it("are not in the first process: constant arguments, empty environment #S114", function()
    attack.within(function(sandbox)
      local outside = attack.host("for p in $(grep -lsa 'codecell-sandbox " .. sandbox.id
        .. "' /proc/[0-9]*/cmdline); do cat $p 2>/dev/null | tr '\\000' ' '; echo; done")
      local seen = 0
      for line in outside:gmatch("[^\n]+") do
        if not line:find("grep", 1, true) and not line:find("sh -c", 1, true) then
          assert.matches("^codecell%-sandbox " .. sandbox.id .. "%s*$", line)
          seen = seen + 1
        end
      end
      assert.is_true(seen >= 1)
      local inside = attack.python(sandbox,
        [[print(open("/proc/1/cmdline").read().replace("\0", " ").strip())]])
      assert.is_nil(inside.stdout:find(os.getenv("HOME") or "/root", 1, true))
    end)
  end)
end)
