# altair: what a chart of Vega-Lite says in the shapes of our charts. Of marks,
# encodings and aggregates it reads the plain ones; the rest is unknown.
# kernel and part are given by the core.
shape = part('python_chart_shape')
Unfit, count = shape['Unfit'], shape['count']
MARKS = {'bar': 'bar', 'line': 'line', 'trail': 'line', 'point': 'scatter',
         'circle': 'scatter', 'square': 'scatter', 'tick': 'scatter',
         'arc': 'pie', 'boxplot': 'box_and_whisker'}
SEVERAL = ('hconcat', 'vconcat', 'concat')
DEPTH_MAX = 20


def of_spec(value):
    """The chart of a chart of altair, or None."""
    spec = value.to_dict()
    state = {'points': 0, 'datasets': spec.get('datasets') or {}}
    try:
        return of_view(spec, {}, state, 0)
    except Unfit:
        return None


def of_view(spec, above, state, depth):
    """Above is what a view has from those it is in: data and encoding."""
    if depth > DEPTH_MAX:
        raise Unfit
    title = text_of(spec.get('title'))
    view = {'data': spec.get('data') or above.get('data'),
            'encoding': dict(above.get('encoding') or {},
                             **(spec.get('encoding') or {})),
            'transform': spec.get('transform') or above.get('transform')}
    for name in SEVERAL:
        if name in spec:
            charts = [of_view(one, view, state, depth + 1)
                      for one in spec[name]]
            return shape['together'](charts, title)
    if 'layer' in spec:
        return of_layers(spec['layer'], view, title, state)
    return of_mark(spec, view, title, state)


def of_layers(layers, view, title, state):
    """Layers of one kind are one chart; texts on them are no data."""
    charts = []
    for layer in layers:
        if 'layer' in layer:
            return shape['unknown'](title)
        if mark_of(layer) in ('text', 'rule'):
            continue
        inner = {'data': layer.get('data') or view['data'],
                 'encoding': dict(view['encoding'],
                                  **(layer.get('encoding') or {})),
                 'transform': layer.get('transform') or view['transform']}
        charts.append(of_mark(layer, inner, title, state))
    if len({chart['type'] for chart in charts}) != 1:
        return shape['unknown'](title)
    for chart in charts[1:]:
        charts[0]['elements'] += chart['elements']
    return charts[0]


def mark_of(spec):
    mark = spec.get('mark')
    return mark.get('type') if isinstance(mark, dict) else mark


def text_of(title):
    if isinstance(title, dict):
        title = title.get('text')
    if isinstance(title, list):
        title = '\n'.join(map(str, title))
    return title if isinstance(title, str) else ''


def of_mark(spec, view, title, state):
    kind = MARKS.get(mark_of(spec), 'unknown')
    encoding = view['encoding']
    if (kind == 'unknown' or view['transform'] or 'row' in encoding
            or 'column' in encoding or 'facet' in encoding):
        return shape['unknown'](title)
    rows = rows_of(view['data'], state)
    chart = {'type': kind, 'title': title or None, 'elements': []}
    channels = {name: Channel(encoding[name]) for name in encoding
                if isinstance(encoding[name], dict)}
    if any(channel.is_binned for channel in channels.values()):
        return shape['unknown'](title)
    rows = grouped(rows, channels)
    count(state, len(rows))
    chart['elements'] = ELEMENTS[kind](rows, channels)
    if kind != 'pie':
        add_axes(chart, channels)
    return chart


class Channel:
    """One encoding: which field, and what is done with its values."""

    def __init__(self, encoding):
        self.field, self.kind = encoding.get('field'), encoding.get('type')
        self.aggregate = encoding.get('aggregate')
        self.is_binned = bool(encoding.get('bin') or encoding.get('timeUnit'))
        scale = encoding.get('scale')
        self.scale = scale.get('type') if isinstance(scale, dict) else None
        self.title = self.find_title(encoding)
        if (isinstance(self.field, dict) or self.aggregate is not None
                and self.aggregate not in AGGREGATES):
            raise Unfit

    def find_title(self, encoding):
        axis = encoding.get('axis')
        for place in (encoding, axis if isinstance(axis, dict) else {}):
            if 'title' in place:
                return text_of(place['title'])
        if self.aggregate == 'count':
            return 'Count of Records'
        if self.aggregate:
            return '%s of %s' % (self.aggregate.capitalize(), self.field)
        return self.field or ''

    def of(self, row):
        return row.get((self.aggregate, self.field)
                       if self.aggregate else self.field)


