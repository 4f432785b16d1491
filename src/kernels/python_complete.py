# What the name before the cursor may become: its own request, so that asking
# leaves no trace among the cells.
# kernel and part are given by the core.
import builtins
import keyword
import sys

MOST = 500  # names of an answer
LOOKED_AT = 20000  # names of one object
core = part.__globals__


def serve(request, values):
    """Answer with the names, with "\\n" between."""
    kernel.request = request
    text = dict(values).get(b'code', b'').decode('utf-8', 'replace')
    found = []
    failure = kernel.guarded(lambda: found.extend(complete(text)))
    if failure is None and found:
        names = '\n'.join(found).encode('utf-8', 'replace')
        kernel.send(core['pack'](core['RESULT'], request,
                                 [b'text', names, b'main', b'1']))
    kernel.finish()


def complete(text):
    line = text.rpartition('\n')[2]
    start = len(line)
    while start and (line[start - 1].isidentifier()
                     or line[start - 1].isdigit() or line[start - 1] == '.'):
        start -= 1
    word = line[start:]
    before = line[:start].split()
    if before[:1] == ['import'] or before[:1] == ['from'] and len(before) == 1:
        return modules(word)
    if before[:1] == ['from'] and len(before) > 2 and before[2] == 'import':
        return members(sys.modules.get(before[1]), '', word)
    owner, dot, last = word.rpartition('.')
    if dot:
        return members(resolve(owner), owner + '.', last) if owner else []
    names = set(kernel.scope) | set(vars(builtins)) | set(keyword.kwlist)
    return choose(names, '', word)


def resolve(path):
    """What a path of names stands for; nothing is called to know it but the
    attributes themselves."""
    first, *rest = path.split('.')
    value = kernel.scope[first] if first in kernel.scope else getattr(
        builtins, first)
    for name in rest:
        value = getattr(value, name)
    return value


def members(value, before, start):
    return choose(dir(value)[:LOOKED_AT] if value is not None else [],
                  before, start)


def modules(start):
    owner, dot, last = start.rpartition('.')
    if dot:
        return members(sys.modules.get(owner), owner + '.', last)
    import pkgutil
    names = set(sys.builtin_module_names)
    for found in pkgutil.iter_modules():
        names.add(found.name)
        if len(names) > LOOKED_AT:
            break
    return choose(names, '', start)


def choose(names, before, start):
    """Names of one's own are shown to who has typed the underscore."""
    hidden = not start.startswith('_')
    found = sorted(name for name in names if isinstance(name, str)
                   and name.startswith(start) and name.isidentifier()
                   and not (hidden and name.startswith('_')))
    return [before + name for name in found[:MOST]]
