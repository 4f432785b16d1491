# What stands in for IPython where it is not installed: generated code is full
# of `from IPython.display import ...`. kernel and part are given by the core.
import sys

display = part('python_display')['display']
DisplayHandle = part('python_display')['DisplayHandle']
PACKAGES = ('IPython', 'IPython.core', 'IPython.lib', 'IPython.utils',
            'IPython.terminal', 'matplotlib_inline')
MODULES = ('IPython.display', 'IPython.core.display',
           'IPython.core.display_functions', 'IPython.lib.display',
           'IPython.core.getipython', 'IPython.core.magic',
           'matplotlib_inline.backend_inline')


def find(name):
    if name in PACKAGES or name in MODULES or name in OTHERS:
        return part('python_import')['made'](name, fill, name in PACKAGES)
    return None


def fill(module):
    """The names of every module that we stand in for."""
    if module.__name__ == 'IPython':
        module.version_info, module.__version__ = (8, 0, 0), '8.0.0'
        import IPython.display
    if module.__name__ in OTHERS:
        vars(module).update(OTHERS[module.__name__])
        return
    names = SHOWN if module.__name__ in MODULES else {}
    vars(module).update(names)
    if module.__name__ == 'matplotlib_inline.backend_inline':
        part('python_figure')['fill'](module)
    vars(module)['get_ipython'] = kernel.get_ipython
    vars(module)['display'] = (sys.modules['IPython.display']
                               if module.__name__ == 'IPython' else display)


class DisplayObject:
    """Something with one format: given as data, or as a file."""

    mode = 'r'

    def __init__(self, data=None, url=None, filename=None, metadata=None,
                 **options):
        if hasattr(data, '__fspath__'):
            data = data.__fspath__()
        if isinstance(data, str) and url is None and filename is None:
            if data.startswith(('http://', 'https://')):
                data, url = None, data
            elif self.names_file(data):
                data, filename = None, data
        self.data, self.url, self.filename = data, url, filename
        self.metadata = metadata or {}
        for name, value in options.items():
            setattr(self, name, value)
        self.reload()

    def names_file(self, data):
        return False

    def reload(self):
        if self.filename is not None:
            with open(self.filename, self.mode) as file:
                self.data = file.read()
        elif self.url is not None and self.data is None:
            from urllib.request import urlopen
            self.data = urlopen(self.url).read()
            if 'b' not in self.mode:
                self.data = self.data.decode('utf-8', 'replace')

    def __repr__(self):
        kind = type(self)
        return '<%s.%s object>' % (kind.__module__, kind.__name__)


def formatted(name, repr_name, shape=str):
    """A class whose display method gives its data."""
    def method(self):
        return shape(self.data)
    kind = type(name, (DisplayObject,), {repr_name: method})
    kind.__module__ = 'IPython.core.display'
    return kind


def as_math(data):
    return '$\\displaystyle %s$' % data.strip('$')


def as_is(data):
    return data


TextDisplayObject = DisplayObject
Pretty = type('Pretty', (DisplayObject,), {
    '_repr_pretty_': lambda self, printer, cycle: printer.text(self.data),
    '__module__': 'IPython.core.display'})
HTML = formatted('HTML', '_repr_html_')
HTML.__html__ = lambda self: self.data
Markdown = formatted('Markdown', '_repr_markdown_')
Latex = formatted('Latex', '_repr_latex_')
Math = formatted('Math', '_repr_latex_', as_math)
Javascript = formatted('Javascript', '_repr_javascript_')
JSON = formatted('JSON', '_repr_json_', as_is)
GeoJSON = JSON
SVG = formatted('SVG', '_repr_svg_', lambda data: data if isinstance(
    data, str) else bytes(data).decode('utf-8', 'replace'))


def is_file(self, data):
    return len(data) < 4096 and '\n' not in data and '<' not in data


SVG.names_file = is_file


class Image(DisplayObject):
    """A picture: bytes, a file or an address."""

    mode = 'rb'
    __module__ = 'IPython.core.display'

    def __init__(self, data=None, url=None, filename=None, format=None,
                 embed=None, width=None, height=None, **options):
        self.format, self.width, self.height = format, width, height
        self.embed = embed if embed is not None else url is None
        super().__init__(data, url, filename, **options)
        if self.format is None and self.data is not None:
            self.format = 'jpeg' if bytes(self.data[:2]) == b'\xff\xd8' else (
                'gif' if bytes(self.data[:3]) == b'GIF' else 'png')
        self.format = {'jpg': 'jpeg'}.get(self.format, self.format)

    names_file = is_file

    def reload(self):
        if self.embed:
            super().reload()

    def _repr_mimebundle_(self, include=None, exclude=None):
        if not self.embed:
            return {'text/html': '<img src="%s"%s%s/>' % (
                self.url, self.size('width'), self.size('height'))}
        return {'image/' + (self.format or 'png'): self.data}

    def size(self, name):
        value = getattr(self, name)
        return '' if value is None else ' %s="%s"' % (name, value)


