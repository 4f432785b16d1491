# A rehearsal: a cell that is run ahead of the user's first one, so that what
# it needs is loaded and warm, and of which nothing else is left.
# kernel and part are given by the core.
import gc
import posix
import sys


def serve(request, values):
    """Run a cell, and be as if it had never been run."""
    scope, here = dict(kernel.scope), posix.getcwd()
    kept = {name: getattr(kernel, name) for name in (
        'count', 'flags', 'translated', 'file_name')}
    lists = [(values, values[:]) for values in (
        kernel.history, kernel.inputs, kernel.recent)]
    environment, modules = dict(posix.environ), set(sys.modules)
    kernel.cell(request, values)
    part('python_site')['set_environment'](
        [name for name in posix.environ if name not in environment]
        + [name + b'=' + value for name, value in environment.items()])
    posix.chdir(here)
    linecache = getattr(sys.modules.get('linecache'), 'cache', {})
    linecache.pop(kernel.file_name, None)
    kernel.sources.pop(kernel.file_name, None)
    vars(kernel).update(kept)
    for values, before in lists:
        values[:] = before
    kernel.values.clear()
    kernel.scope.clear()
    kernel.scope.update(scope)
    close_figures()
    renew_chance()
    if set(sys.modules) != modules:
        gc.collect()


def close_figures():
    pyplot = sys.modules.get('matplotlib.pyplot')
    if pyplot is not None:
        pyplot.close('all')


def renew_chance():
    """New random state wherever a module keeps one, as a fresh process has."""
    random = sys.modules.get('random')
    if random is not None:
        random.seed()
    numpy = sys.modules.get('numpy.random')
    if numpy is not None:
        numpy.seed()
    uuid = sys.modules.get('uuid')
    if uuid is not None:
        uuid._node = uuid._last_timestamp = None
    tempfile = sys.modules.get('tempfile')
    if tempfile is not None:
        tempfile._name_sequence = tempfile.tempdir = None
