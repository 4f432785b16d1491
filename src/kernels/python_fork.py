# A copy of this process, variables and all, as the kernel of another context.
#
# That context has a kernel of its own already, started as any other. It waits
# on a socket; this one comes, is given the other's wire and output, and forks.
# From then on the copy is the other's kernel, and what was started for it only
# passes interrupts on and ends with it: the library knows no other process.
# Each of the two looks at who the other is, by the number that the library
# says: no other code of the sandbox gets hold of the wire.
#
# kernel and part are given by the core.
import _signal
import _socket
import _thread
import fcntl
import posix
import sys
from _signal import SIGCHLD, SIGINT, SIGKILL

PATIENCE = 10  # seconds until the other one is there
WIRE, COUNT = 3, 5  # descriptors 0 to 4 are given
PEER = 12  # bytes of struct ucred
core = part.__globals__
streams = core['streams']


others = []  # loops of the origin: to close them here would harm them there


class Refused(Exception):
    """Why this process cannot be copied."""


def serve(request, values):
    values = dict(values)
    role = wait if values[b'role'] == b'wait' else branch
    path, other = values[b'path'].decode(), int(values[b'other'])
    try:
        role(request, path, other)
    except Refused as reason:
        refuse(request, 'unsupported', str(reason))
    except Exception as error:
        refuse(request, 'system', '%s: %s' % (type(error).__name__, error))


def refuse(request, name, value):
    kernel.send(core['pack'](core['ERROR'], request, [
        b'name', name.encode(), b'value', value.encode()]))


def done(request, **values):
    parts = []
    for name, value in values.items():
        parts += [name.encode(), str(value).encode()]
    kernel.send(core['pack'](core['DONE'], request, parts))


def peer_of(connection):
    credentials = connection.getsockopt(_socket.SOL_SOCKET,
                                        _socket.SO_PEERCRED, PEER)
    return int.from_bytes(credentials[:4], sys.byteorder)


def new_socket(number=-1):
    return _socket.socket(_socket.AF_UNIX,
                          _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0,
                          None if number < 0 else number)


# ---- the one that waits ----

def wait(request, path, other):
    listener = new_socket()
    try:
        listener.settimeout(PATIENCE)
        listener.bind(path)
        listener.listen(8)
        done(request)
        while True:
            connection = new_socket(listener._accept()[0])
            if peer_of(connection) == other:
                break
            connection.close()
    finally:
        listener.close()
        try:
            posix.unlink(path)
        except OSError:
            pass
    connection.settimeout(PATIENCE)
    given = b''.join(number.to_bytes(4, sys.byteorder)
                     for number in range(COUNT))
    connection.sendmsg([b'-'], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS,
                                 given)])
    copy = int(connection.recv(20) or 0)
    if not copy:
        raise OSError('the copy has ended')
    connection.send(b'+')
    follow(connection, copy)


def follow(connection, copy):
    """Pass interrupts on to the copy, and end with it."""
    def pass_on(number, frame):
        try:
            posix.killpg(copy, SIGINT)
        except OSError:
            pass  # about to end

    _signal.signal(SIGINT, pass_on)
    connection.settimeout(None)
    connection.recv(1)
    posix._exit(1)


# ---- the one that is copied ----

def check():
    if _thread._count() > 0:
        raise Refused('threads run in this context, and a copy would have '
                      'none of them; end them first')
    loop = kernel.loop
    if loop is not None and not loop.is_closed():
        if sys.modules['asyncio'].all_tasks(loop):
            raise Refused('tasks of asyncio wait in this context; let them '
                          'end first')
    count = len(posix.listdir('/proc/self/task'))
    if count > 1:
        with open('/proc/self/maps') as maps:
            # Its threads end before a fork, and start again when needed.
            if 'openblas' not in maps.read():
                raise Refused('a library has started threads in this context, '
                              'and a copy would have none of them')


def branch(request, path, other):
    check()
    connection, numbers = new_socket(), []
    try:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        if peer_of(connection) != other:
            raise OSError('somebody else answered')
        numbers = receive(connection)
        is_copy = split()
        if is_copy:
            become(connection, numbers)
    except OSError:
        leave(connection, numbers)
        raise
    if is_copy:
        return done(request, pid=kernel.pid)
    leave(connection, numbers)
    done(request)


def leave(connection, numbers):
    for number in numbers:
        posix.close(number)
    connection.close()


def receive(connection):
    rights = connection.recvmsg(1, _socket.CMSG_SPACE(4 * COUNT))[1]
    data = rights[0][2] if rights else b''
    numbers = [int.from_bytes(data[at:at + 4], sys.byteorder)
               for at in range(0, len(data), 4)]
    if len(numbers) != COUNT or min(numbers) < COUNT:
        for number in numbers:
            posix.close(number)
        raise OSError('descriptors are missing')
    return numbers


def split():
    """Fork, twice: the copy is no child that code here would wait for.
    True in the copy."""
    # Code may have its children forgotten, or a handler that waits for all.
    blocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, (SIGCHLD,))
    is_ignored = _signal.getsignal(SIGCHLD) == _signal.SIG_IGN
    if is_ignored:
        _signal.signal(SIGCHLD, _signal.SIG_DFL)
    try:
        return split_waiting()
    finally:
        if is_ignored:
            _signal.signal(SIGCHLD, _signal.SIG_IGN)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, blocked)


def split_waiting():
    middle = posix.fork()
    if not middle:
        try:
            if posix.fork():
                posix._exit(0)
        except OSError:
            posix._exit(1)
        return True
    if posix.waitpid(middle, 0)[1]:
        raise OSError('no second process could be made')
    return False


def become(connection, numbers):
    """Be the kernel of the other context. What cannot be done here ends the
    copy, and the one that waits with it."""
    try:
        posix.setsid()
        for target, number in enumerate(numbers):
            posix.dup2(number, target, target < WIRE)
            posix.close(number)
        connection.send(b'%d' % posix.getpid())
        if connection.recv(1) != b'+':
            posix._exit(1)
        end_with(connection)
        renew(connection)
    except BaseException:
        posix._exit(1)


def end_with(connection):
    """Have the system kill this process when the other end is closed."""
    number = connection.fileno()
    fcntl.fcntl(number, fcntl.F_SETOWN, posix.getpid())
    fcntl.fcntl(number, fcntl.F_SETSIG, SIGKILL)
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    fcntl.fcntl(number, fcntl.F_SETFL, flags | fcntl.FASYNC)
    connection.settimeout(0)
    try:
        connection.recv(1)
    except BlockingIOError:
        return
    posix._exit(1)  # it was closed before


def renew(connection):
    """What a copy must not share with its origin."""
    if kernel.anchor is not None:
        kernel.anchor.detach()  # its number was closed by the fork
    kernel.anchor = connection
    speak()
    kernel.inherited.append(connection.fileno())
    if kernel.loop is not None:
        others.append(kernel.loop)
        kernel.loop = None
        part('python_async')['loop']()


def speak():
    """Be a kernel by itself, on the descriptors that it has now."""
    kernel.pid, kernel.thread = posix.getpid(), _thread.get_ident()
    core['wire'] = open(WIRE, 'rb', closefd=False)
    streams.saved = [streams.high(1), streams.high(2)]
    streams.identity = [streams.identify(1), streams.identify(2)]
    kernel.inherited = [WIRE, core['ANSWERS']] + streams.saved
    for number in kernel.inherited:
        posix.set_inheritable(number, False)
    _signal.signal(SIGINT, core['on_interrupt'])
    part('python_rehearsal')['renew_chance']()
