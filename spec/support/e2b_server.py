"""A server that answers as a script says: for what a cloud does that cannot be had otherwise.

Its folder holds script.json, a list of rules, which may change at any time: {"serial", "accept",
"rules": [{"method", "path", "contains", "times", "status", "headers", "body" (base64), "bodies" (one
for each use), "cut", "pieces", "pause", "endless", "hang", "length", "raw" (all of the answer, base64),
"drop", "early" (before the body of the request is read), "after" ("close", "reset" or "hang")}]}. The
first rule that fits and is not used up answers. Each request is a line of JSON in the file log.

A second port takes connections and answers none of them: it does with each what "accept" says, once
something was asked for, and notes it.
"""
import base64
import http.server
import io
import json
import os
import re
import socket
import socketserver
import struct
import sys
import threading
import time

FOLDER = sys.argv[1]
LOCK = threading.Lock()
NOTHING = io.BytesIO()
USED = {}
CURRENT = {"text": None, "script": None}


def read_script():
    """The script as it is now; it is replaced, and never written again."""
    # By what it says: two of one size, one soon after the other, may look the same otherwise.
    with open(os.path.join(FOLDER, "script.json")) as file:
        text = file.read()
    if CURRENT["text"] != text:
        CURRENT.update(text=text, script=json.loads(text))
    return CURRENT["script"]


def find_rule(method, path, body):
    with LOCK:
        script = read_script()
        for i, rule in enumerate(script["rules"]):
            key = (script["serial"], i)
            if rule.get("method", method) != method or not re.search(rule["path"], path):
                continue
            if rule.get("contains", "").encode() not in (body or b""):
                continue
            if USED.get(key, 0) >= rule.get("times", 1 << 30):
                continue
            if rule.get("early", False) != (body is None):
                continue
            if "bodies" in rule:
                rule = dict(rule, body=rule["bodies"][USED.get(key, 0) % len(rule["bodies"])])
            USED[key] = USED.get(key, 0) + 1
            return rule
    if body is None:
        return None
    return {"status": 599, "body": base64.b64encode(b"no rule for " + path.encode()).decode()}


def note(record):
    with LOCK, open(os.path.join(FOLDER, "log"), "a") as file:
        file.write(json.dumps(record) + "\n")


def end(connection, how):
    """Close a connection, by a reset, or once the other side has."""
    if how == "hang":
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
    elif how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        return
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def write(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def write_raw(self, rule):
        raw, size = base64.b64decode(rule["raw"]), rule.get("pieces")
        for at in range(0, len(raw), size or len(raw) or 1):
            self.write(raw[at : at + (size or len(raw))])
            time.sleep(rule.get("pause", 0))
        while rule.get("endless"):
            self.write(base64.b64decode(rule["endless"]))
            time.sleep(rule.get("pause", 0))

    def write_chunk(self, data):
        if data:
            self.write(b"%x\r\n%s\r\n" % (len(data), data))

    def send_pieces(self, rule, body):
        """Chunked, in pieces of so many bytes; a cut one ends without its end."""
        size = rule.get("pieces") or len(body) or 1
        if "cut" in rule:
            body = body[: rule["cut"]]
        for at in range(0, len(body), size):
            self.write_chunk(body[at : at + size])
            time.sleep(rule.get("pause", 0))
        if "cut" in rule:
            self.end(rule)
        elif rule.get("endless"):
            while True:
                self.write_chunk(base64.b64decode(rule["endless"]))
                time.sleep(rule.get("pause", 0))
        elif rule.get("hang"):
            while self.connection.recv(1):
                pass
        else:
            self.write(b"0\r\n\r\n")

    def end(self, rule):
        self.close_connection = True
        self.wfile = self.rfile = NOTHING
        end(self.connection, rule.get("after"))

    def answer(self):
        early = find_rule(self.command, self.path, None)
        body = b"" if early else self.read_body()
        path = self.path
        note({
            "method": self.command, "path": path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(body).decode(), "at": time.time(),
        })
        rule = early or find_rule(self.command, path, body)
        if "raw" in rule:
            self.write_raw(rule)
        if rule.get("drop") or "raw" in rule:
            self.end(rule)
            return
        data = base64.b64decode(rule.get("body", ""))
        streamed = "pieces" in rule or "cut" in rule or "endless" in rule or "hang" in rule
        self.send_response_only(rule.get("status", 200))
        for name, value in rule.get("headers", {}).items():
            self.send_header(name, value)
        if streamed:
            self.send_header("Transfer-Encoding", "chunked")
        elif rule.get("status", 200) not in (204, 304):
            self.send_header("Content-Length", str(rule.get("length", len(data))))
        self.end_headers()
        try:
            if streamed:
                self.send_pieces(rule, data)
            elif self.command != "HEAD":
                self.write(data)
                if rule.get("length", len(data)) != len(data):
                    self.close_connection = True
                if "after" in rule:
                    self.end(rule)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


class Mute(socketserver.BaseRequestHandler):
    def handle(self):
        with LOCK:
            how = read_script().get("accept")
        note({"method": "", "path": "accept", "headers": {}, "body": "", "at": time.time()})
        # What breaks off before it has asked may ask again, whatever it is.
        if how != "hang":
            self.request.recv(65536)
        end(self.request, how)


class MuteServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
mute = MuteServer(("127.0.0.1", 0), Mute)
threading.Thread(target=mute.serve_forever, daemon=True).start()
with open(os.path.join(FOLDER, "port.new"), "w") as file:
    file.write("%d %d" % (server.server_address[1], mute.server_address[1]))
os.rename(os.path.join(FOLDER, "port.new"), os.path.join(FOLDER, "port"))


def watch():
    """End with the folder, or with the program that made it."""
    program = "/proc/" + sys.argv[2]
    while os.path.exists(os.path.join(FOLDER, "script.json")) and os.path.exists(program):
        time.sleep(0.2)
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()
server.serve_forever()