def rows_of(data, state):
    data = data or {}
    rows = data.get('values')
    if rows is None:
        rows = state['datasets'].get(data.get('name'))
    if not isinstance(rows, list):
        raise Unfit  # at an address, or of another form
    return [row if isinstance(row, dict) else {'data': row} for row in rows]


# -- aggregates ------------------------------------------------------------

def mean(values):
    return sum(values) / len(values) if values else None


def median(values):
    if not values:
        return None
    return shape['between'](sorted(values), (len(values) - 1) / 2)


AGGREGATES = {'count': len, 'sum': sum, 'mean': mean, 'average': mean,
              'median': median, 'min': lambda values: min(values or [None]),
              'max': lambda values: max(values or [None])}


def grouped(rows, channels):
    """Rows as they are, or one for each group that is aggregated."""
    made = [channel for channel in channels.values() if channel.aggregate]
    if not made:
        return rows
    names = [channel.field for channel in channels.values()
             if channel.field and not channel.aggregate]
    groups = {}
    for row in rows:
        key = tuple(str(row.get(name)) for name in names)
        groups.setdefault(key, []).append(row)
    answers = []
    for inside in groups.values():
        answer = {name: inside[0].get(name) for name in names}
        for channel in made:
            values = inside if channel.aggregate == 'count' else [
                value for value in (shape['number'](row.get(channel.field))
                                    for row in inside) if value is not None]
            answer[channel.aggregate, channel.field] = (
                AGGREGATES[channel.aggregate](values))
        answers.append(answer)
    return answers


# -- elements --------------------------------------------------------------

NOTHING = Channel({})


def series(rows, channels):
    """Rows by the color, or whatever else tells them apart."""
    for name in ('color', 'detail', 'shape', 'strokeDash', 'xOffset'):
        channel = channels.get(name)
        if channel is not None and channel.field and (
                channel.kind != 'quantitative'):
            groups = {}
            for row in rows:
                groups.setdefault(str(channel.of(row)), []).append(row)
            return list(groups.items())
    return [(None, rows)]


def points(rows, channels):
    x, y = channels.get('x', NOTHING), channels.get('y', NOTHING)
    return [{'label': name or 'Line %d' % index,
             'points': [[x.of(row), y.of(row)] for row in inside]}
            for index, (name, inside) in enumerate(series(rows, channels))]


def line_points(rows, channels):
    """Lines go from left to right, whatever the order of the rows is."""
    elements = points(rows, channels)
    if 'order' not in channels:
        for element in elements:
            if all(shape['number'](x) is not None
                   for x, _ in element['points']):
                element['points'].sort(key=lambda point: point[0])
    return elements


def lies(channels):
    """Whether bars or boxes go from left to right."""
    x, y = channels.get('x'), channels.get('y')
    if x is None or y is None:
        return y is None
    return x.kind == 'quantitative' and y.kind != 'quantitative'


def position_and_value(channels):
    names = 'yx' if lies(channels) else 'xy'
    return [channels.get(name, NOTHING) for name in names]


def bars(rows, channels):
    position, value = position_and_value(channels)
    return [{'label': str(position.of(row)) if position.field else '',
             'group': name or 'Group %d' % index, 'value': value.of(row)}
            for index, (name, inside) in enumerate(series(rows, channels))
            for row in inside]


def slices(rows, channels):
    theta, color = channels.get('theta', NOTHING), channels.get('color',
                                                               NOTHING)
    sizes = [shape['number'](theta.of(row)) or 0 for row in rows]
    total = sum(sizes)
    return [{'label': str(color.of(row)) if color.field else '',
             'angle': 360.0 * size / total if total else 0.0, 'radius': 1.0}
            for row, size in zip(rows, sizes)]


def boxes(rows, channels):
    position, value = position_and_value(channels)
    groups = {}
    for row in rows:
        label = str(position.of(row)) if position.field else ''
        groups.setdefault(label, []).append(value.of(row))
    return [shape['box'](label, inside) for label, inside in groups.items()]


ELEMENTS = {'line': line_points, 'scatter': points, 'bar': bars,
            'pie': slices, 'box_and_whisker': boxes}


def add_axes(chart, channels):
    axes = [channels.get(name, NOTHING) for name in 'xy']
    labels = [axis.title for axis in axes]
    if chart['type'] in ('bar', 'box_and_whisker'):
        if lies(channels):
            labels.reverse()
        shape['add_labels'](chart, *labels)
        return
    shape['add_labels'](chart, *labels)
    for name, axis in zip('xy', axes):
        scale = axis.scale or {'temporal': 'datetime',
                               'nominal': 'categorical',
                               'ordinal': 'categorical'}.get(axis.kind)
        shape['add_scale'](chart, name, scale or 'linear')
