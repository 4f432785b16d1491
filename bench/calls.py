"""What a call of a function of the host costs code in a sandbox, beside what two plain programs of this machine pay
to ask each other."""
import os
import subprocess
import tempfile

CALLS = 50  # of a round
INSIDE = """
import time
from host import bench
times = []
for i in range(%d):
    began = time.perf_counter_ns()
    bench.add(i, 1)
    times.append(time.perf_counter_ns() - began)
print(*times)
""" % CALLS
CONNECTION = """
import sys, threading, time
from multiprocessing.connection import Client, Listener
if len(sys.argv) > 2:
    with Listener(sys.argv[1], 'AF_UNIX') as listener:
        print('ready', flush=True)
        peer = listener.accept()
        while True:
            one, other = peer.recv()
            peer.send(one + other)
peer = Client(sys.argv[1], 'AF_UNIX')
for line in sys.stdin:
    times = []
    for i in range(%d):
        began = time.perf_counter_ns()
        peer.send((i, 1))
        peer.recv()
        times.append(time.perf_counter_ns() - began)
    print(*times, flush=True)
""" % CALLS
REQUEST = """
import http.client, http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = 'HTTP/1.1', True
    def do_POST(self):
        values = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        body = json.dumps(sum(values)).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *values):
        pass
if len(sys.argv) > 2:
    with http.server.HTTPServer(('127.0.0.1', 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
peer = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
peer.connect()
import socket
peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for line in sys.stdin:
    times = []
    for i in range(%d):
        began = time.perf_counter_ns()
        peer.request('POST', '/add', json.dumps([i, 1]), {'Content-Type': 'application/json'})
        json.loads(peer.getresponse().read())
        times.append(time.perf_counter_ns() - began)
    print(*times, flush=True)
""" % CALLS


class Calls:
    def __init__(self, bench, lines):
        self.bench, self.lines = bench, lines

    def pair(self, program, place):
        """A program that answers, and one that asks it: the latter, as lines of nanoseconds."""
        python = self.bench.python
        server = subprocess.Popen([python, "-c", program, place, "serve"], stdout=subprocess.PIPE)
        said = server.stdout.readline().decode().strip()
        return server, self.lines([python, "-c", program, place if said == "ready" else said])

    def rows(self):
        with tempfile.TemporaryDirectory() as folder:
            code = os.path.join(folder, "code.py")
            with open(code, "w") as file:
                file.write(INSIDE)
            servers, askers = zip(self.pair(CONNECTION, os.path.join(folder, "socket")), self.pair(REQUEST, "0"))
            try:
                got = self.bench.interleave(self.bench.options.rounds // 4 + 1,
                                            ours=lambda: self.bench.lua.numbers("calls " + code),
                                            connection=lambda: askers[0].numbers("go"),
                                            request=lambda: askers[1].numbers("go"))
            finally:
                for asker in askers:
                    asker.process.kill()
                    asker.process.wait()
                for server in servers:
                    server.kill()
                    server.wait()
        self.bench.row(23, "a function of the host, from python", got["ours"], "HTTP between two pythons",
                       got["request"], 1, 0.4)
        self.bench.row(23, "a function of the host, from python", got["ours"], "multiprocessing.connection",
                       got["connection"], None, 2.5)
