# Values as JSON text, without the 7 ms of the module json. What JSON cannot
# say raises Unsuitable: the value then has no JSON; nor has one with integers
# beyond 64 bits, named tuples or lone surrogates. NaN and the infinities are
# null. All of this is what clients know of the reference.
# kernel and part are given by the core.
from _json import encode_basestring_ascii as quote

DEPTH_MAX = 100
INTEGER_MIN, INTEGER_MAX = -1 << 63, (1 << 64) - 1
SIZE_MAX = 4 << 20  # characters


class Unsuitable(Exception):
    """There is no JSON of this value, or too much of it."""


def text(value):
    pieces, size = [], 0
    for piece in walk(value, 0):
        pieces.append(piece)
        size += len(piece)
        if size > SIZE_MAX:
            kernel.truncated = True
            raise Unsuitable
    return ''.join(pieces)


def string(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unsuitable from None
    return quote(value)


def walk(value, depth):
    if depth > DEPTH_MAX:
        raise Unsuitable
    if value is None:
        yield 'null'
    elif value is True:
        yield 'true'
    elif value is False:
        yield 'false'
    elif isinstance(value, str):
        yield string(str(value))
    elif isinstance(value, int):
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise Unsuitable
        yield int.__repr__(value)
    elif isinstance(value, float):
        yield number(value)
    elif isinstance(value, dict):
        yield from members(value, depth)
    elif isinstance(value, list) or type(value) is tuple:
        before = '['
        for item in value:
            yield before
            yield from walk(item, depth + 1)
            before = ','
        yield '[]' if before == '[' else ']'
    else:
        yield from walk(other(value), depth + 1)


def number(value):
    if value != value or value in (float('inf'), float('-inf')):
        return 'null'
    return float.__repr__(value)


def members(value, depth):
    before = '{'
    for key, item in value.items():
        if not isinstance(key, str):
            key = label(key)
        yield before + string(str(key)) + ':'
        yield from walk(item, depth + 1)
        before = ','
    yield '{}' if before == '{' else '}'


def label(key):
    """A key that is no string, as the text that JSON has in its place."""
    if key is None or isinstance(key, (bool, int, float)):
        return ''.join(walk(key, 0)).strip('"')
    key = other(key)
    if not isinstance(key, (str, bool, int, float)):
        raise Unsuitable
    return key if isinstance(key, str) else label(key)


def other(value):
    """The JSON-like value of a date, an enumeration, a number of numpy."""
    kind = type(value)
    module = kind.__module__
    if module == 'datetime' or module.startswith('pandas'):
        if hasattr(value, 'isoformat') and not hasattr(value, 'days'):
            return value.isoformat()
    if module == 'uuid':
        return str(value)
    if module == 'numpy':
        if value.dtype.kind in 'biuf' and value.size <= SIZE_MAX // 8:
            return value.tolist()
        if value.dtype.kind == 'M' and value.ndim == 0:
            return str(value)
    if hasattr(kind, '__members__') and hasattr(value, 'value'):
        return value.value
    fields = getattr(kind, '__dataclass_fields__', None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    raise Unsuitable
