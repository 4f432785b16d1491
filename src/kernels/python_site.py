# What the module site would have done: where packages are, and the builtins
# of interactive sessions; and the environment of cells. Part of every start. kernel and part are given by
# the core.
import posix
import sys


class Leave:
    """exit and quit: they end the cell, not the session."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return 'Use %s() to end the cell' % self.name

    def __call__(self, code=None):
        raise SystemExit(code)


class Help:
    """help, which loads its module when called."""

    def __repr__(self):
        return 'Type help(object) for help about object.'

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
    virtual = sys.executable.rpartition('/')[0].rpartition('/')[0]
    try:
        with open(virtual + '/pyvenv.cfg', encoding='utf-8') as file:
            settings = file.read().lower().replace(' ', '')
    except (OSError, ValueError):
        settings = None
    if settings is not None:
        sys.prefix = sys.exec_prefix = virtual
        own = [virtual + '/lib/' + version + '/site-packages']
        if 'include-system-site-packages=true' not in settings:
            return own
        places = own + places
    if prefix == '/usr':  # Debian's arrangement comes first: harmless if absent
        places += ['/usr/local/lib/' + version + '/dist-packages',
                   '/usr/lib/python3/dist-packages']
    for base in dict.fromkeys((prefix, sys.exec_prefix, '/usr/local')):
        places.append(base + '/lib/' + version + '/site-packages')
    return places


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
