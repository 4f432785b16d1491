# The Python kernel: runs cells in this process and speaks frames on
# descriptors 3 and 4 (protocol.h, enum cell_kernel_message).
#
# This file, python_stream.py and python_site.py are what every start pays for:
# they import built-in modules only. What few cells need is in the other
# python_*.py files, which travel in the same frame and are loaded by part()
# when first used.
#
# User code shares this process. Functions that it could replace are held in
# a private copy of the builtins, and everything that it could leave behind
# is put right at the end of its own cell.
#
# Given by python.boot: wire (buffered reader of descriptor 3), parts (name to
# bytes of every file), magic (suffix of code that this interpreter can load).
import _signal
import builtins
import marshal
import posix
import sys
from _warnings import filters
from _thread import allocate_lock, get_ident
from posix import getpid, write
from sys import getrecursionlimit, setprofile, setrecursionlimit, settrace

__builtins__ = dict(vars(builtins))

WIRE, ANSWERS = 3, 4  # two pipes, to read and to write
EXECUTE, ENV = 2, 3
RARE = {4: 'python_rehearsal', 5: 'python_fork', 6: 'python_zygote',
        7: 'python_complete'}
READY, RESULT, ERROR, DONE = 16, 17, 18, 19
TEXT_MAX = 4 << 20  # bytes of one text of a result or an error
BLOB_MAX = 16 << 20  # bytes of a picture or a page
FRAME_MAX = 64 << 20
DISPLAYS_MAX = 1000  # results of a cell
VALUES_MAX = 1000  # remembered values in Out
ONLY_TREE = 0x400  # ast.PyCF_ONLY_AST
# ast.PyCF_ALLOW_TOP_LEVEL_AWAIT; that bit means something else in 3.7.
ALLOW_AWAIT = 0x2000 if sys.version_info >= (3, 8) else 0
# PyCF_ALLOW_INCOMPLETE_INPUT: what says "incomplete input" of half a statement.
INCOMPLETE = 0x4000 if (3, 11) <= sys.version_info < (3, 13) else 0
IS_COROUTINE = 0x80  # inspect.CO_COROUTINE
# A filter of warnings: code that is warned of is compiled by another way.
STRICT = ('error', None, SyntaxWarning, None, 0)
CUT = '\n... [cut: the rest of %d characters is left out]'

main = sys.modules['__main__']
scope = vars(main)  # the names of the user


def part(name, loaded={}):
    """The names of another file of the kernel, which is loaded once."""
    names = loaded.get(name)
    if names is None:
        stored = parts.get(name + magic)
        if stored:
            code = marshal.loads(stored)
        else:
            code = compile(parts[name + '.py'], '<codecell ' + name + '>',
                           'exec', 0, True)
        names = {'__builtins__': __builtins__, '__name__': 'codecell.' + name,
                 'kernel': kernel, 'part': part}
        exec(code, names)
        loaded[name] = names
    return names


def pack(kind, request, values):
    """A frame; values is a list of name, bytes, name, bytes, ..."""
    pieces = []
    for value in values:
        pieces.append(len(value).to_bytes(4, 'little'))
        pieces.append(value)
    payload = b''.join(pieces)
    return b'%b%b%b%b' % (len(payload).to_bytes(4, 'little'),
                          kind.to_bytes(4, 'little'),
                          request.to_bytes(8, 'little'), payload)


def unpack(payload):
    values, at, size = [], 0, len(payload)
    while at < size:
        end = at + 4 + int.from_bytes(payload[at:at + 4], 'little')
        values.append(payload[at + 4:end])
        at = end
    return zip(values[::2], values[1::2])


def encode(text, most=TEXT_MAX):
    """Text as UTF-8, never more than `most` bytes and the mark of a cut."""
    if type(text) is not str:
        text = str.__str__(text)  # of a class of the user's
    if len(text) * 4 > most:
        coded = text[:most].encode('utf-8', 'backslashreplace')
        if len(coded) > most or len(text) > most:
            kernel.truncated = True
            return (coded[:most].decode('utf-8', 'ignore')
                    + CUT % len(text)).encode()
        return coded
    return text.encode('utf-8', 'backslashreplace')


def unquote(text):
    """As clients expect it: one pair of quotes around a text goes."""
    if text and text[0] == text[-1] and text[0] in '\'"':
        return text[1:-1]
    return text


