# bokeh: what the models of a plot say in the shapes of our charts.
# kernel and part are given by the core.
import sys

shape = part('python_chart_shape')
Unfit, count = shape['Unfit'], shape['count']
KINDS = {'Line': 'line', 'Step': 'line', 'Scatter': 'scatter',
         'Circle': 'scatter', 'Square': 'scatter', 'Triangle': 'scatter',
         'VBar': 'bar', 'HBar': 'bar', 'Wedge': 'pie', 'AnnularWedge': 'pie'}
ROUND = 6.283185307179586
state = {'shown': None}


def follow(module):
    """bokeh.io.notebook was imported: know what it is showing, for what it
    publishes does not say so."""
    show_doc = module.show_doc

    def show(obj, *arguments, **options):
        state['shown'] = obj
        try:
            return show_doc(obj, *arguments, **options)
        finally:
            state['shown'] = None

    module.show_doc = show


def of_spec(published):
    """The chart of what is being shown, or None."""
    return state['shown'] and of_model(state['shown'])


def of_model(model):
    """The chart of a plot, or of a layout of plots, or None."""
    try:
        charts = [of_plot(plot, {'points': 0}) for plot in plots_of(model)]
    except Unfit:
        return None
    charts = [chart for chart in charts if chart is not None]
    return shape['together'](charts, '') if charts else None


def plots_of(model):
    if hasattr(model, 'renderers') and hasattr(model, 'x_range'):
        return [model]
    children = getattr(model, 'children', None) or ()
    found = []
    for child in children:
        # A grid has its children with their places.
        found += plots_of(child[0] if isinstance(child, tuple) else child)
    return found


def of_plot(plot, state):
    drawn = [one for one in plot.renderers if hasattr(one, 'glyph')]
    if not drawn:
        return None
    kinds = {KINDS.get(type(one.glyph).__name__, 'unknown') for one in drawn}
    kind = kinds.pop() if len(kinds) == 1 else 'unknown'
    title = getattr(plot.title, 'text', None)
    if kind == 'unknown':
        return shape['unknown'](title)
    chart = {'type': kind, 'title': title or None, 'elements': []}
    names = names_of(plot)
    for index, one in enumerate(drawn):
        chart['elements'] += ELEMENTS[kind](
            one, names.get(one.id), index, state)
    if kind != 'pie':
        add_axes(chart, plot, drawn)
    return chart


def names_of(plot):
    """What the legends call a renderer."""
    names = {}
    for legend in getattr(plot, 'legend', None) or ():
        for item in legend.items:
            label = item.label
            text = label if isinstance(label, str) else getattr(
                label, 'value', None)
            if isinstance(label, dict):
                text = label.get('value')
            for renderer in item.renderers:
                names[renderer.id] = text
    return names


def values_of(renderer, name):
    """The values of a property of what is drawn, one for each mark."""
    data = renderer.data_source.data
    value = getattr(renderer.glyph, name, None)
    if isinstance(value, dict):
        value = value.get('field', value.get('value'))
    value = getattr(value, 'field', value)
    if isinstance(value, str):
        if value not in data:
            raise Unfit
        value = data[value]
        count({'points': 0}, len(value))
        plain = part('python_data')['plain']
        return [plain(item) for item in getattr(value, 'tolist',
                                                lambda: value)()]
    size = max([len(column) for column in data.values()] or [1])
    return [getattr(value, 'value', value)] * size


def points(renderer, name, index, state):
    xs, ys = values_of(renderer, 'x'), values_of(renderer, 'y')
    count(state, len(xs))
    return [{'label': name or 'Line %d' % index,
             'points': [[x, y] for x, y in zip(xs, ys)]}]


def bars(renderer, name, index, state):
    lies = type(renderer.glyph).__name__ == 'HBar'
    places = values_of(renderer, 'y' if lies else 'x')
    starts = values_of(renderer, 'left' if lies else 'bottom')
    ends = values_of(renderer, 'right' if lies else 'top')
    count(state, len(places))
    return [{'label': label_of(place), 'group': name or 'Group %d' % index,
             'value': end - start if start else end}
            for place, start, end in zip(places, starts, ends)]


def label_of(place):
    """Nested categories are lists of names."""
    return ', '.join(map(str, place)) if isinstance(place, list) else (
        str(place))


def slices(renderer, name, index, state):
    starts = values_of(renderer, 'start_angle')
    ends = values_of(renderer, 'end_angle')
    radii = values_of(renderer, 'radius' if hasattr(renderer.glyph, 'radius')
                      else 'outer_radius')
    count(state, len(ends))
    return [{'label': name or '', 'angle': (end - start) * 360 / ROUND,
             'radius': radius}
            for start, end, radius in zip(starts, ends, radii)]


ELEMENTS = {'line': points, 'scatter': points, 'bar': bars, 'pie': slices}


def add_axes(chart, plot, drawn):
    labels = [getattr(axes[0], 'axis_label', None) if axes else None
              for axes in (plot.xaxis, plot.yaxis)]
    if chart['type'] == 'bar':
        if type(drawn[0].glyph).__name__ == 'HBar':
            labels.reverse()
        shape['add_labels'](chart, *labels)
        return
    shape['add_labels'](chart, *labels)
    for name, axes in (('x', plot.xaxis), ('y', plot.yaxis)):
        kind = type(axes[0]).__name__ if axes else ''
        scale = {'DatetimeAxis': 'datetime', 'LogAxis': 'log',
                 'CategoricalAxis': 'categorical'}.get(kind, 'linear')
        shape['add_scale'](chart, name, scale)
        if scale == 'datetime':
            position = 'xy'.index(name)
            for element in chart['elements']:
                for point in element['points']:
                    point[position] = date_of(point[position])


def date_of(value):
    """Dates may be given as milliseconds since 1970."""
    if shape['number'](value) is None:
        return value
    datetime = sys.modules['datetime']
    return (datetime.datetime(1970, 1, 1)
            + datetime.timedelta(milliseconds=value)).isoformat()
