#!/usr/bin/env python3
"""Measure codecell against its peers and the kernel's floor in one interleaved run; print one table.

    make bench                      all rows
    bench/run.py --lua lua5.4 --only 1,5,7 --rounds 40 --json out.json

Every round runs each peer once (A B C, A B C, ...), so that noise of the machine falls on all of them alike:
only ratios inside a row count. Peers are what is installed: bwrap, a plain posix_spawn, a plain Python. A gate
must hold in every release, a goal is what to aim for. Times are wall clock, in milliseconds.
"""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import calls  # noqa: E402, beside this file
import gateway  # noqa: E402, beside this file
import languages  # noqa: E402, beside this file
import pool  # noqa: E402, beside this file
BWRAP = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
         "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
         "--tmpfs", "/tmp"]
HELPER = r'''
import sys
while True:
    line = sys.stdin.buffer.readline().split()
    if not line: break
    if line[0] == b"write":
        with open("/tmp/bench", "wb") as file: file.write(sys.stdin.buffer.read(int(line[1])))
        sys.stdout.buffer.write(b"ok\n")
    else:
        with open("/tmp/bench", "rb") as file: sys.stdout.buffer.write(file.read())
    sys.stdout.buffer.flush()
'''
CROWD = 1000  # idle sandboxes
now = time.perf_counter