class Kernel:
    """The state of the conversation, and the verbs that change it."""

    def __init__(self):
        self.pid = getpid()
        self.thread = get_ident()
        self.main, self.scope, self.parts = main, scope, parts
        self.text_max, self.blob_max = TEXT_MAX, BLOB_MAX
        self.allow_await = ALLOW_AWAIT
        self.inherited = [WIRE, ANSWERS]  # what no child may have
        self.encode, self.unquote = encode, unquote
        self.request = 0  # of the running cell; 0: none
        self.running = False  # user code runs: an interrupt belongs to it
        self.masked = False  # a frame is being written: an interrupt waits
        self.interrupted = False  # one waited
        self.count = self.displays = 0
        self.truncated = False
        self.flags = 0  # of `from __future__ import` in earlier cells
        self.frames, self.lock = [], allocate_lock()  # frames: not yet written
        self.sources = {}  # file name of a cell to its code
        self.translated = ''  # what the code became that runs
        self.file_name = ''  # of the running cell
        self.history, self.values = [''], {}
        self.inputs = ['', '', '']  # what _i, _ii and _iii will be
        self.recent = ['', '', '']  # what _, __ and ___ were set to
        self.plain = {int, float, complex, bool, str, bytes}  # shown by repr
        self.hook = self.value  # sys.displayhook
        # What a display method raised in this cell, and the line it was at.
        self.complaint, self.complaint_line, self.last_line = None, 0, 0
        self.loop = None  # of asyncio, once that is imported
        self.shell = None  # of get_ipython(), once somebody has asked for it
        self.figures = None  # shows what is drawn, once pyplot is imported
        self.anchor = None  # of a copy: it ends when the other end is closed

    # -- frames ------------------------------------------------------------

    def send(self, frame=None, flush=True):
        """Queue a frame; write all that are queued unless another thread, or
        the code that a signal interrupted, is at it: that one will."""
        if frame is not None:
            self.frames.append(frame)
        if not flush:
            return
        mine = get_ident() == self.thread and not self.masked
        if mine:
            self.masked = True
        try:
            while self.frames and self.lock.acquire(False):
                try:
                    while self.frames:
                        frames, self.frames[:] = self.frames[:], ()
                        self.write(b''.join(frames))
                finally:
                    self.lock.release()
        finally:
            if mine:
                self.masked = False
        if mine and self.interrupted:
            self.interrupted = False
            if self.running:
                raise KeyboardInterrupt

    def write(self, frame):
        view = memoryview(frame)
        try:
            while view:
                try:
                    view = view[write(ANSWERS, view):]
                except BlockingIOError:
                    posix.set_blocking(ANSWERS, True)
        except OSError:
            posix._exit(70)  # the wire is gone, and the host with it

    def is_full(self):
        """Whether this cell has had its displays, and it was said."""
        return self.displays > DISPLAYS_MAX + 1

    def show(self, values, is_main=False):
        """Send a result, the parts of which are name, bytes, ..."""
        if not self.request or getpid() != self.pid:
            return  # a thread between two cells, or a forked child
        self.displays += 1
        if self.displays > DISPLAYS_MAX:
            self.truncated = True
            if self.displays > DISPLAYS_MAX + 1:
                return
            values = [b'text', b'[more than %d results: the rest is left out]'
                      % DISPLAYS_MAX]
            is_main = False
        if is_main:
            values += [b'main', b'1']
        frame = pack(RESULT, self.request, values)
        if len(frame) > FRAME_MAX:
            self.truncated = True
            frame = pack(RESULT, self.request,
                         [b'text', b'[a result of %d bytes is left out]'
                          % len(frame)])
        if getattr(sys, 'stdout', None) is not streams.ours[0]:
            streams.flush_others()
        streams.flush()
        self.send(frame, not is_main)

    # -- a cell ------------------------------------------------------------

    def run(self, code):
        """Run the code, return its value. What it raises is the user's."""
        name = self.file_name
        if (not code.isascii() and
                code.encode('utf-8', 'ignore').decode() != code):
            # Not UTF-8: this raises what the interpreter says of such a file.
            compile(code.encode('utf-8', 'surrogateescape'), name, 'exec')
        if '\n' not in code and not (
                self.shell and self.shell.ast_node_interactivity == 'none'):
            filters.insert(0, STRICT)
            try:
                code_object = compile(code, name, 'eval',
                                      self.flags | ALLOW_AWAIT, True)
            except SyntaxError:
                code_object = None  # the tree tells what it is
            finally:
                filters.remove(STRICT)
            if code_object is not None:
                self.reveal(code)
                self.last_line = 1
                try:
                    return self.step(code_object)
                except NameError:
                    code = part('python_magic')['automagic'](code)
                    if code is None:
                        raise
        first = len(code) - len(code.lstrip())
        if (first and code[first - 1] in ' \t' or '>>>' in code
                or 'In [' in code):
            code = part('python_magic')['dedent'](code)
        try:
            tree = self.parse(code)
        except SyntaxError:
            tree = None
        if tree is None:
            code = part('python_magic')['translate'](code)
            self.history[-1] = code.rstrip('\n')
            tree = self.parse(code)
        self.reveal(code)
        self.translated = code
        shown = self.shell and self.shell.ast_node_interactivity
        if shown and shown != 'last_expr':
            return part('python_magic')['run_shown'](tree, code, shown)
        return self.run_tree(tree, code)

    def run_tree(self, tree, code):
        last = tree.body and tree.body[-1]
        if last.__class__.__name__ == 'Expr':
            tree.body.pop()
        else:
            last = None
        if tree.body:
            try:
                code_object = self.compile(tree, 'exec')
            except SyntaxError:
                part('python_magic')['one_by_one'](tree.body)
            else:
                if '__future__' in code:  # that outlives its cell
                    part('python_magic')['keep_future'](code_object)
                self.step(code_object)
        if last is None:
            return None
        # The classes of the tree take 0.7 ms to make: not at every start.
        from _ast import Expression
        self.last_line = last.lineno
        value = self.step(self.compile(Expression(last.value), 'eval'))
        silent = ';' in code and part('python_magic')['ends_in_semicolon'](
            code, last)
        return None if silent else value

    def reveal(self, code):
        linecache = sys.modules.get('linecache')
        if linecache is not None:
            part('python_import')['remember'](linecache, self.file_name,
                                              code)

    def parse(self, code):
        return compile(code, self.file_name, 'exec', ONLY_TREE | self.flags
                       | ALLOW_AWAIT | INCOMPLETE, True)

    def compile(self, tree, mode):
        filters.insert(0, STRICT)
        try:
            return compile(tree, self.file_name, mode,
                           self.flags | ALLOW_AWAIT, True)
        except SyntaxError:
            pass
        finally:
            filters.remove(STRICT)
        return part('python_magic')['compile_warned'](tree, mode)

    def step(self, code):
        if code.co_flags & IS_COROUTINE:
            return part('python_async')['run'](eval(code, scope))
        return eval(code, scope)

    def remember(self, value):
        """Remember a value as _, __, ___ and in Out."""
        recent = self.recent
        if value is self.values:
            return
        if scope.get('_') is recent[0]:  # else the user has a _ of his own
            recent.insert(0, value)
            recent.pop()
            scope['_'], scope['__'], scope['___'] = recent
        if len(self.values) >= VALUES_MAX:
            self.values.pop(next(iter(self.values)))
        self.values[self.count] = value
        scope['_%d' % self.count] = value

    def value(self, value):
        """Show the value of the last expression."""
        if value is None:
            return
        if type(value) in self.plain and not (
                'list' in scope or 'dict' in scope or 'isinstance' in scope):
            if type(value) in (str, bytes) and len(value) > TEXT_MAX:
                self.truncated = True
                text = repr(value[:TEXT_MAX]) + CUT % len(value)
            else:
                text = repr(value)
            self.show([b'text', encode(unquote(text))], True)
        else:
            part('python_display')['show_value'](value)
        self.remember(value)

    def cell(self, request, values):
        code = dict(values).get(b'code', b'').decode('utf-8',
                                                     'surrogateescape')
        self.request = request
        if not code or code.isspace():
            return self.finish(self.count + 1)
        self.count += 1
        self.displays = 0
        self.truncated = self.interrupted = False
        self.complaint, self.complaint_line = None, 0
        scope['_i'], scope['_ii'], scope['_iii'] = inputs = self.inputs
        inputs.insert(0, code.rstrip('\n'))
        inputs.pop()
        scope['_i%d' % self.count] = inputs[0]
        self.history.append(inputs[0])
        self.file_name = '<cell-%d>' % self.count
        self.sources[self.file_name] = code
        streams.reset()
        environment, final = (), None
        if len(values) > 1:
            environment = set_environment(
                value for name, value in values if name == b'env')
            for name, value in values:
                if name == b'stdin':
                    streams.feed(value)
                elif name == b'final':
                    final = part('python_final')
                    final['open']()
        if _signal.getsignal(_signal.SIGINT) is not on_interrupt:
            _signal.signal(_signal.SIGINT, on_interrupt)
        sys.displayhook = self.hook
        if self.loop is not None:
            part('python_async')['enter']()
            self.guarded(part('python_async')['turn'])
        failure = self.guarded(self.attempt, code)
        self.running = False
        settrace(None)
        setprofile(None)
        if getrecursionlimit() < 200:
            setrecursionlimit(1000)
        if getpid() != self.pid:
            leave(failure)
        if self.loop is not None:
            self.guarded(part('python_async')['turn'])
            part('python_async')['leave']()
        if self.complaint is not None:
            failure = self.complaint
        if failure is not None and type(failure) is not Left:
            self.guarded(self.fail, failure)
        self.guarded(repair, streams)
        if environment:
            set_environment(environment)
        scope.pop('__warningregistry__', None)
        if final is not None:
            final['close']()
        scope['__builtins__'] = builtins
        sys.modules['__main__'] = main
        streams.settle()
        self.finish()

    def guarded(self, verb, *values):
        """Call user code; returns what it raised, if it did."""
        try:
            try:
                self.running = True
                verb(*values)
                self.running = False
            except BaseException as error:
                self.running = False
                return error
        except BaseException as error:  # an interrupt in the line above
            self.running = False
            return error

    def attempt(self, code):
        failure = None
        try:
            value = self.run(code)
            if value is not None:
                try:
                    sys.displayhook(value)
                except BaseException:
                    self.complaint_line = self.last_line
                    raise
        except BaseException as error:
            failure = error
        if self.figures is not None and getpid() == self.pid:
            self.send()
            self.figures()
        if failure is not None:
            raise failure

    def fail(self, failure):
        try:
            values = part('python_error')['describe'](failure)
        except BaseException as error:
            # Out of memory or of stack: at least say what it was.
            name = type(failure).__name__.encode('utf-8', 'replace')
            values = [b'name', name, b'value', b'', b'traceback', name
                      + b' (no traceback: '
                      + type(error).__name__.encode('utf-8', 'replace')
                      + b')']
        streams.flush()
        self.send(pack(ERROR, self.request, values), False)

    def recover(self):
        """An interrupt came where it belongs to nobody."""
        self.running = False
        if getpid() != self.pid:
            raise SystemExit(130)
        if self.request:
            streams.settle()
            self.finish()

    def finish(self, count=None):
        values = [b'execution_count', b'%d' % (count or self.count)]
        if self.truncated:
            values += [b'truncated', b'1']
        frame = pack(DONE, self.request, values)
        self.request = 0
        self.send(frame)


