-- hostile.lua -- clients of a gateway that mean no good: Python programs on raw sockets.
local shell = require "spec.support.shell"

local hostile = {}

local PRELUDE = [==[
import json, os, socket, struct, sys, time
PORT, KEY, ID, TOKEN = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
ENVD = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: %s\r\n" % (ID, TOKEN)
BARE = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 49983\r\n" % ID
CODE = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 49999\r\n" % ID
API = "X-API-Key: %s\r\n" % KEY
STREAM = "application/connect+json"

def encoded(data):
    return data.encode("latin-1") if isinstance(data, str) else data

def connect(data=b""):
    one = socket.create_connection(("127.0.0.1", PORT))
    one.settimeout(30)
    one.sendall(encoded(data))
    return one

def all_of(one):
    data = b""
    try:
        while True:
            piece = one.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionError:
        return data or b"HTTP/1.1 0 reset"

def status_of(data):
    return int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/") else None

def ask(data):
    """The status; 0: the connection was reset; None: it was closed without an answer."""
    try:
        one = connect(data)
    except ConnectionError:
        return 0
    return status_of(all_of(one))

def get(path, head="", method="GET"):
    return "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n" % (method, path, head)

def post(path, body, head="", kind="application/json"):
    body = encoded(body)
    return get(path, "Content-Type: %s\r\nContent-Length: %d\r\n%s" % (kind, len(body), head),
        "POST").encode("latin-1") + body

def body_of(data):
    return data.split(b"\r\n\r\n", 1)[1]

def others_are_served():
    return ask(get("/health")) == 200

def frame(body, flags=0, size=None):
    return bytes([flags]) + struct.pack(">I", len(body) if size is None else size) + body

def start(words):
    wish = json.dumps({"process": {"cmd": "sh", "args": ["-c", words]}, "stdin": False})
    return post("/process.Process/Start", frame(wish.encode()), ENVD, STREAM)

def call(method, body):
    return json.loads(body_of(all_of(connect(post("/process.Process/" + method, json.dumps(body),
        ENVD)))))

def end_all():
    for one in call("List", {}).get("processes", []):
        call("SendSignal", {"process": {"pid": one["pid"]}, "signal": "SIGNAL_SIGKILL"})
]==]

--- Run a program against a gateway and one of its sandboxes; what it prints.
function hostile.python(server, key, record, program)
  local result = shell.run(("/usr/bin/python3 - %s %s %s %s"):format(server.port, key,
    record.sandboxID, record.envdAccessToken), { stdin = PRELUDE .. program, time = 100 })
  assert(result.status == 0, result.stdout .. result.stderr)
  return result.stdout
end

local SERVICE = [==[
import signal, subprocess
FOLDER, COMMAND = sys.argv[5], sys.argv[6]

def serve(*options, port=0):
    """The program, once it listens."""
    global PORT
    log = open(FOLDER + "/log", "ab")
    program = subprocess.Popen([COMMAND, "serve", "--port", str(port), "--api-key", KEY, *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
        env=dict(os.environ, CODECELL_HOME=FOLDER))
    PORT = int(program.stdout.readline().decode().rsplit(":", 1)[1])
    return program

def create():
    global ID, TOKEN, ENVD, CODE
    made = json.loads(body_of(all_of(connect(post("/sandboxes", json.dumps({"templateID": "base",
        "timeout": 600, "secure": True, "allow_internet_access": False}), API)))))
    ID, TOKEN = made["sandboxID"], made["envdAccessToken"]
    ENVD = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: %s\r\n" % (ID, TOKEN)
    CODE = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 49999\r\n" % ID

SLEEP = "sleep 98765.%d" % os.getpid() # what no other test on this machine runs

def sleepers():
    """Processes of sandboxes that do so."""
    return subprocess.run(["pgrep", "-fx", SLEEP], capture_output=True,
        env={"PATH": os.environ["PATH"]}).stdout.decode().split()

def until(what):
    for _ in range(1500):
        if what():
            return True
        time.sleep(0.02)
    raise SystemExit("waited in vain")
]==]

--- Run a program that starts a gateway itself, to see how it ends; what it prints, and the log.
function hostile.service(key, program)
  local folder = shell.folder()
  local result = shell.run(("/usr/bin/python3 - 0 %s - - %s %s"):format(key, folder,
    shell.codecell), { stdin = PRELUDE .. SERVICE .. program, time = 100 })
  local log = shell.read(folder .. "/log")
  shell.remove(folder)
  assert(result.status == 0, result.stdout .. result.stderr .. log)
  return result.stdout, log
end

return hostile
