"""The rows of bench/run.py for sandboxes that a pool has made ready: what is left to pay when one is asked for, and
what one that has pandas costs while it waits.
"""
import os
import subprocess
import tempfile
import time

now = time.perf_counter
FRAME = '''import pandas
pandas.DataFrame({"a": range(100), "b": [i * 0.5 for i in range(100)]}).describe()
'''
FORK = '''import gc, os, time, pandas
pandas.DataFrame({"a": range(100)}).describe()
gc.collect()
gc.freeze()
for _ in range(%d):
    alive, say = os.pipe()
    start = time.perf_counter()
    if not os.fork():
        os.write(say, b"x")
        os._exit(0)
    os.read(alive, 1)
    print(time.perf_counter() - start)
    os.wait()
'''
SIZE = 8  # kept ready: more than are asked for between two fillings
SESSIONS = 10  # whose memory is looked at


class Pool:
    def __init__(self, bench):
        self.bench = bench

    def rows(self):
        with tempfile.TemporaryDirectory() as folder:
            cell, frame = os.path.join(folder, "cell"), os.path.join(folder, "frame")
            for path, text in ((cell, "1+1"), (frame, FRAME)):
                with open(path, "w") as file:
                    file.write(text)
            self.create(cell)
            if subprocess.run([self.bench.python, "-c", "import pandas"], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0:
                self.describe(cell, frame)

    def warm(self, path):
        """Seconds of create() and to the end of the first cell and of the next one; the pool is full before."""
        created, first, following = self.bench.lua.numbers("warm " + path)
        return created, first, following

    def create(self, path):
        lua, floor, ours = self.bench.lua, [], []
        lua.ask("pool %d" % SIZE)
        bare = self.interpreter()

        def floor_run():
            floor.append(self.bench.floor.numbers("run")[0])
            return 0
        got = self.bench.interleave(self.bench.options.rounds, floor=floor_run, python=bare,
                                    ours=lambda: ours.append(self.warm(path)) or 0)
        lua.ask("pool 0")
        created = [times[0] for times in ours[1:]]
        first = [times[1] for times in ours[1:]]
        self.bench.row(2, "create() from the pool", created, "floor, to hello", floor[1:], 0.1, None)
        self.bench.row(2, "create() from the pool", created, "0.05 ms are the goal", None, None, 0.05)
        self.bench.row(4, "create to first 1+1, from the pool", first, "python3 -I -S, started for it", got["python"], 0.3,
                       None)
        self.bench.row(4, "create to first 1+1, from the pool", first, "0.2 ms are the goal", None, None, 0.2)

    def interpreter(self):
        return self.bench.run_program([self.bench.python, "-I", "-S", "-c", "print(eval('1+1'))"])

    def describe(self, cell, path):
        lua, ours = self.bench.lua, []
        lua.ask("pool %d pandas" % SIZE)
        got = self.bench.interleave(max(self.bench.options.rounds // 5, 5), ours=lambda: ours.append(
            self.warm(path)) or 0, fresh=self.bench.run_program([self.bench.python, path]))
        first = [times[1] for times in ours[1:]]
        self.bench.row(6, "first describe(), from the pool", first, "the next one in that session",
                       [times[2] for times in ours[1:]], None, 1.15)
        self.bench.row(6, "first describe(), from the pool", first, "fresh python that imports pandas", got["fresh"],
                       0.1, None)
        self.memory(path)
        self.zygote(cell, path)
        lua.ask("pool 0")

    def memory(self, path):
        sizes = [float(word) / 1024 for word in self.bench.lua.ask("warm_sessions %d %s" % (SESSIONS, path)).split()]
        private, shared, resident = sizes[::3], sizes[1::3], sizes[2::3]
        row = self.bench.row
        row(12, "private memory of a pandas session", private, "10 MB allowed", None, 10, 5, "MiB", 1)
        row(12, "PSS of a pandas session", shared, "nothing", None, None, None, "MiB", 1)
        row(12, "PSS of %d pandas sessions together" % SESSIONS, [sum(shared)], "their RSS", [sum(resident)], None, None,
            "MiB", 1)
        row(12, "RSS of a pandas session", resident, "its private memory", private, 5, None, "MiB", 1, more=True)

    def zygote(self, cell, frame):
        """What is made when it is asked for, by a pool that has nothing ready but its zygote."""
        lua, ones, frames = self.bench.lua, [], []
        made, source = lua.ask("made").split()
        if source != "ready":
            print("no zygote: %s" % source)
            return
        self.bench.row(6, "a pool's refill, rehearsed", [float(made) / 1e9], "nothing", None, None, None)
        lua.ask("empty")
        forked = fork_alive(self.bench.python, self.bench.options.rounds)
        floor = []

        def floor_run():
            floor.append(self.bench.floor.numbers("run")[0])
            return 0
        got = self.bench.interleave(
            self.bench.options.rounds, floor=floor_run, bare=self.interpreter(),
            ones=lambda: ones.append(lua.numbers("session " + cell)) or 0,
            frames=lambda: frames.append(lua.numbers("session " + frame)) or 0)
        first = [times[1] for times in ones[1:]]
        least = [one + other for one, other in zip(sorted(forked), sorted(floor[1:]))]
        self.bench.row(4, "create to first 1+1, from the zygote", first, "python3 -I -S, started for it", got["bare"], 0.3,
                       None)
        self.bench.row(4, "create to first 1+1, from the zygote", first, "fork alive + floor", least, None, 2)
        self.bench.row(6, "create to first describe(), from the zygote", [times[1] for times in frames[1:]],
                       "the next one in that session", [times[2] for times in frames[1:]], None, 4.5)


def fork_alive(python, rounds):
    """Seconds from fork() in a warm pandas to the first sign of life of the child."""
    answer = subprocess.run([python, "-c", FORK % rounds], stdout=subprocess.PIPE, check=True).stdout
    return [float(word) for word in answer.split()]
