"""The rows of bench/run.py for sandboxes that a pool has made ready: what is left to pay when one is asked for, and
what one that has pandas costs while it waits.
"""
import glob
import os
import subprocess
import tempfile
import time

now = time.perf_counter
FRAME = '''import pandas
pandas.DataFrame({"a": range(100), "b": [i * 0.5 for i in range(100)]}).describe()
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
                self.describe(frame)

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

    def describe(self, path):
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
        lua.ask("pool 0")

    def memory(self, path):
        names = self.bench.lua.ask("warm_sessions %d %s" % (SESSIONS, path)).split()
        private, shared = [], []
        for pid in kernels_of(set(names)):
            sizes = rollup(pid)
            private.append(sizes["Private_Clean"] + sizes["Private_Dirty"])
            shared.append(sizes["Pss"])
        self.bench.lua.ask("drop")
        for figure, sizes in (("private memory of a pandas session", private), ("PSS of a pandas session", shared)):
            self.bench.row(12, figure, [size / 1024 for size in sizes], "10 MB allowed to a zygote's", None, None, 10,
                           "MiB", 1)


def children():
    found = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                words = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        found.setdefault(int(words[1]), []).append(int(path.split("/")[2]))
    return found


def kernels_of(names):
    """The processes of the code in the sandboxes of these names: below a warden, but not its reaper."""
    tree, kernels = children(), []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read().decode("utf-8", "replace").rstrip("\0").replace("\0", " ").split()
        except OSError:
            continue
        if len(words) > 1 and words[0] == "codecell-sandbox" and words[1] in names:
            waiting = [int(path.split("/")[2])]
            while waiting:
                pid = waiting.pop()
                waiting += tree.get(pid, [])
                if rollup(pid).get("Rss", 0) > 4096:
                    kernels.append(pid)
    return kernels


def rollup(pid):
    sizes = {}
    try:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            for line in file.readlines()[1:]:
                name, size = line.split(":")
                sizes[name] = int(size.split()[0])
    except (OSError, ValueError):
        pass
    return sizes
