"""Starts the Python kernel over two pipes, without a sandbox."""
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = os.path.join(HERE, '..', '..', 'src', 'kernels')
PROGRAM, EXECUTE, ENV = 1, 2, 3
READY, RESULT, ERROR, DONE = 16, 17, 18, 19
STRUCTURED = ('json', 'data', 'chart')
BINARY = ('png', 'jpeg', 'pdf')
INTERPRETER = os.environ.get('CODECELL_PYTHON', '/usr/bin/python3')


def pack(values):
    return b''.join(len(value).to_bytes(4, 'little') + value
                    for value in values)


def frame(kind, request, values):
    payload = pack(values)
    return (len(payload).to_bytes(4, 'little') + kind.to_bytes(4, 'little')
            + request.to_bytes(8, 'little') + payload)


def program(marshalled=None):
    """The PROGRAM frame: every file of the kernel but its boot line."""
    values = []
    for folder in (KERNELS, marshalled):
        for name in sorted(os.listdir(folder)) if folder else ():
            if name.startswith('python') and name != 'python.boot':
                with open(os.path.join(folder, name), 'rb') as file:
                    values += [name.encode(), file.read()]
    return frame(PROGRAM, 0, values)


def compiled():
    """A folder with the marshalled kernel of the interpreter under test."""
    folder = tempfile.mkdtemp()
    script = os.path.join(HERE, '..', '..', '.ci', 'marshal_kernels')
    subprocess.run([INTERPRETER, '-I', '-S', script, KERNELS, folder],
                   check=True, stdout=subprocess.DEVNULL)
    return folder


class Execution:
    """What one cell answered, in the shape of the recorded cells."""

    def __init__(self):
        self.results, self.error = [], None
        self.stdout = self.stderr = b''
        self.count, self.parts = None, {}
        self.died = False

    @property
    def text(self):
        for result in self.results:
            if result['main']:
                return result.get('text')
        return None


class Kernel:
    """One kernel process and the ends of its pipes."""

    def __init__(self, marshalled=None, environment=None, wait=True):
        self.home = tempfile.mkdtemp()
        cells, answers = os.pipe(), os.pipe()
        with open(os.path.join(KERNELS, 'python.boot')) as file:
            boot = file.read()
        out, err = os.pipe(), os.pipe()
        env = {'HOME': self.home, 'LANG': 'C.UTF-8', 'TZ': 'UTC',
               'PATH': '/usr/local/bin:/usr/bin:/bin', 'TMPDIR': '/tmp'}
        env.update(environment or {})
        null = os.open('/dev/null', os.O_RDONLY)
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                os.chdir(self.home)
                high = [os.dup2(fd, 200 + index) for index, fd in enumerate(
                    (null, out[1], err[1], cells[0], answers[1]))]
                for number, fd in enumerate(high):
                    os.dup2(fd, number)
                os.closerange(5, 300)
                os.execve(INTERPRETER, [INTERPRETER, '-I', '-S', '-c', boot],
                          env)
            finally:
                os._exit(127)
        for fd in (null, out[1], err[1], cells[0], answers[1]):
            os.close(fd)
        self.wire, self.answers = open(cells[1], 'wb', 0), answers[0]
        self.out, self.err = out[0], err[0]
        for fd in (self.out, self.err):
            os.set_blocking(fd, False)
        self.buffer = b''
        self.request = 1000
        self.send(program(marshalled))
        self.ready = self.receive(30) if wait else None

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[self.wire.write(view):]

    def receive(self, timeout):
        """The next frame: kind, request, values; None at the end."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 16:
                size = 16 + int.from_bytes(self.buffer[:4], 'little')
                if len(self.buffer) >= size:
                    data, self.buffer = self.buffer[:size], self.buffer[size:]
                    return self.parse(data)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError('no frame')
            watched = [self.answers, self.out, self.err]
            for ready in select.select(watched, [], [], left)[0]:
                if ready == self.answers:
                    data = os.read(self.answers, 1 << 20)
                    if not data:
                        return None
                    self.buffer += data
                else:
                    self.drain()

    @staticmethod
    def parse(data):
        kind = int.from_bytes(data[4:8], 'little')
        request = int.from_bytes(data[8:16], 'little')
        values, at = [], 16
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at:at + 4], 'little')
            assert end <= len(data)
            values.append(data[at + 4:end])
            at = end
        assert len(values) % 2 == 0
        return kind, request, list(zip(values[::2], values[1::2]))

    current = None

    def drain(self):
        for name, fd in (('stdout', self.out), ('stderr', self.err)):
            while True:
                try:
                    data = os.read(fd, 1 << 16)
                except BlockingIOError:
                    break
                if not data:
                    break
                if self.current is not None:
                    setattr(self.current, name,
                            getattr(self.current, name) + data)

    def start(self, code, stdin=None, env=()):
        self.request += 1
        if isinstance(code, str):
            code = code.encode('utf-8', 'surrogatepass')
        values = [b'code', code]
        if stdin is not None:
            values += [b'stdin', stdin]
        for entry in env:
            values += [b'env', entry]
        self.drain()
        self.current = Execution()
        self.send(frame(EXECUTE, self.request, values))

    def finish(self, timeout=60):
        import json
        execution = self.current
        while True:
            answer = self.receive(timeout)
            if answer is None:
                execution.died = True
                break
            kind, request, values = answer
            if request != self.request:
                continue
            if kind == RESULT:
                result = {'main': False}
                for name, value in values:
                    name = name.decode()
                    if name == 'main':
                        result['main'] = value == b'1'
                    elif name in STRUCTURED:
                        result[name] = json.loads(value.decode())
                    elif name in BINARY:
                        result[name] = value
                    elif name.endswith(' json'):
                        result.setdefault('extra', {})[name[:-5]] = (
                            json.loads(value.decode()))
                    elif '/' in name:
                        result.setdefault('extra', {})[name] = value.decode()
                    else:
                        result[name] = value.decode()
                execution.results.append(result)
            elif kind == ERROR:
                assert execution.error is None
                execution.error = {name.decode(): value.decode()
                                   for name, value in values}
            elif kind == DONE:
                execution.parts = dict(values)
                execution.count = int(execution.parts[b'execution_count'])
                break
        self.drain()
        self.current = None
        return execution

    def run(self, code, timeout=60, **options):
        self.start(code, **options)
        return self.finish(timeout)

    def run_interrupted(self, code, after):
        """Run a cell, interrupt it after so many seconds."""
        self.start(code)
        time.sleep(after)
        os.killpg(self.pid, signal.SIGINT)
        return self.finish(10)

    def close(self):
        self.wire.close()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        status = os.waitpid(self.pid, 0)[1]
        for fd in (self.answers, self.out, self.err):
            os.close(fd)
        shutil.rmtree(self.home, ignore_errors=True)
        return status
