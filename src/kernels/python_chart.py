# Charts as data: what a figure of matplotlib shows, in the shapes that clients
# of E2B know, their oddities included. A figure that does not fit them has no
# chart. kernel and part are given by the core; matplotlib is imported.
import math
import sys

shape = part('python_chart_shape')
Unfit, count, add_labels = shape['Unfit'], shape['count'], shape['add_labels']
BESIDE = ('matplotlib.axis', 'matplotlib.axes', 'matplotlib.legend',
          'matplotlib.spines', 'matplotlib.text')


def of_figure(figure):
    """The chart of a figure, or None."""
    axes = figure.axes
    if not any(one.has_data() for one in axes):
        return None
    state = {'points': 0}
    try:
        count(state, sum(len(one.get_children()) for one in axes))
        charts = [of_axes(one, state) for one in axes]
    except Unfit:
        return None
    title = getattr(figure, '_suptitle', None)
    return shape['together'](charts, title.get_text() if title else '')


def of_axes(axes, state):
    kind = kind_of(axes)
    chart = {'type': kind, 'title': axes.get_title() or None, 'elements': []}
    fill = FILL.get(kind)
    if fill is not None:
        fill(axes, chart, state)
    return chart


# -- what kind of chart ----------------------------------------------------

def kind_of(axes):
    """A chart is of one kind; a mixture of several is unknown."""
    kinds = set()
    for artist in axes.get_children():
        if artist is not axes.patch and not is_beside(artist):
            kinds.add(kind_of_artist(artist))
    kinds.discard(None)
    if 'box_and_whisker' in kinds:
        kinds.discard('line')  # a box is drawn with lines too
    if not kinds:
        return 'line'
    return kinds.pop() if len(kinds) == 1 else 'unknown'


def is_beside(artist):
    """Whether it is none of the data: an axis, a legend, a text."""
    for kind in type(artist).__mro__:
        if kind.__module__.startswith(BESIDE):
            return True
    return False


def kind_of_artist(artist):
    names = {kind.__name__ for kind in type(artist).__mro__
             if kind.__module__.startswith(('matplotlib.', 'mpl_toolkits.'))}
    if 'Line2D' in names:
        return None if is_straight(*data_of(artist)) else 'line'
    if 'PathCollection' in names:
        return 'scatter' if has_offsets(artist) else 'unknown'
    for name, kind in (('Rectangle', 'bar'), ('Wedge', 'pie'),
                       ('PathPatch', 'box_and_whisker')):
        if name in names:
            return kind
    return 'unknown'


def has_offsets(collection):
    """Whether it has a place a point: the lines of a contour have not."""
    identity = sys.modules['matplotlib.transforms'].IdentityTransform
    find = getattr(collection, 'get_offset_transform', None)
    return find is None or not isinstance(find(), identity)


def data_of(line):
    return line.get_xdata(orig=True), line.get_ydata(orig=True)


def is_straight(xs, ys):
    """A line across or down, of two points, is a mark and no data."""
    if len(xs) != 2 or len(ys) != 2:
        return False
    xs, ys = list(xs), list(ys)
    return bool(xs[0] == xs[1]) or bool(ys[0] == ys[1])


def named(label, prefix, name):
    """A name in place of the one that matplotlib made up."""
    if not label.startswith(prefix):
        return label
    number = label[len(prefix):]
    if not number.isdigit():
        raise Unfit
    return '%s %d' % (name, int(number))


# -- axes ------------------------------------------------------------------

def label_axes(axes, chart, is_swapped=False):
    labels = [axes.get_xlabel(), axes.get_ylabel()]
    if is_swapped:
        labels.reverse()
    add_labels(chart, *labels)


def texts_of(axis):
    """The texts at the ticks of an axis."""
    return [label.get_text() for label in axis.get_majorticklabels()]


def add_scales(axes, chart):
    label_axes(axes, chart)
    for name, axis in (('x', axes.xaxis), ('y', axes.yaxis)):
        places, texts = axis.get_majorticklocs(), texts_of(axis)
        scale = scale_of(axis, places, texts)
        if scale == 'datetime':
            dates = sys.modules['matplotlib.dates']
            places = [dates.num2date(place).isoformat() for place in places]
        elif not len(places):
            raise Unfit
        else:
            places = [plain(place) for place in places]
        chart[name + '_ticks'] = places
        chart[name + '_tick_labels'] = texts
        chart[name + '_scale'] = scale


def scale_of(axis, places, texts):
    if is_of_dates(axis):
        return 'datetime'
    scale = axis.get_scale()
    if scale != 'linear':
        return scale
    for index, (place, text) in enumerate(zip(places, texts)):
        # Names are put at 0.0, 1.0, 2.0 and so on.
        if (not isinstance(place, (int, float)) or place != index
                or text == str(index)):
            return 'linear'
    return 'categorical'


def is_of_dates(axis):
    find = getattr(axis, 'get_converter', None)
    converter = find() if find is not None else axis.converter
    return (type(converter).__module__ == 'matplotlib.dates'
            and type(converter).__name__ in (
                '_SwitchableDateConverter', 'DateConverter',
                'ConciseDateConverter'))


