"""The rows of bench/run.py for `codecell serve`: E2B's official SDKs at it and at envd, our client against those
SDKs, and what the way through it costs against the direct call.

The SDKs, and envd, come from where their makers publish them; rows whose peer is not there say so and are left out.
"""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

now = time.perf_counter
HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "e2b_" + "0" * 40
MANY = 100  # commands at once
CROWD = 500  # sandboxes at once
LARGE = 10 << 20
ASKED, WIDTH = 2000, 16  # requests, and connections that they come by
WAITING = 500  # idle connections
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 30  # seconds until a server answers


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def processor_seconds(pid):
    with open("/proc/%d/stat" % pid) as stat:
        words = stat.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Server:
    """`codecell serve` on a free port, with nothing kept from other runs."""

    def __init__(self, lua):
        command = os.environ.get("CODECELL_COMMAND") or shutil.which("codecell")
        if not command:
            raise RuntimeError("no codecell: run this by make bench, or put it on PATH")
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [lua, command, "serve", "--port", "0", "--api-key", KEY, "--max-sandboxes", str(CROWD + 100)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, CODECELL_HOME=self.folder.name))
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError("codecell serve says %r" % line)
        self.url, self.pid = line.split()[-1], self.process.pid
        self.port = int(self.url.rpartition(":")[2])

    def environment(self):
        return dict(os.environ, E2B_API_KEY=KEY, E2B_API_URL=self.url, E2B_SANDBOX_URL=self.url)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


