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
        if module.__name__ == 'IPython.core.interactiveshell':
            module.InteractiveShell = part('python_shell')['InteractiveShell']
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
    __module__ = 'IPython.core.display'

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


def as_json(data):
    """Text is what is to be read as JSON."""
    if isinstance(data, str):
        import json
        return json.loads(data)
    return data


TextDisplayObject = type('TextDisplayObject', (DisplayObject,), {
    '__module__': 'IPython.core.display'})
Pretty = type('Pretty', (DisplayObject,), {
    '_repr_pretty_': lambda self, printer, cycle: printer.text(self.data),
    '__module__': 'IPython.core.display'})
HTML = formatted('HTML', '_repr_html_')
HTML.__html__ = lambda self: self.data
Markdown = formatted('Markdown', '_repr_markdown_')
Latex = formatted('Latex', '_repr_latex_')
Math = formatted('Math', '_repr_latex_', as_math)
Javascript = formatted('Javascript', '_repr_javascript_')
JSON = formatted('JSON', '_repr_json_', as_json)
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
                'allowfullscreen %s ></iframe>' % (
                    self.width, self.height, source, ' '.join(self.extras)))


def embedded(name, address):
    """A class whose instances are pages of a service, by their number."""
    def __init__(self, id, width=400, height=300, allow_autoplay=False,
                 **options):
        extras = ()
        if allow_autoplay:
            extras, options = ['allow="autoplay"'], dict(options, autoplay=1)
        IFrame.__init__(self, address % id, width, height, extras, **options)
    return type(name, (IFrame,), {'__init__': __init__,
                                  '__module__': 'IPython.lib.display'})


YouTubeVideo = embedded('YouTubeVideo', 'https://www.youtube.com/embed/%s')
VimeoVideo = embedded('VimeoVideo', 'https://player.vimeo.com/video/%s')
ScribdDocument = embedded('ScribdDocument',
                          'https://www.scribd.com/embeds/%s/content')


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
        self.path = str(path)

    def _repr_html_(self):
        import os
        if not os.path.exists(self.path):
            return ("Path (<tt>%s</tt>) doesn't exist. It may still be in the "
                    'process of being generated, or you may have the '
                    'incorrect path.' % self.path)
        return "<a href='%s' target='_blank'>%s</a><br>" % (self.path,
                                                            self.path)

    def __repr__(self):
        import os
        return os.path.abspath(self.path)


def source_of(data, name, kind, otherwise):
    """The address of a file, or its content as one; and its type: one that
    was given, that of the name, or what it is otherwise."""
    import binascii
    import mimetypes
    kind = kind or name and mimetypes.guess_type(name)[0] or otherwise
    if data is None:
        return name, kind
    return 'data:%s;base64,%s' % (kind, binascii.b2a_base64(
        data, newline=False).decode()), kind


class Audio(DisplayObject):
    """Sound, as a player with the data inside; samples become a WAV file."""

    mode = 'rb'
    __module__ = 'IPython.lib.display'
    names_file = is_file

    def __init__(self, data=None, filename=None, url=None, embed=None,
                 rate=None, autoplay=False, **options):
        self.autoplay, self.embed = autoplay, embed or url is None
        super().__init__(data, url, filename, **options)
        if rate and self.data is not None and not isinstance(self.data,
                                                             bytes):
            self.data = self.wave([float(one) for one in self.data], rate)

    def reload(self):
        if self.embed:
            super().reload()

    @staticmethod
    def wave(samples, rate):
        import io
        import struct
        import wave
        peak = max(map(abs, samples), default=0) or 1
        file = io.BytesIO()
        with wave.open(file, 'wb') as sound:
            sound.setparams((1, 2, rate, 0, 'NONE', None))
            sound.writeframes(struct.pack('<%dh' % len(samples), *(
                int(one / peak * 32767) for one in samples)))
        return file.getvalue()

    def _repr_html_(self):
        source, kind = source_of(self.data, self.filename or self.url, None,
                                 'audio/wav')
        return ('<audio controls="controls" %s><source src="%s" type="%s" />'
                'Your browser does not support the audio element.</audio>' % (
                    'autoplay="autoplay"' * self.autoplay, source, kind))


