# What the charts of every library have in common: their shapes, as clients of
# E2B know them. kernel and part are given by the core.
import sys

POINTS_MAX = 50000  # points, bars and slices of a figure


class Unfit(Exception):
    """There is no chart in what was drawn."""


def count(state, number):
    """So many points more: too many of them are no chart."""
    state['points'] += number
    if state['points'] > POINTS_MAX:
        kernel.truncated = True
        print('[the chart of a figure is left out: it has more than %d points]'
              % POINTS_MAX, file=sys.stderr)
        raise Unfit


def together(charts, title):
    """One chart, or several as one."""
    if len(charts) == 1:
        return charts[0]
    return {'type': 'superchart', 'title': title, 'elements': charts}


def unknown(title):
    return {'type': 'unknown', 'title': title or None, 'elements': []}


def add_labels(chart, x_label, y_label):
    """What the axes are called, and the unit in brackets in that."""
    for name, label in (('x', x_label), ('y', y_label)):
        chart[name + '_label'] = label or None
        chart[name + '_unit'] = unit_of(label or '')


def unit_of(label):
    """`Time (s)` and `Time [s]` are in s."""
    import re
    found = re.search(r'\s\((.*?)\)|\[(.*?)\]', label)
    return found and (found.group(1) or found.group(2))


def add_scale(chart, name, scale, places=(), texts=()):
    chart[name + '_ticks'] = list(places)
    chart[name + '_tick_labels'] = list(texts)
    chart[name + '_scale'] = scale


def scale_of(values):
    """The scale that fits values of which nothing else is known."""
    import re
    texts = [value for value in values if isinstance(value, str)]
    if not texts:
        return 'linear'
    date = re.compile(r'\d{4}-\d\d(-\d\d([T ]\d\d:\d\d.*)?)?$')
    if all(date.match(text) for text in texts):
        return 'datetime'
    return 'categorical'


def number(value):
    """A number, or None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return None if value != value else value


def box(label, values, at=lambda size, share: (size - 1) * share):
    """A box with whiskers, from the values in it; `at` says where a share of
    so many sorted values is."""
    values = sorted(value for value in map(number, values)
                    if value is not None)
    if not values:
        raise Unfit
    first, median, third = [
        between(values, at(len(values), share)) for share in (.25, .5, .75)]
    reach = 1.5 * (third - first)
    inside = [value for value in values
              if first - reach <= value <= third + reach] or [median]
    return {'label': label, 'min': min(inside[0], first),
            'first_quartile': first, 'median': median,
            'third_quartile': third, 'max': max(inside[-1], third),
            'outliers': [value for value in values
                         if value < first - reach or value > third + reach]}


def between(values, place):
    """The value at a place between two of them."""
    place = min(max(place, 0), len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