def plain(value):
    """A number of numpy as one of Python's."""
    item = getattr(value, 'item', None)
    return item() if item is not None else value


# -- lines and points ------------------------------------------------------

def fill_line(axes, chart, state):
    for line in axes.lines:
        xs, ys = data_of(line)
        if is_straight(xs, ys):
            continue
        count(state, max(len(xs), len(ys)))
        chart['elements'].append({
            'label': named(line.get_label(), '_child', 'Line'),
            'points': [[x, y] for x, y in zip(values_of(xs), values_of(ys))]})
    add_scales(axes, chart)


def fill_scatter(axes, chart, state):
    numpy = sys.modules['numpy']
    for collection in axes.collections:
        offsets = collection.get_offsets()
        count(state, len(offsets))
        points = numpy.ma.filled(numpy.ma.asarray(offsets, dtype=float),
                                 float('nan'))
        chart['elements'].append({'label': collection.get_label(),
                                  'points': points.tolist()})
    add_scales(axes, chart)


def values_of(values):
    """Coordinates as numbers and texts: dates in the form of ISO 8601."""
    numpy = sys.modules['numpy']
    kind = getattr(getattr(values, 'dtype', None), 'kind', None)
    if kind == 'M':
        return numpy.datetime_as_string(values, unit='s').tolist()
    if kind in ('b', 'i', 'u', 'f'):
        return numpy.ma.filled(numpy.ma.asarray(values, dtype=float),
                               float('nan')).tolist()
    return [value_of(value) for value in values]


def value_of(value):
    if isinstance(value, str):
        return str(value)
    if hasattr(value, 'isoformat'):
        return value.isoformat()
    if isinstance(value, sys.modules['numpy'].datetime64):
        return str(value.astype('datetime64[s]'))
    try:
        return float(value)
    except TypeError:
        raise Unfit


# -- bars ------------------------------------------------------------------

def fill_bar(axes, chart, state):
    """Bars take the texts of the axis in turn, as clients know it; those
    that are all of one height lie, and each such group swaps the labels."""
    is_swapped = False
    for container in axes.containers:
        bars = [bar for bar in container if hasattr(bar, 'get_height')]
        count(state, len(bars))
        heights = [plain(bar.get_height()) for bar in bars]
        lies = heights and all(height == heights[0] for height in heights)
        if lies:
            is_swapped = not is_swapped
            heights = [plain(bar.get_width()) for bar in bars]
        texts = texts_of(axes.yaxis if lies else axes.xaxis)
        group = named(container.get_label(), '_container', 'Group')
        chart['elements'] += [
            {'label': text, 'group': group, 'value': float(value)}
            for text, value in zip(texts, heights)]
    label_axes(axes, chart, is_swapped)


# -- slices ----------------------------------------------------------------

def fill_pie(axes, chart, state):
    count(state, len(axes.patches))
    for wedge in axes.patches:
        chart['elements'].append({
            'label': wedge.get_label(),
            'angle': rounded(abs(wedge.theta2 - wedge.theta1)),
            'radius': float(wedge.r)})


def rounded(value):
    """A number without the noise of how it was drawn."""
    value = float(value)
    if not value or not math.isfinite(value):
        return value
    return round(value, max(3, 7 - 2 * math.floor(math.log10(abs(value)))))


# -- boxes -----------------------------------------------------------------

def fill_box(axes, chart, state):
    """Each box with the lines in its width: whiskers, median, points."""
    boxes = [extent(patch.get_path().vertices) for patch in axes.patches]
    lines = [extent(line.get_xydata()) + (len(line.get_xydata()),)
             for line in axes.lines]
    count(state, len(boxes) * (1 + len(lines)))
    lies = all(same(box[1], boxes[0][1]) for box in boxes)
    if lies:
        boxes = [(box[1], box[0]) for box in boxes]
        lines = [(line[1], line[0], line[2]) for line in lines]
    chart['elements'] = [box_of(text, box, lines) for text, box in zip(
        texts_of(axes.xaxis), boxes)]
    for box in boxes:
        box_of('', box, lines)
    label_axes(axes, chart, lies)


def same(left, right):
    """Whether two stretches are equally long."""
    return rounded(left[1] - left[0]) == rounded(right[1] - right[0])


def extent(points):
    """From where to where points reach, in x and y."""
    if not len(points):
        return (math.nan, math.nan), (math.nan, math.nan)
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return tuple((rounded(low[index]), rounded(high[index]))
                 for index in (0, 1))


def box_of(text, box, lines):
    (left, right), (first, third) = box
    made = {'label': text, 'min': None, 'first_quartile': first,
            'median': None, 'third_quartile': third, 'max': None,
            'outliers': []}
    for (start, end), (low, high), size in lines:
        if start < left or end > right or size > 2 or start != start:
            continue
        if size == 1:
            made['outliers'].append(low)
        elif low == high:
            if first <= low <= third:
                made['median'] = low
        elif start == end:
            if low == third:
                made['max'] = high
            elif high == first:
                made['min'] = low
    if None in (made['min'], made['median'], made['max']):
        raise Unfit
    return made


FILL = {'line': fill_line, 'scatter': fill_scatter, 'bar': fill_bar,
        'pie': fill_pie, 'box_and_whisker': fill_box}
