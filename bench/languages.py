"""The rows of bench/run.py for sessions: each language against a bare loop of its own interpreter and, for Python,
against ipykernel through jupyter_client. The loops are the least that a kernel can be, and isolate nothing.
"""
import json
import os
import shutil
import subprocess
import tempfile
import time

now = time.perf_counter
HERE = os.path.dirname(os.path.abspath(__file__))

PYTHON_LOOP = r'''
import sys, json, ast, io
names = {"__name__": "__main__"}
def shown(value):
    pyplot = sys.modules.get("matplotlib.pyplot")
    if value is None and pyplot and pyplot.get_fignums():
        import base64
        file = io.BytesIO()
        pyplot.savefig(file, format="png", bbox_inches="tight")
        return base64.b64encode(file.getvalue()).decode()
    html = getattr(value, "_repr_html_", None)
    return repr(value) + (html() if html else "")
def cell(source):
    tree = ast.parse(source); last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr): last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<cell>", "exec"), names)
    return shown(eval(compile(last, "<cell>", "eval"), names)) if last else None
for line in sys.stdin:
    sys.stdout.write(json.dumps({"text": cell(json.loads(line))}) + "\n"); sys.stdout.flush()
'''
NODE_LOOP = r'''
const vm = require("vm"), fs = require("fs");
const input = Buffer.alloc(65536);
let held = "";
for (;;) {
  const count = fs.readSync(0, input);
  if (!count) break;
  held += input.toString("utf8", 0, count);
  for (let end; (end = held.indexOf("\n")) >= 0; held = held.slice(end + 1))
    fs.writeSync(1, JSON.stringify({text: String(vm.runInThisContext(JSON.parse(held.slice(0, end))))}) + "\n");
}
'''
BASH_LOOP = 'while IFS= read -r line; do eval "$line"; done'
LUA_LOOP = r'''
for line in io.lines() do
  io.write(tostring((loadstring or load)("return " .. line)()), "\n")
  io.flush()
end
'''
# Cells that are timed as wholes, in a session that has run them once.
OUTPUT = 'for i in range(500000): print("x" * 99)\n'
FIGURE = '''import matplotlib.pyplot as plt
plt.close("all")
figure = plt.figure()
plt.plot([1, 4, 2, 3], label="a")
plt.title("T")
plt.legend()
plt.show()
'''
FRAME = '''import pandas
pandas.DataFrame({"a": range(100), "b": [i * 0.5 for i in range(100)]}).describe()
'''


class Language:
    """How a language is asked for 1+1, and the bare loop that it is measured against."""

    def __init__(self, name, program, arguments, cell, line=None):
        self.name, self.cell, self.line = name, cell, line or cell
        self.program = shutil.which(program)
        self.arguments = arguments

    def loop(self, lines, wrap):
        return lines(wrap + [self.program] + self.arguments)


def known(python):
    return [
        Language("python", python, ["-I", "-S", "-c", PYTHON_LOOP], "1+1", '"1+1"'),
        Language("javascript", "node", ["-e", NODE_LOOP], "1+1", '"1+1"'),
        Language("typescript", "node", ["-e", NODE_LOOP], "1+1", '"1+1"'),
        Language("bash", "bash", ["-c", BASH_LOOP], "echo $((1+1))"),
        Language("lua", "lua5.4", ["-e", LUA_LOOP], "1+1"),
    ]