class Connection:
    """One that stays open: a request, its whole answer, and the next one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request):
        self.socket.sendall(request)

    def receive(self):
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = self.socket.recv(65536)
            if not piece:
                raise RuntimeError("the gateway has hung up")
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError("the gateway answers %r" % head.partition(b"\r\n")[0])
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        left = int(fields.get(b"content-length", 0)) - len(body)
        while left > 0:
            left -= len(self.socket.recv(65536))


def request(method, path, headers=(), body=b""):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: localhost", "X-API-Key: " + KEY] + list(headers)
    if body:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Gateway:
    def __init__(self, bench, lines, kernel_kib, sandboxes_kib):
        """kernel_kib, sandboxes_kib: what the kernel, and the processes of sandboxes, hold now"""
        self.bench, self.lines, self.row = bench, lines, bench.row
        self.kernel_kib, self.sandboxes_kib = kernel_kib, sandboxes_kib
        self.rounds = max(bench.options.rounds // 5, 5)

    # ---- who speaks to it ----

    def ours(self, server):
        return self.lines([self.bench.options.lua, os.path.join(HERE, "client.lua")], server.environment())

    def python(self, server, *arguments):
        return self.lines([self.bench.options.sdk_python, os.path.join(HERE, "client.py"), *arguments],
                          server.environment() if server else None)

    def javascript(self, server):
        return self.lines(["node", os.path.join(HERE, "client.mjs"), self.bench.options.sdk_modules],
                          server.environment())

    def has_python(self):
        python = self.bench.options.sdk_python
        has = subprocess.run([python, "-c", "import e2b, e2b_code_interpreter"], stderr=subprocess.DEVNULL,
                             check=False).returncode == 0 if shutil.which(python) else False
        if not has:
            print("without the SDK for Python: --sdk-python is to name a Python that has e2b and e2b-code-interpreter")
        return has

    def has_javascript(self):
        modules = self.bench.options.sdk_modules
        has = bool(shutil.which("node")) and os.path.isdir(os.path.join(modules, "node_modules/@e2b/code-interpreter"))
        if not has:
            print("without the SDK for JavaScript: --sdk-modules is to name the folder whose node_modules has "
                  "@e2b/code-interpreter")
        return has

    # ---- rows ----

    def row_19(self):
        """An official SDK at the gateway and at envd."""
        if not self.has_python():
            return
        server, peer = Server(self.bench.options.lua), Envd(self.bench.options.envd)
        try:
            ours = self.python(server)
            theirs = self.python(None, peer.url) if peer.url else None
            self.against_envd("SDK's commands.run", ours, theirs, "command 3", [0], [(7.8, 1, 0.4)])
            self.against_envd("SDK's files.%s of 1 byte", ours, theirs, "file 1", [0, 1], [(2.7, None, 0.8),
                                                                                          (2.2, None, 0.8)])
            for one in filter(None, (ours, theirs)):
                one.close()
        finally:
            server.close()
            peer.close()

    def against_envd(self, figure, ours, theirs, verb, columns, known):
        """known: per column the figure written down for envd in milliseconds, the gate and the goal"""
        got, peers = {"ours": [], "envd": []}, {"ours": ours, "envd": theirs}
        self.bench.interleave(self.bench.options.rounds // 2, **{
            name: lambda name=name, one=one: got[name].append(one.numbers(verb)) or 0
            for name, one in peers.items() if one})
        for column, (recorded, gate, goal) in zip(columns, known):
            def values(name):
                if len(columns) == 1:
                    return [value for turn in got[name][1:] for value in turn]
                return [turn[column] for turn in got[name][1:]]
            title = figure % ("write", "read")[column] if "%" in figure else figure
            if theirs:
                self.row(19, title, values("ours"), "the same of envd", values("envd"), gate, goal)
            else:
                self.row(19, title, values("ours"), "envd, recorded elsewhere", [recorded / 1e3], None, None)

    def row_21(self):
        """Our client against the official SDKs."""
        server = Server(self.bench.options.lua)
        try:
            clients = {"ours": self.ours(server)}
            if self.has_python():
                clients["SDK, Python"] = self.python(server)
            if self.has_javascript():
                clients["SDK, JavaScript"] = self.javascript(server)
            self.compare(clients, ("create", "its kill"), "create", self.rounds)
            self.compare(clients, ("command",), "command 3", self.rounds)
            self.compare(clients, ("cell",), "cell 3", self.rounds)
            self.compare(clients, ("write of 1 byte", "read of 1 byte"), "file 1", self.rounds * 2)
            self.compare(clients, ("write of 10 MiB", "read of 10 MiB"), "file %d" % LARGE, 8)
            self.compare(clients, ("%d commands at once" % MANY,), "many %d" % MANY, 10)
            sizes = {name: [float(one.ask("memory")) / 1024] for name, one in clients.items()}
            self.against(sizes, "client: memory after all of that", "MiB", 1)
            for one in clients.values():
                one.close()
        finally:
            server.close()

    def compare(self, clients, figures, verb, rounds):
        got = {name: [] for name in clients}
        self.bench.interleave(rounds, **{name: lambda name=name, one=one: got[name].append(one.numbers(verb)) or 0
                                         for name, one in clients.items()})
        for column, figure in enumerate(figures):
            self.against({name: [turn[column] for turn in turns[1:]] if len(figures) > 1
                          else [value for turn in turns[1:] for value in turn]
                          for name, turns in got.items()}, "client: " + figure, "ms", 1e3)

    def against(self, values, figure, unit, scale):
        peers = [name for name in values if name != "ours"]
        for name in peers or [None]:
            self.row(21, figure, values["ours"], name or "nothing", values.get(name), 1.5 if name else None,
                     1 if name else None, unit, scale)

    def row_22(self):
        """What the way through the gateway costs."""
        server = Server(self.bench.options.lua)
        try:
            client = self.ours(server)
            self.way(client)
            self.rate(server, client)
            self.idle_connections(server)
            self.crowd(server, client)
            client.close()
        finally:
            server.close()

    def way(self, client):
        direct = self.bench.lua
        for figure, verb, same in (("a cell", "cell 5", "cell 5"), ("a command", "program 5", "true 5")):
            got = self.bench.interleave(self.rounds * 2, ours=lambda verb=verb: client.numbers(verb),
                                        direct=lambda same=same: direct.numbers(same))
            self.row(22, "gateway: %s through it" % figure, got["ours"], "the direct call", got["direct"], None, None)
            added = statistics.median(got["ours"]) - statistics.median(got["direct"])
            self.row(22, "gateway: what it adds to " + figure, [added], "nothing", None, None, None)

    def rate(self, server, client):
        """A second of the processor's time: who asks, and what else runs here, does not count."""
        sandbox = client.ask("id").strip()
        client.numbers("file 1")
        token = "E2b-Sandbox-Id: " + sandbox, "E2b-Sandbox-Port: 49983", "X-Access-Token: " + self.token(server, sandbox)
        kinds = (("/health", request("GET", "/health")),
                 ("of a sandbox's record", request("GET", "/sandboxes/" + sandbox)),
                 ("a file's entry", request("POST", "/filesystem.Filesystem/Stat", token + (
                     "Content-Type: application/json",), b'{"path":"/tmp/bench"}')),
                 ("a file of 1 byte", request("GET", "/files?path=/tmp/bench", token)))
        connections = [Connection(server.port) for _ in range(WIDTH)]
        for figure, text in kinds:
            rates = []
            for _ in range(3):
                before = processor_seconds(server.pid)
                for _ in range(ASKED // WIDTH):
                    for one in connections:
                        one.send(text)
                    for one in connections:
                        one.receive()
                rates.append(ASKED / (processor_seconds(server.pid) - before))
            self.row(22, "gateway: requests, " + figure, rates, "nothing", None, None, None, "a second of a core", 1)
        for one in connections:
            one.socket.close()

    @staticmethod
    def token(server, sandbox):
        one = Connection(server.port)
        one.send(request("POST", "/sandboxes/%s/connect" % sandbox, ["Content-Type: application/json"],
                         b'{"timeout":3600}'))
        answer = one.socket.recv(65536).decode()
        one.socket.close()
        return answer.split('"envdAccessToken":"')[1].split('"')[0]

    def idle_connections(self, server):
        before, held = pss_kib(server.pid), []
        for _ in range(WAITING):
            held.append(Connection(server.port))
            held[-1].send(request("GET", "/health"))
            held[-1].receive()
        each = (pss_kib(server.pid) - before) / WAITING
        self.row(22, "gateway: memory of an idle connection", [each], "nothing", None, None, None, "KiB", 1)
        for one in held:
            one.socket.close()

    def crowd(self, server, client):
        kernel, inside, gateway = self.kernel_kib(), self.sandboxes_kib(), pss_kib(server.pid)
        made, command = client.numbers("crowd %d" % CROWD)
        time.sleep(1)
        own = (pss_kib(server.pid) - gateway) / CROWD
        all_told = (self.kernel_kib() - kernel + self.sandboxes_kib() - inside) / CROWD + own
        started = now()
        client.ask("drop")
        ended = now() - started
        started = now()
        self.bench.lua.ask("idle %d" % CROWD)
        direct = now() - started
        self.bench.lua.ask("drop")
        self.row(22, "gateway: each of %d made at once" % CROWD, [made / CROWD], "direct, in a row", [direct / CROWD], None,
                 None)
        self.row(22, "gateway: a command in each at once", [command / CROWD], "nothing", None, None, None)
        self.row(22, "gateway: end of each at once", [ended / CROWD], "nothing", None, None, None)
        # what the client keeps open of its connections is part of it
        self.row(22, "gateway: its memory of an idle sandbox", [own], "nothing", None, None, None, "KiB", 1)
        self.row(22, "gateway: idle sandbox, all told", [all_told], "600 KiB are the goal", None, None, 600, "KiB", 1)


class Envd:
    """E2B's own program in its sandboxes, if it was given: a peer that isolates nothing."""

    def __init__(self, program):
        self.url = self.process = None
        if not program:
            print("without envd: --envd is to name that program, built of the sources of E2B's infrastructure")
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen([program, "-isnotfc", "-port", str(port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        patience = now() + PATIENCE
        while self.url is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                self.url = "http://127.0.0.1:%d" % port
            except OSError:
                if now() > patience or self.process.poll() is not None:
                    raise RuntimeError("envd does not answer") from None
                time.sleep(0.05)

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
