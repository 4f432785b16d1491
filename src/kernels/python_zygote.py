# The zygote: this process imports what a template wants, sees no byte of a
# user, and is sealed. Then fork() is where it serves its stem, by the library
# that was loaded ahead of the interpreter's own (src/zygote/fork.c): in the
# zygote it never returns, in each copy it does once, inside a sandbox. The
# copy is a kernel like any other from there on.
#
# kernel and part are given by the core.
import gc
import posix
import sys

STEM = 5  # the descriptor; what is said there is struct session_word
GIVEN = frozenset(range(STEM + 1))
TEXT_MAX = 247
EINVAL, ECHILD = 22, 10
core = part.__globals__
streams = core['streams']
fork = part('python_fork')


class Unfit(Exception):
    """Why this process cannot be a zygote."""


def serve(request, values):
    try:
        if b'LD_PRELOAD' in posix.environ:
            raise Unfit('this interpreter takes no library ahead of its own')
        for name, code in values:
            rehearse(code)
        had_loop = kernel.loop is not None
        clean()
        check()
    except BaseException as error:
        refuse(error)
    posix.putenv(b'CODECELL_SEALED', b'1')
    gc.freeze()
    posix.fork()
    kernel.request = 0
    fork['speak']()
    if had_loop:
        part('python_async')['loop']()
    kernel.send(kernel.greeting)


def refuse(error):
    text = str(error)
    if not isinstance(error, (Unfit, fork['Refused'])):
        text = '%s: %s' % (type(error).__name__, text)
    text = ' '.join(text.split()).encode('utf-8', 'replace')[:TEXT_MAX]
    posix.write(STEM, (-1).to_bytes(4, sys.byteorder, signed=True)
                + ECHILD.to_bytes(4, sys.byteorder)
                + text.ljust(TEXT_MAX + 1, b'\0'))
    posix._exit(1)


def rehearse(code):
    failures = []
    kernel.fail = failures.append  # instead of the method, which answers
    part('python_rehearsal')['serve'](1, [(b'code', code)])
    del kernel.fail
    if failures:
        raise failures[0]


def clean():
    """Let go what no copy may have: descriptors above all."""
    if kernel.loop is not None:
        kernel.loop.close()
        kernel.loop = None
    fonts = sys.modules.get('matplotlib.font_manager')
    for name in '_get_font', 'get_font':  # fonts are open files
        clear = getattr(getattr(fonts, name, None), 'cache_clear', None)
        if clear is not None:
            clear()
    for place in list(sys.path_importer_cache):
        if place.startswith(('/home/user', '/tmp')):
            del sys.path_importer_cache[place]
    gc.collect()
    for number in streams.saved:
        posix.close(number)
    streams.saved = []
    kernel.inherited = []  # what a fork closes in the copy


def check():
    fork['check']()
    numbers = {int(name) for name in posix.listdir('/proc/self/fd')}
    for number in sorted(numbers - GIVEN):
        try:
            path = posix.readlink('/proc/self/fd/%d' % number)
        except OSError:
            continue  # it was that of the list
        raise Unfit('a module keeps %s open' % path)
    with open('/proc/self/maps') as maps:
        for line in maps:
            words = line.split(None, 5)
            if words[1].startswith('rw') and words[1][3] == 's':
                raise Unfit('a module shares memory that is written to: '
                            + words[-1].strip())
