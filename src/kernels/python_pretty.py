# Values as text: like repr, but containers that are too wide for a line are
# laid out one item a line, classes and functions go by their names, and the
# result is bounded. The rules are those of interactive Python, for clients
# know its texts.
#
# A layout is a tree of groups. A group that does not fit in the line breaks
# at all of its own breaks; groups inside decide for themselves.
# kernel and part are given by the core.
import sys

WIDTH = 79
DEPTH_MAX = 250
PIECES_MAX = 1000000
BREAK = object()


state = {'pretty': True}  # what %pprint changes


class Full(Exception):
    """The text has reached its bound."""


class Group:
    __slots__ = ('indent', 'items', 'width')

    def __init__(self, indent=0):
        self.indent = indent
        self.items = []  # texts, BREAK, newlines as '\n', and groups
        self.width = 0  # on one line


class Printer:
    """What _repr_pretty_(printer, cycle) of an object talks to."""

    max_width = WIDTH
    max_seq_length = 0
    verbose = False

    def __init__(self):
        self.root = Group()
        self.open = [self.root]
        self.size = self.pieces = 0
        self.stack = []

    def text(self, text):
        text = str(text)
        self.size += len(text)
        self.pieces += 1
        if self.size > kernel.text_max or self.pieces > PIECES_MAX:
            self.add(text[:kernel.text_max], len(text))
            raise Full
        self.add(text, len(text))

    def add(self, item, width):
        group = self.open[-1]
        group.items.append(item)
        group.width += width  # and its groups' around it, when it ends

    def breakable(self, separator=' '):
        self.add((BREAK, separator), len(separator))

    def break_(self):
        self.add('\n', WIDTH + 1)  # cannot be on one line

    def begin_group(self, indent=0, start=''):
        if start:
            self.text(start)
        group = Group(indent)
        self.add(group, 0)
        self.open.append(group)

    def end_group(self, indent=0, end=''):
        if len(self.open) > 1:
            width = self.open.pop().width
            self.open[-1].width += width
        if end:
            self.text(end)

    def group(self, indent=0, start='', end=''):
        return Around(self, indent, start, end)

    def indent(self, indent):
        return Around(self, indent, '', '')

    def pretty(self, value):
        if id(value) in self.stack or len(self.stack) > DEPTH_MAX:
            cycle = id(value) in self.stack
        else:
            cycle = False
        kind = type(value)
        self.stack.append(id(value))
        try:
            if len(self.stack) > DEPTH_MAX:
                self.text('...')
                return
            printer = printer_of(value, kind)
            printer(value, self, cycle)
        finally:
            self.stack.pop()

    def lines(self, text):
        for index, line in enumerate(text.splitlines() or ['']):
            if index:
                self.break_()
            self.text(line)


class Around:
    def __init__(self, printer, indent, start, end):
        self.printer, self.indent = printer, indent
        self.start, self.end = start, end

    def __enter__(self):
        self.printer.begin_group(self.indent, self.start)

    def __exit__(self, *error):
        self.printer.end_group(self.indent, self.end)


def printer_of(value, kind):
    """The function that knows this kind of value."""
    for base in kind.__mro__:
        found = PRINTERS.get(base)
        if found is None:
            found = LATER.get((base.__module__, base.__name__))
        if found is not None:
            return found
        names = base.__dict__
        if '_repr_pretty_' in names and callable(
                getattr(kind, '_repr_pretty_')):
            return lambda value, printer, cycle: value._repr_pretty_(
                printer, cycle)
        if base is not object and callable(names.get('__repr__')):
            return by_repr
    return by_default


def by_repr(value, printer, cycle):
    printer.lines(repr(value))


def by_default(value, printer, cycle):
    kind = type(value)
    printer.text('<%s at 0x%x>' % (name_of(kind), id(value)))


def name_of(kind):
    module = kind.__module__
    name = kind.__qualname__
    if not isinstance(module, str) or module in ('builtins', 'exceptions'):
        return name
    return module + '.' + name


def sequence(start, end, basis):
    def show(value, printer, cycle):
        own = type(value).__repr__
        if own is not basis.__repr__:
            return printer.lines(own(value))
        if cycle:
            return printer.text(start + '...' + end)
        printer.begin_group(len(start), start)
        items(value, printer)
        if len(value) == 1 and basis is tuple:
            printer.text(',')
        printer.end_group(len(start), end)
    return show


def items(values, printer):
    for index, value in enumerate(values):
        if index:
            printer.text(',')
            printer.breakable()
        printer.pretty(value)


def unordered(basis):
    def show(value, printer, cycle):
        own = type(value).__repr__
        if own is not basis.__repr__:
            return printer.lines(own(value))
        name = '' if basis is set else basis.__name__ + '('
        close = ')' if name else ''
        if cycle:
            return printer.text(name + '{...}' + close)
        if not value:
            return printer.text(type(value).__name__ + '()')
        printer.begin_group(len(name) + 1, name + '{')
        try:
            members = sorted(value)
        except Exception:
            members = value  # they have no order
        items(members, printer)
        printer.end_group(len(name) + 1, '}' + close)
    return show


def mapping(basis, start='{', end='}'):
    def show(value, printer, cycle):
        own = type(value).__repr__
        if own is not basis.__repr__:
            return printer.lines(own(value))
        if cycle:
            return printer.text('{...}')
        printer.begin_group(len(start), start)
        for index, (key, item) in enumerate(value.items()):
            if index:
                printer.text(',')
                printer.breakable()
            printer.pretty(key)
            printer.text(': ')
            printer.pretty(item)
        printer.end_group(len(start), end)
    return show


