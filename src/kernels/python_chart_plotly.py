# plotly: what the JSON of a figure says as a chart, and how a figure is shown.
# kernel and part are given by the core.
shape = part('python_chart_shape')
Unfit, count = shape['Unfit'], shape['count']
RENDERER = 'plotly_mimetype+notebook'  # as in a notebook


def choose(module):
    """plotly.io was imported: show figures here, not in a browser."""
    import os
    import types
    if os.environ.get('PLOTLY_RENDERER'):
        return
    if module.renderers.default in (None, '', 'browser'):
        module.renderers.default = RENDERER
    if getattr(module, 'nbformat', module) is None:
        # It asks for the version of a package that it makes no use of.
        module.nbformat = types.SimpleNamespace(__version__='5.0.0')


def of_spec(spec):
    """The chart of a figure of plotly, or None."""
    traces = [trace for trace in spec.get('data') or ()
              if isinstance(trace, dict)]
    layout = spec.get('layout') or {}
    title = text_of(layout.get('title'))
    state = {'points': 0}
    places = {}
    for index, trace in enumerate(traces):
        places.setdefault(place_of(trace), []).append((index, trace))
    if not places:
        return None
    try:
        charts = [of_traces(place, inside, layout, state)
                  for place, inside in places.items()]
    except Unfit:
        return None
    if len(charts) == 1:
        charts[0]['title'] = title or None
    return shape['together'](charts, title)


def text_of(title):
    """Titles are texts, or have one."""
    if isinstance(title, dict):
        title = title.get('text')
    return title if isinstance(title, str) else ''


def place_of(trace):
    """Which axes, or which part of the page, a trace is drawn in."""
    domain = trace.get('domain')
    if isinstance(domain, dict):
        return 'pie', str(sorted(domain.items()))
    return trace.get('xaxis') or 'x', trace.get('yaxis') or 'y'


def of_traces(place, traces, layout, state):
    kinds = {kind_of(trace) for _, trace in traces}
    kind = kinds.pop() if len(kinds) == 1 else 'unknown'
    chart = {'type': kind, 'title': None, 'elements': []}
    if kind == 'unknown':
        return chart
    elements = chart['elements']
    for index, trace in traces:
        elements += ELEMENTS[kind](index, trace, state)
    if kind != 'pie':
        add_axes(chart, place, traces, layout)
    return chart


def kind_of(trace):
    kind = trace.get('type') or 'scatter'
    if kind in ('scatter', 'scattergl'):
        if trace.get('stackgroup') or trace.get('fill') not in (None, 'none'):
            return 'unknown'
        return 'line' if 'lines' in (trace.get('mode') or 'lines') else (
            'scatter' if 'markers' in trace['mode'] else 'unknown')
    if kind == 'histogram' and names_counted(trace) is not None:
        return 'bar'
    return {'bar': 'bar', 'pie': 'pie', 'box': 'box_and_whisker'}.get(
        kind, 'unknown')


def names_counted(trace):
    """The names in a histogram, which it counts; None if it has numbers, for
    the browser chooses where to cut those."""
    if trace.get('histfunc') not in (None, 'count') or trace.get('histnorm'):
        return None
    names = values_of(trace, 'x')
    if names is None:
        names = values_of(trace, 'y')
    if not names or not all(isinstance(name, str) for name in names) or (
            shape['scale_of'](names) != 'categorical'):
        return None
    return names


# -- values ----------------------------------------------------------------

def values_of(trace, name):
    """A list of a trace. Numbers may be packed: {dtype, bdata, shape}."""
    values = trace.get(name)
    if isinstance(values, dict):
        values = unpacked(values)
    if values is None:
        return None
    if hasattr(values, 'tolist'):
        values = values.tolist()
    return list(values) if isinstance(values, (list, tuple)) else [values]


def unpacked(packed):
    import binascii
    import sys
    from array import array
    code = {'i1': 'b', 'u1': 'B', 'i2': 'h', 'u2': 'H', 'i4': 'i', 'u4': 'I',
            'f4': 'f', 'f8': 'd'}.get(packed.get('dtype'))
    if code is None or ',' in str(packed.get('shape', '')):
        raise Unfit
    values = array(code, binascii.a2b_base64(packed['bdata']))
    if sys.byteorder == 'big':
        values.byteswap()
    return values.tolist()


