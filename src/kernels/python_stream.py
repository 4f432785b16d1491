# sys.stdin, sys.stdout and sys.stderr: what a cell reads and prints.
# Part of every start. kernel and part are given by the core.
import _codecs
import _io
import posix
import sys
from posix import fstat, write


def keep_bytes(error):
    """Error handler of the streams: escaped bytes as they were, a lone
    surrogate as its escape, so that printing never raises."""
    try:
        return _codecs.lookup_error('surrogateescape')(error)
    except UnicodeError:
        return _codecs.lookup_error('backslashreplace')(error)


_codecs.register_error('codecell', keep_bytes)


class Streams:
    """sys.stdout and sys.stderr on the pipes, and sys.stdin."""

    def __init__(self):
        self.ours = [None, None]
        self.feeding = None
        self.saved = [self.high(1), self.high(2)]
        self.identity = [self.identify(1), self.identify(2)]
        self.reset()

    @staticmethod
    def high(number):
        try:
            copy = posix.dup(number)
        except OSError:
            return -1
        posix.set_inheritable(copy, False)
        return copy

    @staticmethod
    def identify(number):
        try:
            status = fstat(number)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def reset(self):
        """Give a cell the streams as they should be."""
        for number in 1, 2:
            stream = self.ours[number - 1]
            if not self.works(stream):
                stream = self.open(number)
            if number == 1:
                sys.stdout = sys.__stdout__ = stream
            else:
                sys.stderr = sys.__stderr__ = stream
        sys.stdin = sys.__stdin__ = no_input

    @staticmethod
    def works(stream):
        try:
            # Its only attribute of its own is its mode.
            return not stream.closed and len(vars(stream)) == 1
        except (AttributeError, TypeError, ValueError):
            return False  # not made yet, or detached from its buffer

    def open(self, number):
        file = _io.FileIO(number, 'w', closefd=False)
        file.name = 'stdout' if number == 1 else 'stderr'
        stream = _io.TextIOWrapper(_io.BufferedWriter(file), 'UTF-8',
                                   'codecell', line_buffering=True)
        stream.mode = 'w'
        self.ours[number - 1] = stream
        return stream

    def feed(self, data):
        """Let the cell read these bytes: on sys.stdin and descriptor 0."""
        if hasattr(posix, 'memfd_create'):
            file = posix.memfd_create('stdin')
        else:
            file = posix.open('/tmp', posix.O_TMPFILE | posix.O_RDWR)
        view = memoryview(data)
        while view:
            view = view[write(file, view):]
        posix.lseek(file, 0, 0)
        posix.dup2(file, 0)
        posix.close(file)
        raw = _io.FileIO(0, 'r', closefd=False)
        self.feeding = _io.TextIOWrapper(_io.BufferedReader(raw), 'utf-8',
                                         'surrogateescape')
        sys.stdin = sys.__stdin__ = self.feeding

    def flush_others(self):
        """Flush what the user put in the place of our streams."""
        for name in 'stdout', 'stderr':
            stream = getattr(sys, name, None)
            if stream is not None and stream is not self.ours[0] and (
                    stream is not self.ours[1]):
                try:
                    stream.flush()
                except Exception:
                    pass  # it is broken

    def flush(self):
        for stream in self.ours:
            try:
                Flush(stream)
            except (OSError, ValueError):
                pass  # closed; made anew for the next cell

    def settle(self):
        """After a cell: all that it printed is in the pipes, and the
        descriptors are what they were."""
        self.flush()
        # What the user put in their place goes now: its end may close ours.
        sys.stdout, sys.stderr = self.ours
        for number in 1, 2:
            identity = self.identity[number - 1]
            if identity and self.identify(number) != identity:
                posix.dup2(self.saved[number - 1], number)
        if self.feeding is not None:
            self.feeding = None
            empty = posix.open('/dev/null', posix.O_RDONLY)
            posix.dup2(empty, 0)
            if empty:
                posix.close(empty)


Flush = _io.TextIOWrapper.flush  # not the one that a stream may have got


class StdinNotImplementedError(NotImplementedError):
    """There is nobody to ask: the cell was given no input."""


StdinNotImplementedError.__module__ = 'IPython.core.error'


class NoInput:
    """sys.stdin of a cell without input: it is at its end."""

    name, mode, encoding, errors = '<stdin>', 'r', 'utf-8', 'strict'
    closed = False

    def read(self, size=-1):
        return ''

    readline = read

    def readlines(self, hint=-1):
        return []

    def __iter__(self):
        return iter(())

    def fileno(self):
        return 0

    def isatty(self):
        return False

    def readable(self):
        return True

    def writable(self):
        return False

    seekable = writable

    def flush(self):
        pass

    close = flush


NoInput.buffer = property(lambda self: _io.FileIO(0, 'r', closefd=False))


def read_input(prompt='', *options):
    """Read a line of the cell's input."""
    if sys.stdin is no_input:
        raise StdinNotImplementedError(
            'no input: this cell was given none; pass the text as its stdin')
    if prompt:
        sys.stdout.write(str(prompt))
        sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError('the input of this cell is at its end')
    return line[:-1] if line[-1] == '\n' else line


no_input = NoInput()
