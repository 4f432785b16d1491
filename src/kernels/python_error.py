# Errors as text: what traceback.format_exception says, with the frames of the
# kernel left out and the lines of cells shown, without its 10 ms of imports.
# kernel and part are given by the core.
import sys

FRAMES_MAX = 60  # of one traceback: half of them from its start
CHAIN_MAX = 20  # exceptions that were the cause or context of another
GROUP_MAX = 15  # members of an exception group
LINE_MAX = 2000  # characters of a source line

CAUSE = ('\nThe above exception was the direct cause of the following '
         'exception:\n\n')
CONTEXT = ('\nDuring handling of the above exception, another exception '
           'occurred:\n\n')


def describe(error):
    """The parts of an ERROR frame; also what sys.last_value is for."""
    sys.last_type, sys.last_value = type(error), error
    sys.last_exc, sys.last_traceback = error, error.__traceback__
    if isinstance(error, SyntaxError) and not error.filename:
        error.filename = '<string>'  # which then is in its text, as clients know
    if isinstance(error, ModuleNotFoundError):
        part('python_import')['look_again']()
    try:
        value = str(error)
    except BaseException as worse:
        # The reference reports the failure of the report.
        error, value = worse, text_of(worse)
    place = line_of(error)
    encode = kernel.encode
    top = kernel.complaint_line and error
    values = [b'name', encode(type(error).__name__), b'value', encode(value),
              b'traceback', encode(''.join(render(error, top=top)))]
    if place:
        values += [b'line', b'%d' % place]
    return values


def text_of(error):
    try:
        return str(error)
    except BaseException:
        return '<exception str() failed>'


def title(error):
    """The last line: name of the class and text."""
    kind = type(error)
    name, text = kind.__qualname__, text_of(error)
    if kind.__module__ not in ('__main__', 'builtins'):
        name = '%s.%s' % (kind.__module__, name)
    return name + ': ' + text if text else name


def line_of(error):
    """The line of the running cell that the error is about."""
    if isinstance(error, SyntaxError) and error.filename == kernel.file_name:
        return error.lineno
    line = kernel.complaint_line or None
    for frame, number in frames_of(error):
        if frame.f_code.co_filename == kernel.file_name:
            line = number
    return line


def frames_of(error):
    """(frame, line) of each call that is the user's or a library's: not the
    kernel's, nor the event loop's between the kernel and a cell."""
    trace, outside = error.__traceback__, True
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        outside = outside and ('/asyncio/' in name or '<codecell' in name)
        if not outside and not name.startswith('<codecell'):
            yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def render(error, seen=None, margin='', top=None):
    """The lines of the error and of what led to it; `top` was raised at
    showing a value of the cell, the line of which is not in its traceback."""
    seen = set() if seen is None else seen
    seen.add(id(error))
    before, note = error.__cause__, CAUSE
    if before is None and not error.__suppress_context__:
        before, note = error.__context__, CONTEXT
    if (before is not None and id(before) not in seen
            and len(seen) < CHAIN_MAX):
        yield from render(before, seen, margin)
        yield indent(note, margin)
    text = []
    if error.__traceback__ is not None:
        text.append('Traceback (most recent call last):\n')
        if error is top:
            text.append(call_text(kernel.file_name, kernel.complaint_line))
        text.extend(stack(error))
    if isinstance(error, SyntaxError):
        text.extend(syntax(error))
    else:
        text.append(title(error) + '\n')
    notes = getattr(error, '__notes__', None)
    if isinstance(notes, (list, tuple)):
        text.extend('%s\n' % (note,) for note in notes)
    yield indent(''.join(text), margin)
    members = getattr(error, 'exceptions', None)
    if isinstance(members, tuple) and hasattr(error, 'derive'):
        for number, member in enumerate(members[:GROUP_MAX], 1):
            yield '%s  +---------------- %d ----------------\n' % (margin,
                                                                  number)
            yield from render(member, seen, margin + '    ')
        if len(members) > GROUP_MAX:
            yield '%s  and %d more exceptions\n' % (
                margin, len(members) - GROUP_MAX)


def indent(text, margin):
    if not margin:
        return text
    return ''.join(margin + line for line in text.splitlines(True))


