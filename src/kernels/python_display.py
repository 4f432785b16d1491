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
BINARY = frozenset(('png', 'jpeg', 'pdf'))
STRUCTURED = frozenset(('json', 'data', 'chart'))
CANARY = '_ipython_canary_method_should_not_exist_'
TYPES_MAX = 40  # formats of one result


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


def complain(name):
    """A display method raised: the other formats remain."""
    error = sys.exc_info()[1]
    if isinstance(error, NotImplementedError):
        return  # that is how a method says that it has nothing to show
    text = ''.join(part('python_error')['render'](error))
    print('%s failed:\n%s' % (name, text), end='', file=sys.stderr)


def bundle(value, include=None, exclude=None):
    """Format to value of all that a value can be shown as."""
    formats = {}
    offered = method(value, '_repr_mimebundle_')
    if offered is not None:
        try:
            mixed = offered(include=include, exclude=exclude)
            if isinstance(mixed, tuple):
                mixed = mixed[0]
            formats.update(short(mixed))
        except Exception:
            complain('_repr_mimebundle_')
    for name, key in FORMATS:
        found = None if key in formats else method(value, name)
        if found is None:
            continue
        try:
            made = found()
        except Exception:
            complain(name)
            continue
        if isinstance(made, tuple):  # (value, metadata)
            made = made[0]
        if made is not None:
            formats[key] = made
    for name, add in EXTRAS.items():
        module = sys.modules.get(name)
        if module is not None:
            add(module, value, formats)
    if isinstance(value, (list, dict)) and 'json' not in formats:
        formats['json'] = value
    if 'text' not in formats:
        formats['text'] = part('python_pretty')['pretty'](value)
    return formats


def short(mixed):
    formats = {NAMES.get(name, name): made
               for name, made in list(dict(mixed).items())[:TYPES_MAX]
               if made is not None}
    for name, chart in CHARTS.items():
        if name in formats and 'chart' not in formats:
            add_chart(chart, formats[name], formats)
    return formats


def add_chart(name, spec, formats):
    """What a library has drawn as data too, as far as that can be told."""
    try:
        chart = part(name)['of_spec'](spec)
    except Exception:
        return  # there are more figures than we know; none breaks a cell
    if chart is not None:
        formats['chart'] = chart


def add_table(module, value, formats):
    """A table is also data: column to values."""
    try:
        data = part('python_data')['of_table'](module, value)
    except Exception:
        complain('data of the table')
        return
    if data is not None:
        formats['data'] = data


def add_figure(module, value, formats):
    if isinstance(value, module.Figure):
        formats.update(part('python_figure')['formats'](value))


def add_altair(module, value, formats):
    base = getattr(module, 'TopLevelMixin', None)
    if isinstance(base, type) and isinstance(value, base):
        add_chart('python_chart_altair', value, formats)


# Formats that the library itself does not offer, by its module.
EXTRAS = {'pandas': add_table, 'polars': add_table, 'pyarrow': add_table,
          'matplotlib.figure': add_figure, 'altair': add_altair}
# MIME types with a description of a figure, and what reads them.
CHARTS = {'application/vnd.plotly.v1+json': 'python_chart_plotly'}


def coded(formats):
    """The parts of a result frame."""
    values = []
    for name, made in formats.items():
        if not isinstance(name, str):
            continue
        if name in STRUCTURED:
            made = structured(made)
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


def structured(made):
    json = part('python_json')
    try:
        return json['text'](made).encode()
    except (json['Unsuitable'], RecursionError):
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
    try:
        shown()
    except Exception:
        complain('_ipython_display_')
        return False
    return True


def show_value(value):
    """Show the value of the last expression."""
    if not shows_itself(value):
        kernel.show(coded(bundle(value)), True)


class DisplayHandle:
    """What display(..., display_id=...) returns. A result that was sent is
    not changed any more."""

    def __init__(self, display_id=None):
        self.display_id = display_id or '%032x' % id(self)

    def display(self, value, **options):
        display(value, **options)

    def update(self, value, **options):
        pass


def display(*values, raw=False, include=None, exclude=None, metadata=None,
            transient=None, display_id=None, **options):
    """Show values as results of the cell."""
    for value in values:
        if raw:
            kernel.show(coded(short(value)))
            continue
        if shows_itself(value):
            continue
        formats = bundle(value, include, exclude)
        for name, key in NAMES.items():
            if ((include and name not in include)
                    or (exclude and name in exclude)):
                formats.pop(key, None)
        kernel.show(coded(formats))
    if display_id is not None:
        return DisplayHandle(None if display_id is True else display_id)
