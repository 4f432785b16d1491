# The bridge to a Jupyter kernel: speaks frames on descriptors 3 and 4 (protocol.h,
# enum cell_kernel_message) and Jupyter's protocol, over ZeroMQ on the loopback
# interface, with a kernel that it starts itself.
#
# sys.argv[1] is the folder of the kernelspec. The kernel is a process group of
# its own: an interrupt comes here, and is passed on as the kernelspec says.
import select
import struct
import time

WIRE, WIRE_OUT = 3, 4
EXECUTE, ENV, READY, RESULT, ERROR, DONE = 2, 3, 16, 17, 18, 19
START_MAX = 60  # seconds for a kernel to answer
ASK_AGAIN = 0.3  # seconds
LISTEN_AGAIN = 0.02  # seconds: what is published before we listen is lost
SETTLE_MAX = 5  # seconds for what follows the answer to a cell


def pack(kind, request, parts):
    pieces = []
    for name, value in parts:
        for piece in (name.encode(), value):
            pieces.append(struct.pack('<I', len(piece)))
            pieces.append(piece)
    payload = b''.join(pieces)
    return struct.pack('<IIQ', len(payload), kind, request) + payload


class Wire:
    def __init__(self):
        for descriptor in (WIRE, WIRE_OUT):
            os.set_inheritable(descriptor, False)

    def state(self):
        """Whether a frame waits there, and whether nothing will any more."""
        looker = select.poll()
        looker.register(WIRE, select.POLLIN)
        events = dict(looker.poll(0)).get(WIRE, 0)
        waits = bool(events & select.POLLIN)
        return waits, bool(events) and not waits

    def read(self, size):
        pieces = []
        while size:
            piece = os.read(WIRE, min(size, 1 << 20))
            if not piece:
                raise EOFError
            pieces.append(piece)
            size -= len(piece)
        return b''.join(pieces)

    def receive(self):
        size, kind, request = struct.unpack('<IIQ', self.read(16))
        payload, values, at = self.read(size), [], 0
        while at < size:
            end = at + 4 + struct.unpack_from('<I', payload, at)[0]
            values.append(payload[at + 4:end])
            at = end
        return kind, request, list(zip(values[::2], values[1::2]))

    def send(self, kind, request, parts):
        write_all(WIRE_OUT, pack(kind, request, parts))


def write_all(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]