def written(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


class Sessions:
    """Rows 3 and 5 for every language that both sides have, and whole cells of Python."""

    def __init__(self, bench, lines, python, wrap):
        self.bench, self.lines, self.python, self.wrap = bench, lines, python, wrap
        self.jupyter = None
        if subprocess.run([python, "-c", "import jupyter_client, ipykernel"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0:
            self.jupyter = [python, os.path.join(HERE, "jupyter.py")]
        available = bench.lua.ask("languages").split()
        self.languages = [one for one in known(python) if one.program and one.name in available]
        self.folder = tempfile.TemporaryDirectory()

    def rows(self):
        rounds = max(self.bench.options.rounds // 5, 5)
        with self.folder as folder:
            for language in self.languages:
                path = written(folder, language.name, language.cell)
                self.first(language, path, rounds)
                self.warm(language, path)
            if self.jupyter:
                self.against_ipykernel(written(folder, "cell", "1+1"))
            self.whole("50 MB printed", written(folder, "output", OUTPUT), OUTPUT, self.printing(folder), 1, 0.5)
            self.whole("a figure", written(folder, "figure", FIGURE), FIGURE, None, 1.5, 0.5)
            self.whole("a data frame", written(folder, "frame", FRAME), FRAME, None, 2, 0.5)

    def first(self, language, path, rounds):
        def cold():
            begin = now()
            loop = language.loop(self.lines, self.wrap)
            loop.ask(language.line)
            length = now() - begin
            loop.close()
            return length
        got = self.bench.interleave(rounds, loop=cold, ours=lambda: self.bench.lua.numbers(
            "first %s %s" % (language.name, path)))
        self.bench.row(3, "create to first 1+1, " + language.name, got["ours"],
                       "bare loop" + (" inside bwrap" if self.wrap else ""), got["loop"],
                       0.75 if language.name == "python" else None, 1)

    def warm(self, language, path):
        loop = language.loop(self.lines, [])

        def cell():
            begin = now()
            loop.ask(language.line)
            return now() - begin
        cell()
        got = self.bench.interleave(10, loop=lambda: [cell() for _ in range(200)], ours=lambda: self.bench.lua.numbers(
            "code 200 %s %s" % (language.name, path)))
        loop.close()
        self.bench.row(5, "warm cell 1+1, " + language.name, got["ours"], "bare loop over a pipe", got["loop"],
                       4 if language.name == "python" else None, 2)

    def against_ipykernel(self, path):
        peer = self.lines(self.jupyter)
        got = self.bench.interleave(5, peer=lambda: peer.numbers("first")[0], ours=lambda: self.bench.lua.numbers(
            "first python " + path)[0])
        self.bench.row(3, "create to first 1+1, python", got["ours"], "ipykernel", got["peer"], None, 0.02)
        got = self.bench.interleave(5, peer=lambda: peer.numbers("cell 40"), ours=lambda: self.bench.lua.numbers(
            "code 40 python " + path))
        self.bench.row(5, "warm cell 1+1, python", got["ours"], "ipykernel", got["peer"], None, 0.01)
        peer.close()

    def printing(self, folder):
        """The same prints by a plain interpreter whose output is read and dropped."""
        path = written(folder, "prints.py", OUTPUT)

        def run():
            begin = now()
            process = subprocess.Popen([self.python, "-I", "-S", path], stdout=subprocess.PIPE, bufsize=0)
            buffer = bytearray(65536)
            while process.stdout.readinto(buffer) > 0:
                pass
            process.wait()
            return now() - begin
        return run

    def whole(self, figure, path, code, bare, gate, goal):
        """A cell in a living session: against the bare loop (or `bare`), and against ipykernel."""
        peers = {"ours": lambda: self.bench.lua.numbers("code 1 python " + path)}
        loop = peer = None
        if bare:
            peers["loop"] = bare
        else:
            loop = self.lines([self.python, "-c", PYTHON_LOOP])
            line = json.dumps(code)
            if '"text"' not in loop.ask(line):
                raise RuntimeError("the bare loop has no answer for " + figure)

            def cell():
                begin = now()
                loop.ask(line)
                return now() - begin
            peers["loop"] = cell
        if self.jupyter:
            peer = self.lines(self.jupyter)
            peers["peer"] = lambda: peer.numbers("code 1 " + path)
        got = self.bench.interleave(8, **peers)
        self.bench.row(6, figure + " in a session", got["ours"], "bare interpreter", got["loop"], None, gate)
        if peer:
            self.bench.row(6, figure + " in a session", got["ours"], "ipykernel", got["peer"], None, goal)
            peer.close()
        if loop:
            loop.close()