def on_interrupt(number, frame):
    if kernel.masked:
        kernel.interrupted = True
    elif kernel.running:
        raise KeyboardInterrupt


def leave(failure):
    """End a forked child that came back from its cell, as a script ends."""
    if failure is None:
        raise SystemExit(0)
    raise failure


def serve():
    while True:
        header = wire.read(16)
        if header is None:  # somebody made the wire non-blocking
            posix.set_blocking(WIRE, True)
            continue
        if len(header) < 16:
            return
        kind = int.from_bytes(header[4:8], 'little')
        payload = wire.read(int.from_bytes(header[:4], 'little'))
        values = list(unpack(payload))
        request = int.from_bytes(header[8:16], 'little')
        if kind == EXECUTE:
            kernel.cell(request, values)
        elif kind == ENV:
            set_environment(value for name, value in values if name == b'env')
        elif kind in RARE:
            part(RARE[kind])['serve'](request, values)


kernel = Kernel()
streams = part('python_stream')['Streams']()
Left, set_environment, repair = (
    part('python_site')[name] for name in ('Left', 'set_environment', 'repair'))
part('python_site')['prepare'](streams, on_interrupt)
kernel.greeting = pack(READY, 0, [
    b'language', b'python', b'version', sys.version.split()[0].encode(),
    b'executable', sys.executable.encode('utf-8', 'surrogateescape')])
kernel.send(kernel.greeting)
while True:
    try:
        serve()
        streams.flush()
        posix._exit(0)
    except KeyboardInterrupt:
        kernel.recover()