class IFrame:
    """A page inside the page."""

    __module__ = 'IPython.lib.display'

    def __init__(self, src, width, height, extras=None, **options):
        self.src, self.width, self.height = src, width, height
        self.extras, self.params = list(extras or ()), options

    def _repr_html_(self):
        source = self.src
        if self.params:
            from urllib.parse import urlencode
            source += '?' + urlencode(self.params)
        return ('<iframe width="%s" height="%s" src="%s" frameborder="0" '
                'allowfullscreen %s></iframe>' % (
                    self.width, self.height, source, ' '.join(self.extras)))


class Code(DisplayObject):
    """Source text."""

    __module__ = 'IPython.lib.display'

    def __repr__(self):
        return self.data

    def _repr_html_(self):
        from html import escape
        return '<pre>%s</pre>' % escape(self.data)


class FileLink:
    """A link to a file."""

    __module__ = 'IPython.lib.display'

    def __init__(self, path, **options):
        self.path = path

    def _repr_html_(self):
        return '<a href="%s" target="_blank">%s</a><br>' % (self.path,
                                                            self.path)

    def __repr__(self):
        return str(self.path)


class Audio(DisplayObject):
    """Sound, as a player with the data inside."""

    mode = 'rb'
    __module__ = 'IPython.lib.display'
    names_file = is_file

    def _repr_html_(self):
        import binascii
        data = self.data if isinstance(self.data, bytes) else b''
        return ('<audio controls src="data:audio/wav;base64,%s"></audio>'
                % binascii.b2a_base64(data, newline=False).decode())


class ProgressBar:
    """A bar that is shown as text."""

    __module__ = 'IPython.core.display'

    def __init__(self, total):
        self.total, self.progress = total, 0

    def __repr__(self):
        return '%s/%s' % (self.progress, self.total)

    def display(self):
        display(self)


class TerminalInteractiveShell:
    """What this is not: libraries ask whether they are in a terminal."""


def latex_to_png(text, *rest, color='Black', scale=1.0, **options):
    """A picture of a formula, as far as matplotlib can draw it."""
    import io
    file = io.BytesIO()
    try:
        from matplotlib import mathtext
        mathtext.math_to_image(text.replace('\\displaystyle', ''), file,
                               dpi=120 * scale, format='png')
    except (ImportError, ValueError, RuntimeError):
        return None
    return file.getvalue()


def clear_output(wait=False):
    """There is nothing to clear: what was shown was sent."""


def update_display(value, *, display_id=None, **options):
    """What was shown stays as it is: clients have no message for it."""


def shower(name):
    """display_html and its kin: only this format of the values."""
    def show(*values, raw=False, **options):
        for value in values:
            if raw:
                display({name: value}, raw=True)
            else:
                display(value, include=(name, 'text/plain'), **options)
    return show


SHOWN = {
    kind.__name__: kind for kind in (
        DisplayObject, Pretty, HTML, Markdown, Latex, Math, Javascript, JSON,
        SVG, Image, IFrame, Code, FileLink, Audio, ProgressBar,
        DisplayHandle)}
SHOWN.update(
    TextDisplayObject=TextDisplayObject, GeoJSON=GeoJSON, display=display,
    clear_output=clear_output, update_display=update_display,
    display_pretty=shower('text/plain'), display_html=shower('text/html'),
    display_markdown=shower('text/markdown'),
    display_svg=shower('image/svg+xml'), display_png=shower('image/png'),
    display_jpeg=shower('image/jpeg'), display_latex=shower('text/latex'),
    display_json=shower('application/json'),
    display_javascript=shower('application/javascript'),
    publish_display_data=lambda data, *rest, **options: display(data,
                                                               raw=True),
    set_matplotlib_formats=part('python_figure')['choose_pictures'])
# What libraries ask of a shell that they have found.
OTHERS = {
    'IPython.core.pylabtools': {'backend2gui': {}},
    'IPython.lib.latextools': {'latex_to_png': latex_to_png},
    'IPython.terminal.interactiveshell': {
        'TerminalInteractiveShell': TerminalInteractiveShell},
}