def named(arguments, given=None):
    """Name(argument, ...), the arguments being values or (name, value)."""
    def show(value, printer, cycle):
        name = (given or type(value).__name__) + '('
        if cycle:
            return printer.text(name + '...)')
        printer.begin_group(len(name), name)
        for index, argument in enumerate(arguments(value)):
            if index:
                printer.text(',')
                printer.breakable()
            label, argument = argument
            if label:
                printer.text(label + '=')
            printer.pretty(argument)
        printer.end_group(len(name), ')')
    return show


def deque_arguments(value):
    yield None, list(value)
    if value.maxlen is not None:
        yield 'maxlen', value.maxlen


def show_pattern(value, printer, cycle):
    import re
    pattern = 'r' + repr(value.pattern).replace('\\\\', '\\')
    printer.begin_group(len('re.compile('), 're.compile(')
    printer.text(pattern)
    flags = ['re.' + name for name in FLAGS if value.flags & getattr(re, name)]
    if flags:
        printer.text(',')
        printer.breakable()
        printer.text('|'.join(flags))
    printer.end_group(len('re.compile('), ')')


def show_exception(value, printer, cycle):
    if type(value).__repr__ is not BaseException.__repr__:
        return printer.lines(repr(value))
    name = name_of(type(value))
    printer.begin_group(len(name) + 1, name + '(')
    items(getattr(value, 'args', ()), printer)
    printer.end_group(len(name) + 1, ')')


def show_class(value, printer, cycle):
    # A metaclass with a representation of its own speaks for its classes.
    for base in type(value).__mro__:
        if base is type:
            break
        if '__repr__' in base.__dict__:
            return printer.lines(repr(value))
    printer.text(name_of(value))


def show_function(value, printer, cycle):
    name = getattr(value, '__qualname__', value.__name__)
    if value.__module__ not in (None, '', 'builtins', 'exceptions'):
        name = value.__module__ + '.' + name
    import inspect
    try:
        name += str(inspect.signature(value))
    except (ValueError, TypeError):
        pass
    printer.text('<function %s>' % name)


def show_super(value, printer, cycle):
    printer.begin_group(8, '<super: ')
    printer.pretty(value.__thisclass__)
    printer.text(',')
    printer.breakable()
    printer.pretty(value.__self__)
    printer.end_group(8, '>')


FLAGS = ('IGNORECASE', 'LOCALE', 'MULTILINE', 'DOTALL', 'UNICODE', 'VERBOSE',
         'DEBUG')
PRINTERS = {
    int: by_repr, float: by_repr, str: by_repr, bytes: by_repr,
    list: sequence('[', ']', list), tuple: sequence('(', ')', tuple),
    set: unordered(set), frozenset: unordered(frozenset),
    dict: mapping(dict), type(type.__dict__): mapping(
        type(type.__dict__), 'mappingproxy({', '})'),
    type: show_class, type(printer_of): show_function, type(len):
    show_function, BaseException: show_exception, super: show_super,
    range: by_repr, slice: by_repr, type(sys.implementation): named(
        lambda value: sorted(vars(value).items()), 'namespace'),
}
# Kinds whose modules may not be loaded.
LATER = {
    ('collections', 'OrderedDict'): named(
        lambda value: [(None, list(value.items()))] if value else []),
    ('collections', 'defaultdict'): named(
        lambda value: [(None, value.default_factory), (None, dict(value))]),
    ('collections', 'Counter'): named(
        lambda value: [(None, dict(value.most_common()))] if value else []),
    ('collections', 'deque'): named(deque_arguments),
    ('collections', 'UserList'): named(lambda value: [(None, value.data)]),
    ('re', 'Pattern'): show_pattern,
}


def fits(group, left, trailing):
    return group.width + trailing <= left


def render(group):
    """The text of a layout."""
    out, column, size = [], 0, 0
    # (items, position, indent, broken, width that must follow on the line)
    work = [(group.items, 0, 0, group.width > WIDTH, 0)]
    while work:
        items, at, indent, broken, trailing = work.pop()
        while at < len(items) and size < kernel.text_max:
            item = items[at]
            at += 1
            size += 1
            if isinstance(item, Group):
                after = follows(items, at, trailing)
                inner = column + item.width + after > WIDTH
                work.append((items, at, indent, broken, trailing))
                work.append((item.items, 0,
                             indent + item.indent, inner, after))
                break
            if isinstance(item, tuple):
                if broken:
                    out.append('\n' + ' ' * indent)
                    column = indent
                    size += indent
                else:
                    out.append(item[1])
                    column += len(item[1])
            elif item == '\n':
                out.append('\n' + ' ' * indent)
                column = indent
            else:
                out.append(item)
                column += len(item)
    return ''.join(out)


def follows(items, at, trailing):
    """Width of what comes after a group before the line can end."""
    width = 0
    for item in items[at:at + 3]:
        if isinstance(item, tuple) or item == '\n':
            return width
        if isinstance(item, Group):
            return width
        width += len(item)
    return width + trailing if at + 3 >= len(items) else width


def pretty(value):
    if not state['pretty']:
        return repr(value)
    printer = Printer()
    try:
        printer.pretty(value)
        return render(printer.root)
    except Full:
        kernel.truncated = True
        while len(printer.open) > 1:
            printer.end_group()
        return render(printer.root) + '... [cut: the text is longer]'
