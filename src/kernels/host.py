"""Functions of the program that runs this sandbox.

    from host import tools
    tools.search('x', limit=3)   # keyword arguments: a table, after the others

What such a function raises is a HostError here.
"""
import json
import os
import socket


# Made once: `json.dumps` with options makes one at each call.
encode = json.JSONEncoder(allow_nan=False, separators=(',', ':')).encode
decode = json.JSONDecoder().decode
# Of an answer, at a time: memory for much more is mapped anew, and costs more
# than the call.
PIECE = 65536


class HostError(Exception):
    """A call failed; kind is a word for why, or None for the function's own."""

    def __init__(self, message, kind=None):
        super().__init__(message)
        self.kind = kind


class Connection:
    """One call at a time; the answers come in the order of the calls."""

    def __init__(self):
        url = os.environ.get('CODECELL_HOST_URL')
        if not url:
            raise HostError('the host has exposed nothing', 'not_found')
        place, _, port = url.rpartition('/')[2].rpartition(':')
        try:
            self.socket = socket.create_connection((place, int(port)))
        except OSError as error:
            raise HostError('the host does not answer: %s' % error.strerror,
                            'unavailable') from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        try:  # a forked child may have it too
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def ask(self, path, body):
        self.is_answered = False  # what has begun to be is not asked again
        self.socket.sendall(
            b'POST /%b HTTP/1.1\r\nHost: host\r\nContent-Type: application/json'
            b'\r\nContent-Length: %d\r\n\r\n%b' % (path, len(body), body))

    def more(self):
        bytes_read = self.socket.recv(PIECE)
        if not bytes_read:
            raise ConnectionError('the host has closed the connection')
        self.is_answered = True
        return bytes_read

    def answer(self):
        """Status, body, and whether the connection may be used again."""
        pieces = self.more()
        while b'\r\n\r\n' not in pieces:
            pieces += self.more()
        head, _, body = pieces.partition(b'\r\n\r\n')
        head = head.lower()
        size = int(head.partition(b'content-length:')[2].partition(b'\r')[0])
        if len(body) < size:
            chunks, got = [body], len(body)
            while got < size:
                chunks.append(self.more())
                got += len(chunks[-1])
            body = b''.join(chunks)
        return int(head[9:12]), body, b'\r\nconnection: close' not in head


idle = {}  # of each process: connections that nobody uses


def exchange(path, body):
    """One answer. A connection that was closed while idle has not taken the
    request: it goes by a new one."""
    mine = idle.setdefault(os.getpid(), [])
    while True:
        is_new = not mine
        try:
            connection = Connection() if is_new else mine.pop()
        except IndexError:  # another thread was quicker
            continue
        try:
            connection.ask(path, body)
            status, answer, goes_on = connection.answer()
        except ConnectionError:
            connection.close()
            if not is_new and not connection.is_answered:
                continue
            raise HostError('the host does not answer any more',
                            'unavailable') from None
        except BaseException:  # an interrupt too: then the call is cancelled
            connection.close()
            raise
        if goes_on:
            mine.append(connection)
        else:
            connection.close()
        return status, answer


class Function:
    def __init__(self, name, called):
        self.__name__ = self.__qualname__ = called
        self._name = name + '.' + called
        self._path = ('%s/%s' % (name, called)).encode('ascii')

    def __repr__(self):
        return '<function %s of the host>' % self._name

    def __call__(self, *values, **named):
        body = encode(values + (named,) if named else values)
        status, answer = exchange(self._path, body.encode())
        if status == 200:
            return decode(answer.decode())
        try:
            error = decode(answer.decode())['error']
        except (ValueError, TypeError, KeyError):
            error = {'message': 'the host has refused the request (%d)' % status}
        raise HostError(error['message'], error.get('kind'))


class Functions:
    """What the host has exposed by one name."""

    def __init__(self, name):
        self.__name__ = name

    def __repr__(self):
        return '<functions %s of the host>' % self.__name__

    def __getattr__(self, called):
        if called.startswith('_') or not called.isascii():
            raise AttributeError(called)
        function = Function(self.__name__, called)
        self.__dict__[called] = function
        return function


def __getattr__(name):
    if name.startswith('_') or not name.isascii():
        raise AttributeError(name)
    functions = globals()[name] = Functions(name)
    return functions