class Video(DisplayObject):
    """A film: the address of one, or a file."""

    mode = 'rb'
    __module__ = 'IPython.core.display'
    names_file = is_file

    def __init__(self, data=None, url=None, filename=None, embed=False,
                 mimetype=None, width=None, height=None,
                 html_attributes='controls', **options):
        self.embed, self.mimetype = embed, mimetype
        self.size = ' '.join('%s="%s"' % pair for pair in (
            ('width', width), ('height', height)) if pair[1])
        self.attributes = html_attributes
        if isinstance(data, bytes) and not embed:
            raise ValueError('To embed videos, you must pass embed=True (this '
                             'may make your notebook files huge)\n'
                             "Consider passing Video(url='...')")
        super().__init__(data, url, filename, **options)

    def reload(self):
        if self.embed:
            super().reload()

    def _repr_html_(self):
        source, kind = source_of(self.data, self.filename or self.url,
                                 self.mimetype, 'video/mp4')
        if not self.embed:
            return ('<video src="%s" %s %s>Your browser does not support the '
                    '<code>video</code> element.</video>' % (
                        source, self.attributes, self.size))
        return ('<video %s %s><source src="%s" type="%s">Your browser does '
                'not support the video tag.</video>' % (
                    self.attributes, self.size, source, kind))


class ProgressBar:
    """A bar of signs, or as a page has it."""

    __module__ = 'IPython.core.display'

    def __init__(self, total):
        self.total, self.progress = total, 0

    def __repr__(self):
        filled = int(self.progress / self.total * 60)
        return '[%s] %s/%s' % (('=' * filled).ljust(60), self.progress,
                               self.total)

    def _repr_html_(self):
        return ("<progress style='width:60ex' max='%s' value='%s'></progress>"
                % (self.total, self.progress))

    def display(self):
        display(self)

    def update(self):
        pass

    def __iter__(self):
        self.display()
        for self.progress in range(self.total):
            yield self.progress


class GeoJSON(DisplayObject):
    """A map, which few clients draw."""

    __module__ = 'IPython.display'

    def _ipython_display_(self):
        display({'application/geo+json': self.data,
                 'text/plain': '<IPython.display.GeoJSON object>'}, raw=True)


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


def magic(kind):
    """A decorator that makes a function a magic."""
    def register(function):
        kernel.get_ipython().register_magic_function(function, kind)
        return function
    return register


SHOWN = {
    kind.__name__: kind for kind in (
        DisplayObject, Pretty, HTML, Markdown, Latex, Math, Javascript, JSON,
        SVG, Image, IFrame, Code, FileLink, Audio, Video, ProgressBar,
        GeoJSON, YouTubeVideo, VimeoVideo, ScribdDocument, DisplayHandle)}
SHOWN.update(
    TextDisplayObject=TextDisplayObject, display=display,
    clear_output=clear_output, update_display=update_display,
    display_pretty=shower('text/plain'), display_html=shower('text/html'),
    display_markdown=shower('text/markdown'),
    display_svg=shower('image/svg+xml'), display_png=shower('image/png'),
    display_jpeg=shower('image/jpeg'), display_latex=shower('text/latex'),
    display_json=shower('application/json'),
    display_javascript=shower('application/javascript'),
    publish_display_data=lambda data, *rest, **options: display(data,
                                                               raw=True),
    set_matplotlib_formats=part('python_figure')['choose_pictures'],
    register_line_magic=magic('line'), register_cell_magic=magic('cell'),
    register_line_cell_magic=magic('line_cell'))
# What libraries ask of a shell that they have found.
OTHERS = {
    'IPython.core.interactiveshell': {},
    'IPython.core.pylabtools': {'backend2gui': {}},
    'IPython.lib.latextools': {'latex_to_png': latex_to_png},
    'IPython.terminal.interactiveshell': {
        'TerminalInteractiveShell': TerminalInteractiveShell},
}
