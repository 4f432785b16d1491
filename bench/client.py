"""The official SDK for Python as a co-process of run.py; the verbs are those of client.lua. With a URL of envd as its
argument it speaks to that, and not to a gateway.
"""
import asyncio
import gc
import os
import sys
import time

from e2b import AsyncSandbox, ConnectionConfig
from e2b_code_interpreter import Sandbox
from packaging.version import Version

now = time.perf_counter
kept = {}
ENVD = sys.argv[1] if len(sys.argv) > 1 else None
# envd is a program of this machine: what it runs needs a user of it, whose login shell reads no heavy profile.
RUN = {"user": "nobody", "cwd": "/tmp"} if ENVD else {}
OWNER = {"user": "root"} if ENVD else {}


def living():
    if "living" not in kept and ENVD:
        config = ConnectionConfig(api_key="e2b_" + "0" * 40, sandbox_url=ENVD)
        kept["living"] = Sandbox(sandbox_id="none", sandbox_domain=None, envd_version=Version("0.6.13"),
                                 envd_access_token=None, connection_config=config)
    elif "living" not in kept:
        kept["living"] = Sandbox.create(timeout=3600)
    return kept["living"]


def create():
    start = now()
    sandbox = Sandbox.create(timeout=3600)
    made = now()
    sandbox.kill()
    return made - start, now() - made


def each(count, action):
    times = []
    for _ in range(count):
        start = now()
        action()
        times.append(now() - start)
    return times


def command(count):
    commands = living().commands
    return each(count, lambda: commands.run("true", **RUN))


def cell(count):
    sandbox = living()
    return each(count, lambda: sandbox.run_code("1+1"))


def file(size):
    files, data = living().files, b"x" * size
    start = now()
    files.write("/tmp/bench", data, **OWNER)
    written = now()
    back = files.read("/tmp/bench", format="bytes", **OWNER)
    done = now()
    assert len(back) == size
    return written - start, done - written


async def at_once(count):
    sandbox = await AsyncSandbox.connect(living().sandbox_id)
    start = now()
    results = await asyncio.gather(*(sandbox.commands.run("echo %d" % one) for one in range(count)))
    length = now() - start
    assert [result.stdout for result in results] == ["%d\n" % one for one in range(count)]
    return [length]


def memory():
    gc.collect()
    with open("/proc/self/smaps_rollup") as rollup:
        return next(line.split()[1] for line in rollup if line.startswith("Pss:"))


VERBS = {"create": create, "command": command, "cell": cell, "file": file,
         "many": lambda count: asyncio.run(at_once(count))}
for line in sys.stdin:
    verb, *words = line.split()
    try:
        if verb == "memory":
            print(memory(), flush=True)
        else:
            print(*("%.0f" % (length * 1e9) for length in VERBS[verb](*map(int, words))), flush=True)
    except Exception as problem:  # told to run.py, which gives up the row
        print("error", type(problem).__name__, " ".join(str(problem).split()), flush=True)
if "living" in kept and not ENVD:
    kept["living"].kill()
os._exit(0)  # its threads need not be waited for
