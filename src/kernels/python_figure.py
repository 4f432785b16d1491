# matplotlib: what is drawn in a cell is shown at plt.show() and at the end of
# the cell, as PNG or as the cell chooses.
# kernel and part are given by the core.
import sys

NAME = 'codecell_figures'
# What cells call the backend that shows figures as results.
BACKENDS = ('module://' + NAME, 'inline',
            'module://matplotlib_inline.backend_inline')
FIGURES_MAX = 1000  # open at the end of a cell: more results none has
# What a picture may be asked for as: its format, and how large it is.
PICTURES = {'png': ('png', 1), 'png2x': ('png', 2), 'retina': ('png', 2),
            'jpg': ('jpeg', 1), 'jpeg': ('jpeg', 1), 'svg': ('svg', 1),
            'pdf': ('pdf', 1)}
chosen = ['png']


def new_figure_manager(number, *arguments, FigureClass=None, **options):
    if FigureClass is None:
        from matplotlib.figure import Figure as FigureClass
    return new_figure_manager_given_figure(number,
                                           FigureClass(*arguments, **options))


def new_figure_manager_given_figure(number, figure):
    from matplotlib.backend_bases import FigureManagerBase
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    canvas = FigureCanvasAgg(figure)
    canvas.draw_idle = draw_nothing
    return FigureManagerBase(canvas, number)


def draw_nothing():
    """Interactive mode asks for this at every change; once is enough."""


def show(*arguments, **options):
    show_all()


def fill(module):
    """Make the module that pyplot imports as its backend, at the first
    figure: from then on it is interactive."""
    from matplotlib import interactive
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    interactive(True)
    module.FigureCanvas = FigureCanvasAgg
    module.show = show
    module.new_figure_manager = new_figure_manager
    module.new_figure_manager_given_figure = new_figure_manager_given_figure


def choose(matplotlib):
    """matplotlib was imported: be its backend unless one is wished for."""
    import os
    if not os.environ.get('MPLBACKEND'):
        matplotlib.rcParams['backend'] = 'module://' + NAME
        kernel.figures = show_rest


def enable():
    """%matplotlib inline: be the backend again, whatever was chosen since."""
    matplotlib = sys.modules.get('matplotlib')
    if matplotlib is None or matplotlib.rcParams['backend'] in BACKENDS:
        return
    if 'matplotlib.pyplot' in sys.modules:
        sys.modules['matplotlib.pyplot'].switch_backend('module://' + NAME)
    else:
        matplotlib.rcParams['backend'] = 'module://' + NAME
    matplotlib.interactive(True)
    kernel.figures = show_rest


def choose_pictures(*names, **options):
    """What set_matplotlib_formats does, and %config InlineBackend."""
    for name in names:
        if name not in PICTURES:
            raise ValueError('supported formats are: %s not %r'
                             % (', '.join(sorted(PICTURES)), name))
    chosen[:] = names


def after_inline(module):
    """matplotlib_inline has a shell of IPython draw; here there is none."""
    module.set_matplotlib_formats = choose_pictures


def show_rest():
    """Show what a cell has left open, unless it has said plt.ioff()."""
    if sys.modules['matplotlib'].is_interactive():
        show_all()


def show_all():
    """Show the open figures in order, then close them."""
    pyplot = sys.modules.get('matplotlib.pyplot')
    helper = sys.modules.get('matplotlib._pylab_helpers')
    if pyplot is None or helper is None:
        return
    if pyplot.rcParams['backend'] not in BACKENDS:
        return
    try:
        managers = helper.Gcf.get_all_fig_managers()
        for manager in managers[:FIGURES_MAX]:
            kernel.display(manager.canvas.figure)
        if len(managers) > FIGURES_MAX:
            kernel.truncated = True
    finally:
        pyplot.close('all')


def pictures(figure):
    """The pictures of a figure: none of one with nothing in it, nor of one
    that pyplot has no part in."""
    if 'matplotlib.pyplot' not in sys.modules or not (
            figure.axes or figure.lines):
        return {}
    made = {}
    for name in chosen:
        kind, scale = PICTURES[name]
        made[kind] = picture(figure, kind, scale)
    return made


def picture(figure, kind, scale):
    import io
    file = io.BytesIO()
    canvas = figure.canvas
    if canvas is None or not hasattr(canvas, 'print_png'):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        canvas = FigureCanvasAgg(figure)
    canvas.print_figure(file, format=kind, dpi=figure.dpi * scale,
                        facecolor=figure.get_facecolor(),
                        edgecolor=figure.get_edgecolor(),
                        bbox_inches='tight')
    made = file.getvalue()
    return made.decode('utf-8', 'replace') if kind == 'svg' else made
