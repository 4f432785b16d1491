# What happens when certain modules are imported, and what is tried when one
# is not found. Loaded at the first such import. kernel and part are given by
# the core.
import sys

_external = sys.modules['_frozen_importlib_external']
state = {'times': None}  # of the directories of packages, when last looked at
read = set()  # names of .pth files


def find_hooked(finder, name, path):
    """The module's own spec, with our work done after it was executed."""
    for other in sys.meta_path:
        if other is finder or not hasattr(other, 'find_spec'):
            continue
        spec = other.find_spec(name, path)
        if spec is not None:
            break
    else:
        return None
    execute = getattr(spec.loader, 'exec_module', None)
    if execute is not None and not isinstance(spec.loader, type):
        def exec_module(module):
            spec.loader.exec_module = execute
            if name in AROUND:
                AROUND[name](execute, module)
                return
            execute(module)
            AFTER[name](module)
        spec.loader.exec_module = exec_module
    return spec


def after_linecache(module):
    for name, code in kernel.sources.items():
        remember(module, name, code)


def remember(linecache, name, code):
    """Let tracebacks, warnings and inspect find the source of a cell."""
    cache = getattr(linecache, 'cache', None)
    if isinstance(cache, dict):
        lines = code.replace('\r\n', '\n').replace('\r', '\n').split('\n')
        cache[name] = (len(code), None, [line + '\n' for line in lines], name)


def after_asyncio(module):
    part('python_async')['enter']()


def after_matplotlib(module):
    part('python_figure')['choose'](module)


def after_image(module):
    """An image that is saved to a path is also shown, as clients expect."""
    save = module.Image.save

    def save_and_show(self, fp, format=None, **options):
        if isinstance(fp, str):
            kernel.display(self)
        save(self, fp, format, **options)

    save_and_show.__doc__ = save.__doc__
    module.Image.save = save_and_show


def after_display(module):
    """The real IPython.display: its own display() finds no shell here."""
    names = part('python_ipython')['SHOWN']
    for name in ('display', 'clear_output', 'update_display',
                 'publish_display_data', 'DisplayHandle'):
        setattr(module, name, names[name])


def after_getipython(module):
    module.get_ipython = kernel.get_ipython


def after_getpass(module):
    module.getpass = module.unix_getpass = part('python_stream')['read_input']


def after_inline(module):
    part('python_figure')['after_inline'](module)


def after_plotly(module):
    part('python_chart_plotly')['choose'](module)


def after_bokeh(module):
    part('python_chart_bokeh')['follow'](module)


def around_fonts(execute, module):
    part('python_fonts')['execute'](execute, module)


AROUND = {'matplotlib.font_manager': around_fonts}
AFTER = {'linecache': after_linecache, 'asyncio': after_asyncio,
         'matplotlib': after_matplotlib, 'PIL.Image': after_image,
         'getpass': after_getpass, 'IPython.display': after_display,
         'IPython.core.getipython': after_getipython,
         'IPython.core.display_functions': after_display,
         'matplotlib_inline.backend_inline': after_inline,
         'plotly.io._renderers': after_plotly,
         'bokeh.io.notebook': after_bokeh}


class Maker:
    """Loader of a module that we make; fill(module) gives it its names."""

    def __init__(self, fill):
        self.fill = fill

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.fill(module)


def made(name, fill, is_package=False):
    from _frozen_importlib import ModuleSpec
    return ModuleSpec(name, Maker(fill), is_package=is_package)


def find_late(name, path):
    """Nobody has the module: look at the .pth files, which a start does not
    read, at directories made since, and at what stands in for IPython."""
    if name == 'codecell_figures':
        return made(name, part('python_figure')['fill'])
    if name == 'host':  # what the host has exposed since the start
        return find_host(name)
    if have_changed():
        before = len(sys.path)
        for place in list(kernel.places):
            read_paths(place)
        if len(sys.path) > before:
            look_again()
            spec = _external.PathFinder.find_spec(name, path)
            if spec is not None:
                return spec
    if name.partition('.')[0] in ('IPython', 'matplotlib_inline'):
        return part('python_ipython')['find'](name)
    return None


def find_host(name):
    import os
    folder = os.environ.get('CODECELL_HOST')
    if folder is None:
        return None
    return _external.PathFinder.find_spec(name, [folder + '/python'])


def have_changed():
    """Whether something was installed since the last time, the first included.
    """
    import os
    times = []
    for place in kernel.places:
        try:
            times.append(os.stat(place).st_mtime_ns)
        except OSError:
            times.append(None)
    changed, state['times'] = times != state['times'], times
    return changed


def read_paths(place):
    """The .pth files of a directory of packages: paths, and lines of code."""
    import os
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return
    for name in names:
        path = place + '/' + name
        if not name.endswith('.pth') or name.startswith('.') or path in read:
            continue
        read.add(path)
        try:
            with open(path, encoding='utf-8') as file:
                lines = file.read().split('\n')
        except (OSError, ValueError):
            continue
        for line in lines:
            if line.startswith(('import ', 'import\t')):
                try:
                    exec(line, {})
                except Exception:
                    pass  # as site has it: a broken line is not the code's
            elif line.strip() and not line.startswith('#'):
                entry = os.path.join(place, line.strip())
                if entry not in sys.path and os.path.exists(entry):
                    sys.path.append(entry)


def look_again():
    """Forget what was not there: it may have been installed since."""
    import os
    for place in kernel.places:
        if place not in sys.path and os.path.isdir(place):
            sys.path.append(place)
            state['times'] = None
    for name, finder in list(sys.path_importer_cache.items()):
        if finder is None:
            del sys.path_importer_cache[name]
        elif hasattr(finder, 'invalidate_caches'):
            finder.invalidate_caches()
