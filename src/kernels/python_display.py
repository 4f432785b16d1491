# Values as results: every format that a value offers, bounded.
# kernel and part are given by the core.
import sys

FORMATS = (
    ('_repr_html_', 'html'), ('_repr_markdown_', 'markdown'),
    ('_repr_svg_', 'svg'), ('_repr_png_', 'png'), ('_repr_jpeg_', 'jpeg'),
    ('_repr_pdf_', 'pdf'), ('_repr_latex_', 'latex'),
    ('_repr_json_', 'json'), ('_repr_javascript_', 'javascript'),
)
# MIME types that have a short name on the wire.
NAMES = {
    'text/plain': 'text', 'text/html': 'html', 'text/markdown': 'markdown',
    'image/svg+xml': 'svg', 'image/png': 'png', 'image/jpeg': 'jpeg',
    'application/pdf': 'pdf', 'text/latex': 'latex',
    'application/json': 'json', 'application/javascript': 'javascript',
    'e2b/data': 'data', 'e2b/chart': 'chart',
}
FULL = {key: name for name, key in NAMES.items()}
# What their methods give; str, unless it is said here.
MADE = {'png': (bytes, str), 'jpeg': (bytes, str), 'pdf': (bytes, str),
        'json': (dict, list)}
BINARY = frozenset(('png', 'jpeg', 'pdf'))
STRUCTURED = frozenset(('json', 'data', 'chart'))
CANARY = '_ipython_canary_method_should_not_exist_'
TYPES_MAX = 40  # formats of one result
printers = {}  # of the user's: format to class to function


def method(value, name):
    """A display method of an object, and not one of its class for itself,
    nor one of those that have every name."""
    if isinstance(value, type):
        return None
    try:
        if getattr(value, CANARY, None) is not None:
            return None
        found = getattr(value, name, None)
    except Exception:
        return None
    return found if callable(found) else None


def complain():
    """A display method raised: the other formats remain, the cell goes on,
    and what was raised first is its error."""
    error = sys.exc_info()[1]
    # NotImplementedError: how a method says that it has nothing to show.
    if kernel.complaint is None and type(error) is not NotImplementedError:
        kernel.complaint, kernel.complaint_line = error, line_of_cell()


def line_of_cell():
    """The line of the cell that is at displaying something."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == kernel.file_name:
            return frame.f_lineno
        frame = frame.f_back
    return kernel.last_line


def printers_of(key):
    """Class to function, of one format."""
    if key == 'text':
        return part('python_pretty')['PRINTERS']
    return printers.setdefault(key, {})


def add_printer(key, kind, function):
    """Let a function of the user's make a format of the values of a class."""
    printers_of(key)[kind] = function
    kernel.plain.discard(kind)


def maker(value, key, name):
    """What makes a format of a value: a function without arguments."""
    for kind in type(value).__mro__ if key in printers else ():
        if kind in printers[key]:
            return lambda: printers[key][kind](value)
    return method(value, name)


def is_json(value):
    """Whether a value has JSON for being a list or a dict. Clients know that
    nothing is shown while these names mean something else to the user."""
    names = kernel.scope
    return names.get('isinstance', isinstance)(
        value, (names.get('list', list), names.get('dict', dict)))


def bundle(value, include=None, exclude=None):
    """Format to value of all that a value can be shown as."""
    formats = {}
    offered = method(value, '_repr_mimebundle_')
    if offered is not None:
        try:
            mixed = offered(include=include, exclude=exclude)
            if isinstance(mixed, tuple):
                mixed = mixed[0]
            formats.update(with_chart(short(mixed or {})))
        except Exception:
            complain()
    for name, key in FORMATS:
        found = None if key in formats else maker(value, key, name)
        if found is None:
            continue
        try:
            made = found()
        except Exception:
            complain()
            continue
        if isinstance(made, tuple):  # (value, metadata)
            made = made[0]
        if isinstance(made, MADE.get(key, str)):
            formats[key] = made
    for name, add in EXTRAS.items():
        module = sys.modules.get(name)
        if module is not None:
            add(module, value, formats)
    if is_json(value) and 'json' not in formats:
        formats['json'] = value
    if 'text' not in formats:
        try:
            formats['text'] = part('python_pretty')['pretty'](value)
        except Exception:
            complain()
    for name in list(formats) if include or exclude else ():
        full = FULL.get(name, name)
        if include and full not in include or exclude and full in exclude:
            del formats[name]
    return formats


def short(mixed):
    formats = {NAMES.get(name, name): made
               for name, made in list(dict(mixed).items())[:TYPES_MAX]
               if made is not None}
    return formats


def with_chart(formats, is_value=True):
    """Add what a description of a figure says as a chart. plotly's show()
    displays such a description, which is a result without a chart: clients
    know it so; the figure itself as a value has one."""
    for name, chart in CHARTS.items():
        if (name in formats and 'chart' not in formats
                and (is_value or name != PLOTLY)):
            add_chart(chart, 'of_spec', formats[name], formats)
    return formats


