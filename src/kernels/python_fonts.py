# matplotlib reads every font of the machine when it finds no list of them, and
# a fresh sandbox has none: a third of the time of the first figure. So it is
# given the list of the fonts that it brings along, and the machine's are read
# when one of them is asked for.
# kernel and part are given by the core.

REGULAR, BOLD = 400, 700
UPRIGHT, SLANTED, ITALIC = 'normal', 'oblique', 'italic'
# Files in matplotlib's mpl-data/fonts/ttf, and what their headers say.
BROUGHT = (
    ('DejaVuSans', 'DejaVu Sans', UPRIGHT, REGULAR),
    ('DejaVuSans-Bold', 'DejaVu Sans', UPRIGHT, BOLD),
    ('DejaVuSans-Oblique', 'DejaVu Sans', SLANTED, REGULAR),
    ('DejaVuSans-BoldOblique', 'DejaVu Sans', SLANTED, BOLD),
    ('DejaVuSansMono', 'DejaVu Sans Mono', UPRIGHT, REGULAR),
    ('DejaVuSansMono-Bold', 'DejaVu Sans Mono', UPRIGHT, BOLD),
    ('DejaVuSansMono-Oblique', 'DejaVu Sans Mono', SLANTED, REGULAR),
    ('DejaVuSansMono-BoldOblique', 'DejaVu Sans Mono', SLANTED, BOLD),
    ('DejaVuSerif', 'DejaVu Serif', UPRIGHT, REGULAR),
    ('DejaVuSerif-Bold', 'DejaVu Serif', UPRIGHT, BOLD),
    ('DejaVuSerif-Italic', 'DejaVu Serif', ITALIC, REGULAR),
    ('DejaVuSerif-BoldItalic', 'DejaVu Serif', ITALIC, BOLD),
    ('STIXGeneral', 'STIXGeneral', UPRIGHT, REGULAR),
    ('STIXGeneralBol', 'STIXGeneral', UPRIGHT, BOLD),
    ('STIXGeneralItalic', 'STIXGeneral', ITALIC, REGULAR),
    ('STIXGeneralBolIta', 'STIXGeneral', ITALIC, BOLD),
    ('cmb10', 'cmb10', UPRIGHT, REGULAR),
    ('cmex10', 'cmex10', UPRIGHT, REGULAR),
    ('cmmi10', 'cmmi10', UPRIGHT, REGULAR),
    ('cmr10', 'cmr10', UPRIGHT, REGULAR),
    ('cmss10', 'cmss10', UPRIGHT, REGULAR),
    ('cmsy10', 'cmsy10', UPRIGHT, REGULAR),
    ('cmtt10', 'cmtt10', UPRIGHT, REGULAR),
)
NAMES = frozenset(font[1] for font in BROUGHT)
GENERIC = {'serif': 'serif', 'sans': 'sans-serif', 'sans serif': 'sans-serif',
           'sans-serif': 'sans-serif', 'monospace': 'monospace',
           'cursive': 'cursive', 'fantasy': 'fantasy'}


def execute(load, module):
    """Execute matplotlib.font_manager with a list of its own fonts at hand."""
    path = None
    try:
        path = offer_list(module)
    except Exception:
        pass  # another layout: it reads the fonts itself
    try:
        load(module)
    finally:
        if path is not None:
            path.unlink()
    if path is not None:
        make_lazy(module)


def offer_list(module):
    """Write the file that it looks for first. Its path, or None."""
    import json
    import re
    from pathlib import Path
    import matplotlib
    with open(module.__spec__.origin, encoding='utf-8') as file:
        version = re.search(r'^ +__version__ = (\d+)$', file.read(), re.M)
    path = Path(matplotlib.get_cachedir(),
                'fontlist-v%s.json' % version.group(1))
    if path.exists():
        return None
    place = Path(matplotlib.get_data_path(), 'fonts', 'ttf')
    entries = [{'__class__': 'FontEntry', 'fname': 'fonts/ttf/%s.ttf' % file,
                'name': name, 'style': style, 'variant': 'normal',
                'weight': weight, 'stretch': 'normal', 'size': 'scalable'}
               for file, name, style, weight in BROUGHT
               if (place / (file + '.ttf')).exists()]
    path.write_text(json.dumps({
        '__class__': 'FontManager', '_version': int(version.group(1)),
        '_FontManager__default_weight': 'normal', 'default_size': None,
        'defaultFamily': {'ttf': 'DejaVu Sans', 'afm': 'Helvetica'},
        'afmlist': [], 'ttflist': entries}))
    return path


def make_lazy(module):
    """Let the manager read the machine's fonts when its list is looked at for
    anything but a font that it brings along."""
    import matplotlib
    base = module.FontManager
    manager = module.fontManager
    if type(manager) is not base or len(manager.ttflist) > len(BROUGHT):
        return
    state = {'brought': False}

    def complete(self):
        self.__class__ = base
        whole = base()
        self.__dict__.update(whole.__dict__)
        base._findfont_cached.cache_clear()

    def known(prop):
        family = module.FontProperties._from_any(prop).get_family()[0]
        key = 'font.' + GENERIC.get(family.lower(), '')
        return (matplotlib.rcParams[key][0] if key in matplotlib.rcParams
                else family) in NAMES

    class Manager(base):
        def _findfont_cached(self, prop, fontext, *rest, **options):
            state['brought'] = fontext == 'ttf' and known(prop)
            try:
                return base._findfont_cached(self, prop, fontext, *rest,
                                             **options)
            finally:
                state['brought'] = False

        @property
        def ttflist(self):
            if not state['brought']:
                complete(self)
            return self.__dict__['ttflist']

        @property
        def afmlist(self):
            complete(self)
            return self.__dict__['afmlist']

    Manager.__name__ = Manager.__qualname__ = base.__name__
    manager.__class__ = Manager
