# What a cell expects to run in: where packages are, as the module site would
# say, the builtins of interactive sessions, hooks of imports; and the
# environment of cells. Part of every start. kernel and part are given by the
# core.
import _signal
import builtins
import posix
import sys


class Left(SystemExit):
    """The cell was left by exit() or quit(), which is no error."""


class Leave:
    """exit and quit: they end the cell, not the session."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return 'Use %s() to end the cell' % self.name

    def __call__(self, *codes, **options):
        raise Left(*codes)

    def _ipython_display_(self):
        """Their name alone leaves the cell too, and nothing to be seen."""


class Help:
    """help, which loads its module when called."""

    def __repr__(self):
        return ('Type help() for interactive help, or help(object) for help '
                'about object.')

    def __call__(self, *values, **options):
        import pydoc
        return pydoc.help(*values, **options)


def site_directories():
    """Where packages are, as the module site would say."""
    version = 'python%d.%d' % sys.version_info[:2]
    prefix = sys.prefix
    home = posix.environ.get(b'HOME', b'/nowhere').decode('utf-8',
                                                         'surrogateescape')
    places = [home + '/.local/lib/' + version + '/site-packages']
    kernel.own_place = places[0]
    virtual = sys.executable.rpartition('/')[0].rpartition('/')[0]
    try:
        with open(virtual + '/pyvenv.cfg', encoding='utf-8') as file:
            settings = file.read().lower().replace(' ', '')
    except (OSError, ValueError):
        settings = None
    if settings is not None:
        sys.prefix = sys.exec_prefix = virtual
        # The sandbox's own come first here too: the rest is read-only.
        places.append(virtual + '/lib/' + version + '/site-packages')
        if 'include-system-site-packages=true' not in settings:
            return places
    if prefix == '/usr':  # Debian's arrangement comes first: harmless if absent
        places += ['/usr/local/lib/' + version + '/dist-packages',
                   '/usr/lib/python3/dist-packages']
    for base in dict.fromkeys((prefix, sys.exec_prefix, '/usr/local')):
        places.append(base + '/lib/' + version + '/site-packages')
    return places


def add_place(place):
    """Look for modules there; where the sandbox has its own ones also before
    there is any: they may be installed while this runs."""
    try:
        posix.stat(place)
    except OSError:
        if place != kernel.own_place:
            return
        external = sys.modules['_frozen_importlib_external']
        sys.path_importer_cache[place] = external.FileFinder(
            place, *external._get_supported_file_loaders())
    sys.path.append(place)


def set_environment(entries):
    """Set NAME=value or unset NAME; returns the entries that undo it.
    os.environ, imported or not, lives in the same dictionary."""
    undo = []
    for entry in entries:
        name, equals, value = entry.partition(b'=')
        old = posix.environ.get(name)
        undo.append(name if old is None else name + b'=' + old)
        if not name or b'\0' in entry:
            continue
        if equals:
            posix.environ[name] = value
            posix.putenv(name, value)
        elif old is not None:
            del posix.environ[name]
            posix.unsetenv(name)
    undo.reverse()
    return undo


def in_child():
    """A forked child has no part in the conversation."""
    kernel.request = 0
    del kernel.frames[:]
    for number in kernel.inherited:
        try:
            posix.close(number)
        except OSError:
            pass
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def display(*values, **options):
    """Show values as results of the cell."""
    return part('python_display')['display'](*values, **options)


def get_ipython():
    """The shell of interactive Python, as far as code asks for it."""
    return part('python_shell')['shell']


usual = {}  # the builtins as they should be
needed = {}  # modules that no import works without
finders = []  # what was in sys.meta_path and sys.path_hooks


def repair(streams):
    """Give the next cell the builtins and what imports need that this one has
    lost or made useless; others that it put in their place are its affair."""
    if (getattr(sys, 'stdout', None) is not streams.ours[0]
            or getattr(sys, 'stderr', None) is not streams.ours[1]):
        streams.flush_others()
    names = vars(builtins)
    if (names.get('__import__') is usual['__import__']
            and names.get('__build_class__') is usual['__build_class__']
            and names.get('print') is usual['print']
            and getattr(sys, 'excepthook', None) is not None
            and can_import()):
        return  # whoever breaks much has broken one of these
    if not can_import():
        repair_imports()
    for name in 'excepthook', 'unraisablehook':
        if not callable(getattr(sys, name, None)):
            setattr(sys, name, getattr(sys, '__%s__' % name))
    for name, value in usual.items():
        now = names.get(name)
        if now is not value and (now is None or callable(value)
                                 and not callable(now)):
            names[name] = value


def can_import():
    return (sys.modules.get('sys') is sys and getattr(sys, 'meta_path', None)
            and getattr(sys, 'path_hooks', None))


def repair_imports():
    for name in [name for name, module in sys.modules.items()
                 if module is None]:
        del sys.modules[name]
    for name, module in needed.items():
        sys.modules.setdefault(name, module)
    sys.meta_path, sys.path_hooks = finders[0][:], finders[1][:]


def ignore_breakpoint(*values, **options):
    """Nobody is there to debug: the code goes on."""


class Finder:
    """Hooks of imports: what is to be done after one, and what to do when a
    module was not found anywhere."""

    hooked = frozenset(('asyncio', 'getpass', 'linecache', 'matplotlib',
                        'IPython.core.getipython',
                        'matplotlib.font_manager', 'PIL.Image',
                        'IPython.display', 'IPython.core.display_functions',
                        'matplotlib_inline.backend_inline',
                        'plotly.io._renderers', 'bokeh.io.notebook'))

    def find_spec(self, name, path=None, target=None):
        if name in self.hooked:
            return part('python_import')['find_hooked'](self, name, path)


class LastFinder:
    def find_spec(self, name, path=None, target=None):
        return part('python_import')['find_late'](name, path)


def prepare(streams, on_interrupt):
    """Make this process what a cell expects to run in."""
    kernel.inherited += streams.saved
    for number in kernel.inherited:
        posix.set_inheritable(number, False)
    posix.register_at_fork(before=streams.flush, after_in_child=in_child)
    _signal.signal(_signal.SIGINT, on_interrupt)
    scope = kernel.scope
    for name in list(scope):
        if name not in ('__name__', '__doc__', '__package__', '__loader__',
                        '__spec__', '__builtins__'):
            del scope[name]
    scope.update(
        In=kernel.history, _ih=kernel.history, Out=kernel.values,
        _oh=kernel.values, _dh=[], _='', __='', ___='',
        __doc__='Automatically created module for IPython interactive '
        'environment',
        __loader__=None)
    builtins.exit, builtins.quit = Leave('exit'), Leave('quit')
    kernel.display, kernel.get_ipython = display, get_ipython
    builtins.help, builtins.display = Help(), display
    builtins.get_ipython = get_ipython
    builtins.input = part('python_stream')['read_input']
    builtins.input.__name__ = 'input'
    usual.update(vars(builtins))
    needed.update(sys.modules)
    sys.argv = ['']
    sys.breakpointhook = ignore_breakpoint
    kernel.places = places = site_directories()
    sys.path.insert(0, '')
    for place in places:
        add_place(place)
    sys.meta_path.insert(0, Finder())
    sys.meta_path.append(LastFinder())
    finders[:] = sys.meta_path[:], sys.path_hooks[:]