def add_chart(name, verb, drawn, formats):
    """What a library has drawn as data too, as far as that can be told."""
    try:
        chart = part(name)[verb](drawn)
    except Exception:
        return  # there are more figures than we know; none breaks a cell
    if chart is not None:
        formats['chart'] = chart


def add_table(module, value, formats):
    """A table is also data: column to values."""
    is_arrow = module is sys.modules.get('pyarrow')
    kind = 'Table' if is_arrow else 'DataFrame'
    if not is_a(value, module, kind):
        return
    try:
        data = part('python_data')['of_table'](module, value)
    except Exception:
        complain()
        return
    if data is not None:
        formats['data'] = data


def add_figure(module, value, formats):
    if not is_a(value, module, 'Figure'):
        return
    try:
        formats.update(part('python_figure')['pictures'](value))
    except Exception:
        complain()
    add_chart('python_chart', 'of_figure', value, formats)


def add_altair(module, value, formats):
    if is_a(value, module, 'TopLevelMixin'):
        add_chart('python_chart_altair', 'of_spec', value, formats)


def add_bokeh(module, value, formats):
    if is_a(value, module, 'LayoutDOM'):
        add_chart('python_chart_bokeh', 'of_model', value, formats)


def is_a(value, module, name):
    kind = getattr(module, name, None)
    return isinstance(kind, type) and issubclass(type(value), kind)


# Formats that the library itself does not offer, by its module.
EXTRAS = {'pandas': add_table, 'polars': add_table, 'pyarrow': add_table,
          'matplotlib.figure': add_figure, 'altair': add_altair,
          'bokeh.models': add_bokeh}
# MIME types with a description of a figure, and what reads them.
PLOTLY = 'application/vnd.plotly.v1+json'
CHARTS = {PLOTLY: 'python_chart_plotly',
          'application/vnd.bokehjs_exec.v0+json': 'python_chart_bokeh'}


def coded(formats):
    """The parts of a result frame."""
    values = []
    for name, made in formats.items():
        if not isinstance(name, str):
            continue
        if name in STRUCTURED:
            made = structured(made, name == 'json')
        elif name in BINARY:
            made = binary(made)
        elif name == 'text':
            made = kernel.encode(kernel.unquote(str(made)))
        elif isinstance(made, str):
            made = kernel.encode(made, kernel.blob_max if name == 'html'
                                 else kernel.text_max)
        elif isinstance(made, bytes) and '/' in name:
            made = kernel.encode(made.decode('utf-8', 'replace'))
        else:
            made = structured(made)
            name += ' json'
        if made is not None:
            values += [name.encode('utf-8', 'replace')[:200], made]
    return values


def structured(made, is_value=False):
    json = part('python_json')
    try:
        return json['text'](made, json['OF_64_BITS'] if is_value
                            else None).encode()
    except Exception:  # Unsuitable, or a class of the user's in the way
        return None


def binary(made):
    if isinstance(made, str):  # base64, as a MIME bundle has it
        import binascii
        try:
            made = binascii.a2b_base64(made)
        except ValueError:
            return None
    if not isinstance(made, (bytes, bytearray, memoryview)):
        return None
    if len(made) > kernel.blob_max:
        kernel.truncated = True
        return None
    return bytes(made)


def shows_itself(value):
    """Whether the value has displayed itself."""
    shown = method(value, '_ipython_display_')
    if shown is None:
        return False
    of_value.append(value)
    try:
        shown()
    except Exception:
        complain()
        return False
    finally:
        of_value.pop()
    return True


of_value = []  # values that are displaying themselves


def show_value(value):
    """Show the value of the last expression."""
    if not shows_itself(value):
        values = coded(bundle(value))
        if values:
            kernel.show(values, True)


class DisplayHandle:
    """What display(..., display_id=...) returns. A result that was sent is
    not changed any more."""

    def __init__(self, display_id=None):
        self.display_id = display_id or '%032x' % id(self)

    def __repr__(self):
        return '<DisplayHandle display_id=%s>' % self.display_id

    def display(self, value, **options):
        display(value, **options)

    def update(self, value, **options):
        pass


def display(*values, raw=False, include=None, exclude=None, metadata=None,
            transient=None, display_id=None, update=False, **options):
    """Show values as results of the cell."""
    for value in () if update or kernel.is_full() else values:
        if raw:
            if not isinstance(value, dict):
                raise TypeError('data must be a dict, got: %r' % (value,))
            kernel.show(coded(with_chart(short(value), bool(of_value))))
        elif not shows_itself(value):
            parts = coded(bundle(value, include, exclude))
            if parts:
                kernel.show(parts)
    if display_id is not None:
        return DisplayHandle(None if display_id is True else display_id)