def stack(error):
    entries, last, repeated = [], None, 0
    for frame, number in frames_of(error):
        key = frame.f_code, number
        repeated = repeated + 1 if key == last else 0
        last = key
        if repeated < 3:
            entries.append([frame, number, 0])
        else:
            entries[-1][2] += 1
    positions = positions_of(error)
    cut = len(entries) - FRAMES_MAX
    for index, (frame, number, more) in enumerate(entries):
        if cut > 0 and FRAMES_MAX // 2 <= index < FRAMES_MAX // 2 + cut:
            if index == FRAMES_MAX // 2:
                yield '  ... %d frames are left out ...\n' % cut
            continue
        yield from call(frame, number, positions)
        if more:
            yield '  [Previous line repeated %d more times]\n' % more


def positions_of(error):
    """Columns of each call, where the interpreter (3.11) knows them."""
    found = {}
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if hasattr(code, 'co_positions') and trace.tb_lasti >= 0:
            for index, position in enumerate(code.co_positions()):
                if index == trace.tb_lasti // 2:
                    found[id(trace.tb_frame), trace.tb_lineno] = position
                    break
        trace = trace.tb_next
        if len(found) > FRAMES_MAX:
            break
    return found


def call_text(name, number, function='<module>'):
    line = source_line(name, number).strip()[:LINE_MAX]
    return '  File "%s", line %d, in %s\n%s' % (
        name, number, function, line and '    %s\n' % line)


def call(frame, number, positions):
    code = frame.f_code
    yield call_text(code.co_filename, number, code.co_name)
    line = source_line(code.co_filename, number)
    shown = line.strip()[:LINE_MAX]
    if not shown:
        return
    position = positions.get((id(frame), number))
    if position is None or None in position or position[1] != number:
        return
    left = len(line) - len(line.lstrip())
    first = width(line, position[2]) - left
    last = width(line, position[3]) - left
    if first >= 0 and not (first == 0 and last >= len(shown)):
        yield '    %s%s\n' % (' ' * first, '^' * max(1, last - first))


def width(line, offset):
    """Characters in the first `offset` bytes of a line."""
    return len(line.encode('utf-8', 'replace')[:offset].decode('utf-8',
                                                               'replace'))


def source_line(name, number, files={}):
    lines = files.get(name)
    if lines is None:
        source = kernel.sources.get(name)
        if source is None:
            lines = read_lines(name)
        else:
            lines = source.splitlines()
            if source.count('\n') + 1 < len(lines):
                # Only what ends a line for the compiler may end it here.
                lines = source.replace('\r\n', '\n').replace(
                    '\r', '\n').split('\n')
        files.clear()  # the lines of one file at a time are enough
        files[name] = lines
    return lines[number - 1] if 0 < number <= len(lines) else ''


def read_lines(name):
    if name.startswith('<'):
        return []
    try:
        with open(name, encoding='utf-8', errors='replace') as file:
            return file.read(4 << 20).split('\n')
    except (OSError, ValueError):
        return []


def syntax(error):
    """The place of a syntax error: file, line, and a caret."""
    if error.lineno is not None:
        yield '  File "%s", line %s\n' % (error.filename or '<string>',
                                          error.lineno)
    line = error.text
    if not isinstance(line, str) and isinstance(error.lineno, int):
        line = source_line(str(error.filename), error.lineno)
    if line and line.strip():
        line = line.rstrip('\n')
        shown = line.lstrip(' \n\f\t')
        yield '    %s\n' % shown[:LINE_MAX]
        if isinstance(error.offset, int) and error.offset > 0:
            first = error.offset - 1 - (len(line) - len(shown))
            last = getattr(error, 'end_offset', None)
            size = 1
            if (isinstance(last, int) and last > error.offset
                    and getattr(error, 'end_lineno', None) == error.lineno):
                size = last - error.offset
            if first >= 0:
                yield '    %s%s\n' % (
                    ''.join(sign if sign == '\t' else ' '
                            for sign in shown[:first]).ljust(first),
                    '^' * min(size, LINE_MAX))
    kind = type(error)
    yield '%s: %s\n' % (kind.__qualname__, error.msg or '<no detail available>')