class Lines:
    """A co-process that answers one line with one line."""

    def __init__(self, argv, env=None):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=env)

    def ask(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise RuntimeError("%r has ended" % self.process.args[0]) from None
        answer = b""
        while not answer.endswith(b"\n"):
            piece = self.process.stdout.readline()
            if not piece:
                raise RuntimeError("%r ended at %r" % (self.process.args[0], line))
            answer += piece
        if answer.startswith(b"error"):
            raise RuntimeError("%s: %s" % (line, answer.decode().strip()))
        return answer.decode()

    def numbers(self, line):
        return [float(word) / 1e9 for word in self.ask(line).split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.bwrap = BWRAP[:] if shutil.which("bwrap") else []
        self.python = options.python
        if self.bwrap and not self.python.startswith("/usr/"):
            prefix = os.path.dirname(os.path.dirname(self.python))
            self.bwrap += ["--ro-bind", prefix, prefix]
        self.floor = self.lua = None
        self.restart()

    def restart(self):
        """Fresh co-processes: after a row that failed the old ones may be in any state."""
        for old in (self.floor, self.lua):
            if old:
                old.process.kill()
                old.process.wait()
        self.floor = Lines([self.options.floor, self.options.floor + "-inside"])
        environment = dict(os.environ, CODECELL_PYTHON=self.python)
        self.lua = Lines([self.options.lua, os.path.join(HERE, "worker.lua")], environment)

    # ---- measuring ----

    def interleave(self, rounds, **peers):
        """name -> callable answering seconds, or a list of them; a warm-up round first"""
        got = {name: [] for name in peers}
        for turn in range(-1, rounds):
            for name, peer in peers.items():
                value = peer()
                if turn >= 0:
                    got[name] += value if isinstance(value, list) else [value]
        return got

    def row(self, number, figure, ours, peer, reference, gate, goal, unit="ms", scale=1e3, more=False):
        """more: larger is better, so the ratio is ours/peer and must not fall below the gate"""
        ours = sorted(value * scale for value in ours)
        reference = sorted(value * scale for value in reference) if reference else []
        median = statistics.median(ours)
        ratio = median / statistics.median(reference) if reference else median
        holds = None if gate is None else (ratio >= gate if more else ratio <= gate)
        met = None if goal is None else (ratio >= goal if more else ratio <= goal)
        self.rows.append({
            "row": number, "figure": figure, "unit": unit, "n": len(ours), "median": median,
            "p99": ours[min(len(ours) - 1, int(len(ours) * 0.99))], "peer": peer,
            "peer_median": statistics.median(reference) if reference else None, "ratio": ratio, "gate": gate,
            "goal": goal, "gate_holds": holds, "goal_met": met})
        self.show(self.rows[-1])

    def show(self, row):
        def number(value, form="%.3f"):
            return "-" if value is None else form % value
        sign = {True: "yes", False: "NO", None: "-"}
        print("%-3s %-44s %9s %9s  %-30s %9s %7s %6s %-4s %6s %-4s" % (
            row["row"], row["figure"] + " (" + row["unit"] + ")", number(row["median"]), number(row["p99"]),
            row["peer"], number(row["peer_median"]), number(row["ratio"], "%.2f"), number(row["gate"], "%g"),
            sign[row["gate_holds"]], number(row["goal"], "%g"), sign[row["goal_met"]]))
        sys.stdout.flush()

    def run_program(self, argv):
        path = shutil.which(argv[0])
        return lambda: self.floor.numbers("spawn " + " ".join([path] + argv[1:]))[0]

    # ---- rows ----

    def row_1_16(self):
        floor, ours = [], []

        def floor_run():
            floor.append(self.floor.numbers("run"))
            return 0

        def create():
            ours.append(self.lua.numbers("create"))
            return 0
        peers = {"floor": floor_run, "ours": create}
        if self.bwrap:
            peers["bwrap"] = self.run_program(self.bwrap + ["/bin/true"])
        got = self.interleave(self.options.rounds, **peers)
        self.row(1, "create() to the warden's hello", [pair[0] for pair in ours[1:]], "floor, to hello",
                 [pair[0] for pair in floor[1:]], 1.5, 0.75)
        if self.bwrap:
            self.row(1, "create() to the warden's hello", [pair[0] for pair in ours[1:]], "bwrap /bin/true",
                     got["bwrap"], 0.5, 0.18)
        self.row(16, "close() to nothing left", [pair[1] for pair in ours[1:]], "floor, kill to reaped",
                 [pair[1] for pair in floor[1:]], 3, 1.5)

    def row_3_5_6(self):
        got = self.interleave(self.options.rounds, ours=lambda: self.lua.numbers("first python")[0],
                              floor=lambda: self.floor.numbers("run")[0],
                              python=self.run_program([self.python, "-I", "-S", "-c", "pass"]))
        least = [floor + python for floor, python in zip(got["floor"], got["python"])]
        self.row(3, "create to first 1+1, python", got["ours"], "floor + python3 -I -S", least, None, 1.15)
        languages.Sessions(self, Lines, self.python, self.bwrap).rows()

    def row_2_4_12(self):
        pool.Pool(self).rows()

    def row_7_8(self):
        got = self.interleave(self.options.rounds, ours=lambda: self.lua.numbers("true 5"),
                              fresh=lambda: self.lua.numbers("fresh")[0],
                              floor=lambda: sum(self.floor.numbers("run")),
                              spawn=lambda: [self.run_program(["true"])() for _ in range(5)])
        self.row(7, 'commands:run({"true"})', got["ours"], "posix_spawn true", got["spawn"], 1.5, 1.1)
        self.row(8, "new sandbox per command", got["fresh"], "posix_spawn true", got["spawn"], 2.5, 1.6)
        spawn = statistics.median(got["spawn"])
        self.row(8, "new sandbox per command", got["fresh"], "floor and posix_spawn true",
                 [floor + spawn for floor in got["floor"]], None, None)

    def row_9(self):
        bwrap = "ratecmd 1 %d " + " ".join([shutil.which("bwrap") or ""] + self.bwrap[1:] + ["/bin/true"])
        for width, goal in ((1, 0.9), (4, 0.9), (16, 0.7)):
            def rate(asked):
                count, seconds = asked.split()
                return float(count) / (float(seconds) / 1e9)
            peers = {"ours": lambda: rate(self.lua.ask("rate 1 %d" % width)),
                     "floor": lambda: rate(self.floor.ask("rate 1 %d" % width))}
            if self.bwrap:
                peers["bwrap"] = lambda: rate(self.floor.ask(bwrap % width))
            got = self.interleave(3, **peers)
            self.row(9, "made and ended, %d at once" % width, got["ours"], "floor", got["floor"],
                     None if width == 1 else 0.6, goal, "a second", 1, True)
            if self.bwrap:
                self.row(9, "made and ended, %d at once" % width, got["ours"], "bwrap", got["bwrap"], None, 2,
                         "a second", 1, True)

    def row_10_11(self):
        """One more among none and among a thousand, by us and by the floor; and what the thousand weigh."""
        def costs():
            ours, floor = [], []
            self.interleave(self.options.rounds, ours=lambda: ours.append(self.lua.numbers("create")[0]) or 0,
                            floor=lambda: floor.append(self.floor.numbers("run")[0]) or 0)
            return ours[1:], floor[1:]
        before, alone = kernel_kib(), costs()
        started = now()
        self.lua.ask("idle %d" % CROWD)
        made = (now() - started) / CROWD
        time.sleep(1)
        wardens, reapers = sum(pss_kib("codecell-sandbox")) / CROWD, sum(pss_kib("codecell-reaper")) / CROWD
        kernel = (kernel_kib() - before) / CROWD
        among = costs()
        started = now()
        self.lua.ask("drop")
        ended = (now() - started) / CROWD
        self.row(10, "create() among %d idle ones" % CROWD, among[0], "the same among none", alone[0], 2.5, 1.3)
        self.row(10, "create() among %d idle ones" % CROWD, among[0], "floor among them", among[1], None, None)
        self.row(10, "each of %d in a row" % CROWD, [made], "one alone", alone[0], None, None)
        self.row(10, "end of each of them", [ended], "one of them made", [made], None, None)
        self.row(11, "memory of each of %d idle ones" % CROWD, [wardens + reapers + kernel], "600 KiB allowed", None,
                 600, 450, "KiB", 1)
        self.row(11, "PSS of its warden", [wardens], "64 KiB allowed", None, 64, None, "KiB", 1)
        self.row(11, "PSS of its reaper", [reapers], "nothing", None, None, None, "KiB", 1)

    def row_13_14(self):
        helper = Lines(self.bwrap + [self.python, "-I", "-S", "-c", HELPER])
        for number, size, rounds, gate in ((13, 1, self.options.rounds, (2, 2)), (14, 100 << 20, 4, (0.5, 0.5))):
            data = b"x" * size
            ours, theirs = [], []

            def peer():
                start = now()
                helper.process.stdin.write(b"write %d\n" % size)
                view = memoryview(data)
                while len(view) > 0:
                    view = view[helper.process.stdin.write(view):]
                helper.process.stdout.readline()
                written = now()
                helper.process.stdin.write(b"read\n")
                left = size
                while left > 0:
                    left -= len(helper.process.stdout.read(min(left, 1 << 20)))
                theirs.append((written - start, now() - written))
                return 0
            self.interleave(rounds, peer=peer, ours=lambda: ours.append(self.lua.numbers("file %d" % size)) or 0)
            for index, verb in enumerate(("write", "read")):
                mine = [pair[index] for pair in ours[1:]]
                other = [pair[index] for pair in theirs[1:]]
                if number == 13:
                    self.row(13, "files:%s of 1 byte" % verb, mine, "Python helper over a pipe", other, gate[index],
                             None)
                else:
                    self.row(14, "files:%s of 100 MiB" % verb, [size / value for value in mine],
                             "Python helper over a pipe", [size / value for value in other], gate[index], 1, "MB/s",
                             1e-6, True)
        helper.close()

    def row_15(self):
        mebibytes = 1024

        def host():
            start = now()
            process = subprocess.Popen(["dd", "if=/dev/zero", "bs=64k", "count=%d" % (mebibytes * 16), "status=none"],
                                       stdout=subprocess.PIPE, bufsize=0)
            buffer = bytearray(65536)
            while process.stdout.readinto(buffer) > 0:
                pass
            process.wait()
            return mebibytes * (1 << 20) / (now() - start)

        def ours():
            seconds, count = self.lua.ask("stream %d" % mebibytes).split()
            assert int(count) == mebibytes << 20
            return int(count) / (float(seconds) / 1e9)
        got = self.interleave(5, ours=ours, host=host)
        self.row(15, "stdout to a Lua callback", got["ours"], "dd through a 64 KiB pipe", got["host"], 0.4, 0.7,
                 "MB/s", 1e-6, True)

    def row_17_18(self):
        big = Lines([self.options.lua, os.path.join(HERE, "worker.lua")])
        big.ask("grow 1024")
        got = self.interleave(self.options.rounds, small=lambda: self.lua.numbers("create")[0],
                              big=lambda: big.numbers("create")[0], stall=lambda: self.lua.numbers("stall")[0],
                              stall_big=lambda: big.numbers("stall")[0])
        big.close()
        self.row(17, "create() from a host of 1 GiB", got["big"], "the same, small host", got["small"], 1.2, 1)
        self.row(18, "longest call during create", got["stall"], "0.3 ms allowed", None, 0.3, 0.05)
        self.row(18, "longest call, host of 1 GiB", got["stall_big"], "0.3 ms allowed", None, 0.3, 0.05)

    def row_19(self):
        self.gateway().row_19()

    def row_21(self):
        self.gateway().row_21()

    def row_22(self):
        self.gateway().row_22()

    def row_23(self):
        calls.Calls(self, Lines).rows()

    def gateway(self):
        return gateway.Gateway(self, Lines, kernel_kib, lambda: sum(pss_kib("codecell-sandbox"))
                               + sum(pss_kib("codecell-reaper")))

    def row_20(self):
        lua = self.options.lua
        script = os.path.join(os.path.dirname(self.options.floor), "require.lua")
        with open(script, "w") as file:
            file.write('require "codecell"\n')
        empty = script + ".empty"
        open(empty, "w").close()
        got = self.interleave(self.options.rounds, ours=self.run_program([lua, script]),
                              bare=self.run_program([lua, empty]))
        bare = statistics.median(got["bare"])
        self.row(20, 'require "codecell"', [value - bare for value in got["ours"]], "%s alone: %.2f ms" % (
            os.path.basename(lua), bare * 1e3), None, 1, 0.3)


def kernel_kib():
    """unreclaimable memory of the kernel that sandboxes cause"""
    wanted = ("SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:")
    with open("/proc/meminfo") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(wanted))


def pss_kib(name):
    sizes = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if not file.read().startswith(name.encode()):
                    continue
            with open(os.path.join(os.path.dirname(path), "smaps_rollup")) as file:
                sizes += [int(line.split()[1]) for line in file if line.startswith("Pss:")]
        except OSError:
            pass
    return sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--floor", required=True, help="the built floor program; its static half beside it")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter, with LUA_PATH and LUA_CPATH set")
    parser.add_argument("--python", default="/usr/bin/python3",
                        help="what runs Python on both sides; with jupyter_client and ipykernel, those are a peer too")
    parser.add_argument("--sdk-python", default=os.environ.get("CODECELL_SDK_PYTHON", "python3"),
                        help="a Python that has e2b and e2b-code-interpreter; default: $CODECELL_SDK_PYTHON")
    parser.add_argument("--sdk-modules", default=os.environ.get("CODECELL_SDK_MODULES", "."),
                        help="the folder whose node_modules has @e2b/code-interpreter; default: $CODECELL_SDK_MODULES")
    parser.add_argument("--envd", default=os.environ.get("CODECELL_ENVD"),
                        help="E2B's envd, a peer of row 19 that runs programs as root; default: $CODECELL_ENVD")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", default="", help="rows, separated by commas")
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()
    bench = Bench(options)
    groups = {"1,16": bench.row_1_16, "2,4,6,12": bench.row_2_4_12, "3,5,6": bench.row_3_5_6, "7,8": bench.row_7_8, "9": bench.row_9,
              "10,11": bench.row_10_11, "13,14": bench.row_13_14, "15": bench.row_15, "17,18": bench.row_17_18,
              "19": bench.row_19, "20": bench.row_20, "21": bench.row_21, "22": bench.row_22, "23": bench.row_23}
    wanted, failed = set(options.only.split(",")) - {""}, []
    print("%d processors, load %.1f; gates and goals are ratios to the peer of the same row\n" % (
        os.cpu_count(), os.getloadavg()[0]))
    print("%-3s %-44s %9s %9s  %-30s %9s %7s %6s %-4s %6s %-4s" % (
        "row", "figure", "median", "p99", "peer", "median", "ratio", "gate", "", "goal", ""))
    for numbers, measure in groups.items():
        if wanted and not wanted & set(numbers.split(",")):
            continue
        try:
            measure()
        except (RuntimeError, OSError, AssertionError, ValueError, statistics.StatisticsError) as error:
            failed.append(numbers)
            print("%-3s could not be measured: %s" % (numbers, error))
            bench.restart()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(bench.rows, file, indent=1)
    missed = [str(row["row"]) for row in bench.rows if row["gate_holds"] is False]
    if failed:
        print("\nnot measured: rows " + ", ".join(failed))
    print("\n" + ("gates missed: rows " + ", ".join(missed) if missed else "every gate measured holds"))
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