def pairs_of(trace, state):
    xs, ys = values_of(trace, 'x'), values_of(trace, 'y')
    if xs is None:
        xs = numbered(trace, 'x', ys)
    if ys is None:
        ys = numbered(trace, 'y', xs)
    count(state, max(len(xs), len(ys)))
    return xs, ys


def numbered(trace, name, others):
    """Values that are not given count from x0, or y0, by dx."""
    start, step = trace.get(name + '0') or 0, trace.get('d' + name) or 1
    if not isinstance(start, (int, float)):
        raise Unfit
    return [start + step * index for index in range(len(others or ()))]


def lies(trace):
    return trace.get('orientation') == 'h'


# -- elements --------------------------------------------------------------

def points(index, trace, state):
    name = 'trace' if kind_of(trace) == 'scatter' else 'Line'
    xs, ys = pairs_of(trace, state)
    return [{'label': trace.get('name') or '%s %d' % (name, index),
             'points': [[x, y] for x, y in zip(xs, ys)]}]


def bars(index, trace, state):
    if trace.get('type') == 'histogram':
        names = names_counted(trace)
        count(state, len(names))
        counted = {}
        for name in names:
            counted[name] = counted.get(name, 0) + 1
        labels, values = list(counted), list(counted.values())
    else:
        labels, values = pairs_of(trace, state)
        if lies(trace):
            labels, values = values, labels
    group = trace.get('name') or 'Group %d' % index
    return [{'label': str(label), 'group': group, 'value': value}
            for label, value in zip(labels, values)]


def slices(index, trace, state):
    """Slices of the same label are one."""
    values, labels = values_of(trace, 'values'), values_of(trace, 'labels')
    if labels is None:
        labels = range(len(values or ()))
    if values is None:
        values = [1] * len(labels)
    count(state, len(labels))
    shares = {}
    for label, value in zip(map(str, labels), values):
        value = shape['number'](value)
        if value is not None and value >= 0:
            shares[label] = shares.get(label, 0) + value
    total = sum(shares.values())
    return [{'label': label, 'angle': 360.0 * share / total if total else 0.0,
             'radius': 1.0} for label, share in shares.items()]


def boxes(index, trace, state):
    values, labels = values_of(trace, 'y'), values_of(trace, 'x')
    if lies(trace) or values is None:
        values, labels = labels, values
    name = trace.get('name') or 'trace %d' % index
    if trace.get('q1') is not None:
        return given_boxes(trace, name, labels)
    count(state, len(values or ()))
    groups = {}
    for position, value in enumerate(values or ()):
        label = labels[position] if labels else name
        groups.setdefault(str(label), []).append(value)
    # plotly.js puts the share p of n values at p * n - 1/2, from 0.
    return [shape['box'](label, inside,
                         lambda size, share: size * share - .5)
            for label, inside in groups.items()]


def given_boxes(trace, name, labels):
    made = []
    firsts = values_of(trace, 'q1')
    for position, first in enumerate(firsts):
        def given(key, default=None):
            values = values_of(trace, key) or ()
            return values[position] if position < len(values) else default
        third = given('q3')
        made.append({
            'label': str(labels[position]) if labels else name,
            'min': given('lowerfence', first), 'first_quartile': first,
            'median': given('median'), 'third_quartile': third,
            'max': given('upperfence', third), 'outliers': []})
    return made


ELEMENTS = {'line': points, 'scatter': points, 'bar': bars, 'pie': slices,
            'box_and_whisker': boxes}


# -- axes ------------------------------------------------------------------

def add_axes(chart, place, traces, layout):
    axes = [layout.get(name[0] + 'axis' + name[1:]) or {} for name in place]
    labels = [text_of(axis.get('title')) for axis in axes]
    if chart['type'] in ('bar', 'box_and_whisker'):
        if all(lies(trace) for _, trace in traces):
            labels.reverse()
        shape['add_labels'](chart, *labels)
        return
    shape['add_labels'](chart, *labels)
    for position, name in enumerate('xy'):
        axis = axes[position]
        values = [point[position] for element in chart['elements']
                  for point in element['points']]
        places = values_of(axis, 'tickvals') or []
        texts = values_of(axis, 'ticktext') or [str(one) for one in places]
        scale = {'date': 'datetime', 'category': 'categorical'}.get(
            axis.get('type'), axis.get('type'))
        if scale not in ('linear', 'log', 'datetime', 'categorical'):
            scale = shape['scale_of'](values)
        shape['add_scale'](chart, name, scale, places, texts)
