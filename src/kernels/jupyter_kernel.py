# A Jupyter kernel as a process, and the channels to it. One text with
# jupyter_cell.py and jupyter.py, which comes last.
import binascii
import ctypes
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading

RECONNECT = 20  # milliseconds: until the kernel listens
SAID_MAX = 4096  # bytes of what the process has on its standard error
ANSI = re.compile('\x1b\\[[0-9;?]*[ -/]*[@-~]')


class Unsupported(Exception):
    """Why there is no kernel, in one line."""


# ---- the environment of a kernel that runs ----

def in_python(name, value):
    if value is None:
        return '__import__("os").environ.pop(%r, None)' % name
    return '__import__("os").environ[%r] = %r' % (name, value)


def in_r(name, value):
    if value is None:
        return 'Sys.unsetenv(%s)' % json.dumps(name)
    return 'do.call(Sys.setenv, setNames(list(%s), %s))' % (
        json.dumps(value, ensure_ascii=False), json.dumps(name))


def in_julia(name, value):
    if value is None:
        return 'delete!(ENV, %s);' % json.dumps(name)
    return 'ENV[%s] = %s;' % (json.dumps(name), json.dumps(
        value, ensure_ascii=False).replace('$', '\\$'))


def in_javascript(name, value):
    if value is None:
        return 'delete process.env[%s];' % json.dumps(name)
    return 'process.env[%s] = %s;' % (json.dumps(name), json.dumps(value))


def in_ruby(name, value):
    return 'ENV[%s] = %s' % (ruby_string(name), 'nil' if value is None
                             else ruby_string(value))


def ruby_string(text):
    return "'" + text.replace('\\', '\\\\').replace("'", "\\'") + "'"


def in_bash(name, value):
    if value is None:
        return 'unset -v ' + name
    return 'export %s=%s' % (name, shlex.quote(value))


SETTERS = {
    'python': in_python, 'ipython': in_python, 'r': in_r, 'julia': in_julia,
    'javascript': in_javascript, 'typescript': in_javascript,
    'ruby': in_ruby, 'bash': in_bash, 'sh': in_bash, 'zsh': in_bash}


# ---- the kernel ----

class Process:
    """The kernel's process, and the last it has said outside the protocol."""

    def __init__(self, argv, env):
        self.said = b''
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=in_kernel)
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        source = self.process.stderr.fileno()
        while True:
            piece = os.read(source, 65536)
            if not piece:
                return
            self.said = (self.said + piece)[-SAID_MAX:]

    def ended(self):
        return self.process.poll() is not None

    def last_words(self):
        """Once it has ended; its children may have what it wrote to."""
        self.listener.join(1)
        return self.said

    def last_line(self):
        lines = self.last_words().decode('utf-8', 'replace').strip().splitlines()
        return ANSI.sub('', lines[-1]).strip() if lines else ''

    def interrupt(self):
        try:
            os.killpg(self.process.pid, signal.SIGINT)
        except ProcessLookupError:
            pass


def in_kernel():
    os.setpgid(0, 0)
    library.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with us
    signal.signal(signal.SIGINT, signal.SIG_DFL)


library = ctypes.CDLL(None)


class Kernel:
    """A Jupyter kernel and the channels to it."""

    def __init__(self, folder, env):
        self.spec = read_spec(folder)
        self.folder = tempfile.mkdtemp(prefix='.codecell-jupyter-')
        key = binascii.hexlify(os.urandom(32))
        path, settings = write_connection_file(
            os.path.join(self.folder, 'connection.json'), ip='127.0.0.1',
            key=key, **free_ports())
        self.process = self.start(path, folder, env)
        self.session = Session(key=key,
                               signature_scheme=settings['signature_scheme'])
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.shell = self.connect(zmq.DEALER, settings['shell_port'])
        self.control = self.connect(zmq.DEALER, settings['control_port'])
        self.stdin = self.connect(zmq.DEALER, settings['stdin_port'])
        self.published = self.connect(zmq.SUB, settings['iopub_port'])
        for channel in (self.shell, self.stdin, self.published):
            self.poller.register(channel, zmq.POLLIN)

    def start(self, path, folder, env):
        env = dict(env)
        env.update(self.spec['env'])
        places = {'connection_file': path, 'resource_dir': folder,
                  'prefix': sys.prefix}
        argv = [re.sub(r'\{(\w+)\}',
                       lambda found: places.get(found.group(1),
                                                found.group(0)), word)
                for word in self.spec['argv']]
        # As jupyter_client has it: the Python that this one is.
        if re.match(r'python(3(\.\d+)?)?$', argv[0]):
            argv[0] = sys.executable
        try:
            return Process(argv, env)
        except (OSError, ValueError) as error:
            raise Unsupported('its kernelspec starts %s: %s' % (
                argv[0], getattr(error, 'strerror', None) or error))

    def connect(self, kind, port):
        channel = self.context.socket(kind)
        channel.linger = 0
        channel.reconnect_ivl = RECONNECT
        channel.rcvhwm = 0
        if kind == zmq.SUB:
            channel.subscribe(b'')
        else:
            channel.identity = self.session.bsession
        channel.connect('tcp://127.0.0.1:%d' % port)
        return channel

    def send(self, channel, kind, content):
        message = self.session.msg(kind, content)
        self.session.send(channel, message)
        return message['header']['msg_id']

    def receive(self, channel):
        """A message, or None: none is there, or nobody could read it."""
        try:
            pieces = channel.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        try:
            _, pieces = self.session.feed_identities(pieces)
            return self.session.deserialize(pieces)
        except Exception:  # not signed, not JSON: not from our kernel
            return {'parent_header': {}, 'msg_type': '', 'content': {}}

    def interrupt(self):
        if self.spec['interrupt_mode'] == 'message':
            self.send(self.control, 'interrupt_request', {})
        else:
            self.process.interrupt()


def free_ports():
    """jupyter_client looks for them with an option of sockets that a sandbox
    does not know."""
    names = 'shell', 'iopub', 'stdin', 'hb', 'control'
    sockets = [socket.socket() for name in names]
    for one in sockets:
        one.bind(('127.0.0.1', 0))
    ports = {name + '_port': one.getsockname()[1]
             for name, one in zip(names, sockets)}
    for one in sockets:
        one.close()
    return ports


def read_spec(folder):
    with open(os.path.join(folder, 'kernel.json'), encoding='utf-8') as file:
        spec = json.load(file)
    env = spec.get('env')
    env = env.items() if isinstance(env, dict) else ()
    return {
        'argv': [str(word) for word in spec['argv']],
        'language': str(spec.get('language', '')).lower(),
        'interrupt_mode': spec.get('interrupt_mode'),
        'env': {str(name): os.path.expandvars(str(value))
                for name, value in env}}


