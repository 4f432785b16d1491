# Values as JSON text, without the 7 ms of the module json. What JSON cannot
# say raises Unsuitable: the value then has no JSON; nor has one with integers
# beyond 64 bits, named tuples or lone surrogates. All of this is what clients
# know of the reference; but NaN and the infinities are strings here, as in
# every other JSON of the library.
# kernel and part are given by the core.
from _json import encode_basestring_ascii as quote

DEPTH_MAX = 100
OF_64_BITS = -1 << 63, (1 << 64) - 1
SIZE_MAX = 4 << 20  # characters
NOT_FINITE = {'nan': '"NaN"', 'inf': '"Infinity"', '-inf': '"-Infinity"'}


class Unsuitable(Exception):
    """There is no JSON of this value, or too much of it."""


def text(value, integers=None):
    """The JSON of a value; `integers`: the least and the greatest of it."""
    writer = Writer(integers)
    writer.write(value, 0)
    return ''.join(writer.pieces)


def string(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unsuitable from None
    return quote(value)


class Writer:
    def __init__(self, integers):
        self.pieces, self.left, self.integers = [], SIZE_MAX, integers

    def add(self, piece):
        self.left -= len(piece)
        if self.left < 0:
            kernel.truncated = True
            raise Unsuitable
        self.pieces.append(piece)

    def write(self, value, depth):
        if depth > DEPTH_MAX:
            raise Unsuitable
        simple = scalar(value, self.integers)
        if simple is not None:
            self.add(simple)
        elif isinstance(value, dict):
            before = '{'
            for key, item in dict.items(value):
                self.add(before + string(
                    str.__str__(key) if isinstance(key, str) else label(key))
                    + ':')
                self.write(item, depth + 1)
                before = ','
            self.add('{}' if before == '{' else '}')
        elif isinstance(value, list) or type(value) is tuple:
            before = '['
            for item in (list if isinstance(value, list) else tuple
                         ).__iter__(value):
                self.add(before)
                self.write(item, depth + 1)
                before = ','
            self.add('[]' if before == '[' else ']')
        else:
            self.write(other(value), depth + 1)


def scalar(value, integers=None):
    """The text of what has no parts; None for the others."""
    if value is None:
        return 'null'
    if value is True or value is False:
        return 'true' if value else 'false'
    if isinstance(value, str):
        return string(str.__str__(value))
    if isinstance(value, int):
        if integers and not integers[0] <= int(value) <= integers[1]:
            raise Unsuitable
        return int.__repr__(value)
    if isinstance(value, float):
        return NOT_FINITE.get(float.__repr__(value)) or float.__repr__(value)
    return None


def label(key):
    """A key that is no string, as the text that JSON has in its place."""
    if key is None or isinstance(key, (bool, int, float)):
        return scalar(key).strip('"')
    key = other(key)
    if not isinstance(key, (str, bool, int, float)):
        raise Unsuitable
    return key if isinstance(key, str) else label(key)


def other(value):
    """The JSON-like value of a date, an enumeration, a number of numpy."""
    kind = type(value)
    module = kind.__module__
    if module == 'datetime' and hasattr(value, 'isoformat'):
        return value.isoformat()
    if module == 'uuid':
        return str(value)
    if module == 'numpy':
        if value.dtype.kind in 'biuf' and value.size <= SIZE_MAX // 8:
            return value.tolist()
        if value.dtype.kind == 'M' and value.ndim == 0:
            moment = value.astype('datetime64[us]').item()
            return moment and moment.isoformat()
    if hasattr(kind, '__members__') and hasattr(value, 'value'):
        return value.value
    fields = getattr(kind, '__dataclass_fields__', None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    raise Unsuitable
