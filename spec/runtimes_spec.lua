-- Programs that people run: each must work under the filter, the mounts and the limits.

local codecell = require "codecell"

local cases = {
  { "python's standard library", "python3", [[python3 - <<'END'
import asyncio, bz2, concurrent.futures, ctypes, decimal, hashlib, lzma, multiprocessing, queue
import random, select, shutil, socket, sqlite3, ssl, subprocess, tempfile, threading, time
import urllib.request, uuid, zlib, zoneinfo
assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
base = sqlite3.connect(tempfile.mkstemp()[1])
base.execute("create table t (x)")
base.execute("insert into t values (1)")
base.commit()
async def both():
    process = await asyncio.create_subprocess_exec("echo", "hi", stdout=subprocess.PIPE)
    return (await process.communicate())[0]
assert asyncio.run(both()) == b"hi\n"
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert sum(pool.map(abs, range(-10, 0))) == 55
with multiprocessing.Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
assert multiprocessing.get_context("spawn").Value("i", 3).value == 3
assert subprocess.run("echo $((6 * 7))", shell=True, capture_output=True).stdout == b"42\n"
print("works")
END]] },
  { "numpy, pandas and matplotlib", "python3", [[
python3 - <<'END' || { python3 -c 'import pandas, matplotlib' || echo works; }
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plot, numpy, pandas
plot.plot(numpy.linalg.inv(numpy.random.rand(50, 50))[0]); plot.savefig("figure.png")
assert open("figure.png", "rb").read(4) == b"\x89PNG"
assert pandas.DataFrame({"a": [1, 2]}).describe().shape == (8, 1)
print("works")
END]] },
  { "node with worker threads and children", "node", [[node -e '
const {Worker} = require("worker_threads"), {execFileSync} = require("child_process");
const http = require("http");
if (execFileSync("echo", ["x"]).toString() != "x\n") process.exit(3);
const program = "require(\"worker_threads\").parentPort.postMessage(7)";
new Worker(program, {eval: true}).on("message", n => {
  http.createServer((q, s) => s.end("up")).listen(8181, "127.0.0.1", function () {
    http.get("http://127.0.0.1:8181", r => r.on("data", d => {
      console.log(n == 7 && d == "up" ? "works" : "fails");
      process.exit();
    }));
  });
});']] },
  { "bash with process substitution and jobs", "bash", [[bash -c '
sleep 0.01 & wait $!
diff <(echo a) <(echo a) && coproc cat
echo works >&${COPROC[1]}; read line <&${COPROC[0]}; echo $line']] },
  { "standard streams by name", "sh", [[
echo works > /dev/stdout; echo x > /dev/stderr; cat < /dev/stdin]] },
  { "git", "git", [[
git init -q r && cd r && git config user.email a@b.c && git config user.name n &&
echo x > f && git add f && git commit -qm m && git gc -q &&
git log --oneline | grep -q m && echo works]] },
  { "gcc", "gcc", [[cat > a.c <<'END'
#include <stdio.h>
int main(void) { puts("works"); return 0; }
END
gcc -O1 -o a a.c && ./a]] },
  { "g++ with threads", "g++", [[cat > a.cc <<'END'
#include <cstdio>
#include <thread>
int main() { std::thread([] { puts("works"); }).join(); }
END
g++ -pthread -o a a.cc && ./a]] },
  { "lua", "lua5.4", [[lua5.4 -e 'io.write("works\n")']] },
  { "luajit with ffi", "luajit", [[luajit -e '
local ffi = require "ffi"
ffi.cdef "int getpid(void);"
print(ffi.C.getpid() > 0 and "works")']] },
  { "java from a source file", "java", [[cat > A.java <<'END'
class A { public static void main(String[] a) { System.out.println("works"); } }
END
java A.java]] },
  { "ruby", "ruby", [[ruby -e 'puts Thread.new { "works" }.value']] },
  { "perl", "perl", [[perl -e 'my $p = open(F, "-|", "echo works"); print <F>;']] },
  { "tar and gzip", "tar", [[
mkdir d && echo x > d/f && tar czf d.tgz d && tar tzf d.tgz | grep -q d/f && echo works]] },
  { "make", "make", [[printf 'all:\n\t@echo works\n' > Makefile && make -s]] },
  { "openssl", "openssl", [[
openssl rand -hex 4 | grep -q . && echo x | openssl dgst -sha256 | grep -q . && echo works]] },
  { "a terminal recorder", "script", [[script -qec 'echo works' /dev/null | tr -d '\r']] },
  { "a virtual environment", "python3", [[
python3 -m venv --without-pip v && v/bin/python -c 'print("works")']] },
  { "an HTTP server and curl", "curl", [[
python3 -m http.server 8182 --bind 127.0.0.1 >/dev/null 2>&1 & server=$!
for _ in $(seq 1200); do curl -s -o /dev/null http://127.0.0.1:8182/ && break; sleep 0.05; done
curl -s http://127.0.0.1:8182/ | grep -q Directory && echo works; kill $server]] },
  { "go", "go", [[cat > a.go <<'END'
package main
import "fmt"
func main() { c := make(chan string); go func() { c <- "works" }(); fmt.Println(<-c) }
END
GOFLAGS=-mod=mod GOCACHE=$PWD/c GO111MODULE=off go run a.go]] },
}

describe("inside a sandbox works", function()
  for _, case in ipairs(cases) do
    local name, program, script = case[1], case[2], case[3]
    it(name, function()
      local sandbox = codecell.assert(
        codecell.create({ limits = { memory = 4 * 2 ^ 30, disk = 2 ^ 30 } }))
      local found = codecell.assert(sandbox.commands:run("command -v " .. program))
      if found.exit_code ~= 0 then
        sandbox:close()
        return pending(program .. " is not in /usr/bin, /bin or /usr/local/bin of this machine")
      end
      local result = codecell.assert(sandbox.commands:run(script, { timeout = 120, stdin = "" }))
      sandbox:close()
      assert.equal("works\n", result.stdout, result.stderr)
    end)
  end
end)