class Bridge:
    def __init__(self, folder):
        self.wire, self.folder = Wire(), folder
        self.env, self.late = dict(os.environ), {}
        self.kernel, self.cell, self.count = None, None, 0
        self.interrupted = False
        self.woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self.on_interrupt)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def on_interrupt(self, number, frame):
        self.interrupted = True

    def finish(self, request, count, truncated=False):
        self.count = count if isinstance(count, int) else self.count + 1
        parts = [('execution_count', b'%d' % self.count)]
        if truncated:
            parts.append(('truncated', b'1'))
        self.wire.send(DONE, request, parts)

    # -- waiting ---------------------------------------------------------

    def poll(self, seconds, wire=True):
        """What is ready; interrupts and the end of a process wake it up."""
        poller = self.kernel.poller
        poller.register(self.woken, zmq.POLLIN)
        if wire:
            poller.register(WIRE, zmq.POLLIN)
        try:
            ready = dict(poller.poll(None if seconds is None
                                     else max(0, seconds * 1000)))
        finally:
            if wire:
                poller.unregister(WIRE)
        if self.woken in ready:
            os.read(self.woken, 4096)
        return ready

    def drain(self, channel, hear):
        message = self.kernel.receive(channel)
        while message is not None:
            hear(message)
            message = self.kernel.receive(channel)

    def check(self):
        """Go where the kernel has gone: its variables are lost."""
        if not self.kernel.process.ended():
            return
        status = self.kernel.process.process.returncode
        write_all(2, self.kernel.process.last_words())
        self.leave(status)

    def leave(self, status):
        if self.kernel is not None and not self.kernel.process.ended():
            self.kernel.process.process.kill()
        if status < 0:
            if -status != signal.SIGKILL:
                signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
        os._exit(status)

    # -- starting --------------------------------------------------------

    def start(self):
        global zmq, write_connection_file, Session
        import zmq
        from jupyter_client.connect import write_connection_file
        from jupyter_client.session import Session
        self.kernel = Kernel(self.folder, self.env)
        deadline = time.monotonic() + START_MAX
        info = heard = None
        asked = 0
        while info is None or not heard:
            now = time.monotonic()
            if self.kernel.process.ended():
                raise Unsupported('its kernel ended at once: %s' % (
                    self.kernel.process.last_line() or 'it said nothing'))
            elif now > deadline:
                raise Unsupported('its kernel did not answer in %d s'
                                  % START_MAX)
            elif self.wire.state()[1]:
                self.leave(0)
            # Once it answers, what it publishes is only still unheard.
            if now - asked > (ASK_AGAIN if info is None else LISTEN_AGAIN):
                asked = now
                self.kernel.send(self.kernel.shell, 'kernel_info_request', {})
            ready = self.poll(LISTEN_AGAIN, False)
            if self.interrupted:
                self.refuse()
            if self.kernel.published in ready:
                heard = self.kernel.receive(self.kernel.published)
            message = self.kernel.receive(self.kernel.shell)
            if message and message['msg_type'] == 'kernel_info_reply':
                info = message['content']
        language = info.get('language_info') or {}
        self.language = str(language.get('name', '')).lower()
        self.change_env(self.late)
        self.wire.send(READY, 0, [
            ('language', self.language.encode()),
            ('version', str(language.get('version', '')).encode()),
            ('executable', self.kernel.spec['argv'][0].encode())])

    def refuse(self):
        """A cell is interrupted before there is a kernel to run it."""
        self.interrupted = False
        if self.wire.state()[0]:
            kind, request, parts = self.wire.receive()
            if kind == ENV:
                self.late.update(self.take_env(parts))
            elif kind == EXECUTE:
                self.wire.send(ERROR, request, [
                    ('name', b'KeyboardInterrupt'), ('value', b''),
                    ('traceback', b'interrupted while the kernel started')])
                self.finish(request, None)

    # -- variables of the environment ------------------------------------

    def take_env(self, parts):
        given = {}
        for name, value in parts:
            if name == b'env':
                key, _, value = os.fsdecode(value).partition('=')
                given[key] = value
        return given

    def set_env(self, values):
        """In the kernel that runs; False: nobody knows how."""
        setter = SETTERS.get(self.language) or \
            SETTERS.get(self.kernel.spec['language'])
        if not setter:
            return not values
        code = '\n'.join(setter(name, value)
                         for name, value in values.items())
        if code:
            self.run(code)
        return True

    def change_env(self, values):
        self.env.update(values)
        self.set_env(values)

    def run(self, code):
        """Run code of ours: nobody hears of it."""
        kernel = self.kernel
        asked = kernel.send(kernel.shell, 'execute_request', {
            'code': code, 'silent': True, 'store_history': False,
            'user_expressions': {}, 'allow_stdin': False})
        answered = []

        def hear(message):
            if message['parent_header'].get('msg_id') == asked:
                answered.append(message)
        while not answered:
            self.poll(None, False)
            self.check()
            self.drain(kernel.published, lambda message: None)
            self.drain(kernel.shell, hear)

    # -- cells -----------------------------------------------------------

    def execute(self, request, parts):
        values = dict(parts)
        given = self.take_env(parts)
        if not self.set_env(given):
            self.wire.send(ERROR, request, [
                ('name', b'UnsupportedError'),
                ('value', b'environment variables of a cell: nobody knows how '
                          b'this language sets them'),
                ('traceback', b'give envs to create or to the context')])
            return self.finish(request, None)
        stdin = values.get(b'stdin')
        self.interrupted, self.kernel.process.said = False, b''
        cell = Cell(self, request,
                    values.get(b'code', b'').decode('utf-8', 'replace'),
                    None if stdin is None else stdin.decode('utf-8',
                                                            'replace'))
        self.follow(cell)
        self.set_env({name: self.env.get(name) for name in given})
        cell.finish()

    def follow(self, cell):
        kernel, deadline, wire = self.kernel, None, True

        def reply(message):
            if message['parent_header'].get('msg_id') == cell.id:
                cell.reply = message['content']
        while cell.reply is None or not cell.is_idle:
            if cell.reply is not None and deadline is None:
                deadline = time.monotonic() + SETTLE_MAX
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            ready = self.poll(left, wire)
            if WIRE in ready:
                if self.wire.state()[1]:
                    self.leave(0)
                wire = False  # a frame: for later
            if self.interrupted:
                self.interrupted = False
                kernel.interrupt()
            self.drain(kernel.published, cell.hear)
            self.drain(kernel.stdin, cell.answer)
            self.drain(kernel.shell, reply)
            if cell.reply is None or not cell.is_idle:
                self.check()
        for payload in (cell.reply or {}).get('payload') or ():
            if payload.get('source') == 'ask_exit':
                kernel.process.process.wait(SETTLE_MAX)
                self.check()

    def serve(self):
        while True:
            ready = self.poll(None)
            self.check()
            for channel in (self.kernel.published, self.kernel.shell,
                            self.kernel.stdin):
                self.drain(channel, lambda message: None)
            if WIRE not in ready:
                continue
            kind, request, parts = self.wire.receive()
            if kind == EXECUTE:
                self.execute(request, parts)
            elif kind == ENV:
                self.change_env(self.take_env(parts))


def main():
    bridge = Bridge(sys.argv[1])
    reason = None
    try:
        bridge.start()
    except ImportError as problem:
        reason = ('%s has no jupyter_client (%s); install it with pip, or '
                  'apt-get install python3-jupyter-client' % (
                      sys.executable, problem))
    except (Unsupported, OSError, ValueError, KeyError, TypeError) as problem:
        reason = str(problem)
    try:
        if reason is None:
            bridge.serve()
        bridge.wire.send(READY, 0, [('unsupported', reason.encode())])
        while True:
            bridge.wire.receive()
    except (EOFError, OSError):
        bridge.leave(0)


main()
