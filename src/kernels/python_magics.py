# The magics themselves: line magics take (shell, line), cell magics
# (shell, line, body). kernel and part are given by the core.
import os
import sys
import time

run_body = part('python_magic')['run_body']
UsageError = part('python_shell')['UsageError']


def duration(seconds):
    for unit, scale in (('s', 1), ('ms', 1e3), ('\u03bcs', 1e6)):
        if seconds * scale >= 1:
            return '%.3g %s' % (seconds * scale, unit)
    return '%.3g ns' % (seconds * 1e9)


def timed(run, code):
    times, started = os.times(), time.perf_counter()
    try:
        return run(code)
    finally:
        wall, now = time.perf_counter() - started, os.times()
        user, system = now[0] - times[0], now[1] - times[1]
        print('CPU times: user %s, sys: %s, total: %s'
              % (duration(user), duration(system), duration(user + system)))
        print('Wall time: ' + duration(wall))


def time_line(shell, line):
    return timed(kernel.run, line)


def time_cell(shell, line, body):
    if not body.strip():
        raise UsageError('%%time is a cell magic, but the cell body is empty. '
                         'Did you mean the line magic %time (single %)?')
    return timed(run_body, body)


def options_of(line, flags='', values='', long=()):
    """The options before the words of a line, and the words."""
    import getopt
    import shlex
    spec = flags + ''.join(name + ':' for name in values)
    try:
        found, words = getopt.getopt(shlex.split(line), spec, long)
    except getopt.GetoptError as error:
        raise UsageError(str(error)) from None
    return {name.lstrip('-'): value for name, value in found}, words


class TimeitResult:
    """What %timeit -o gives."""

    __module__ = 'IPython.core.magics.execution'

    def __init__(self, runs, count):
        self.timings, self.loops, self.repeat = runs, count, len(runs)
        self.best, self.worst = min(runs), max(runs)
        self.all_runs = [taken * count for taken in runs]
        self.average = sum(runs) / len(runs)
        self.stdev = (sum((taken - self.average) ** 2 for taken in runs)
                      / len(runs)) ** 0.5

    def __str__(self):
        return '%s \xb1 %s per loop (mean \xb1 std. dev. of %d run%s, %s' % (
            duration(self.average), duration(self.stdev), self.repeat,
            's'[:self.repeat > 1], '{:,} loop{} each)'.format(
                self.loops, 's'[:self.loops > 1]))

    def __repr__(self):
        return '<TimeitResult : %s>' % self


def timeit_code(line, body=None):
    import re
    import timeit
    match = re.match(r'(?:\s*(?:-[nr]\s*\d+|-[tp]\s*\d*|-[coq]+)(?= |$))*',
                     line)
    options = dict(re.findall(r'-([nr])\s*(\d+)', match.group()))
    letters = ''.join(re.findall(r'-([coq]+)', match.group()))
    rest = line[match.end():].strip()
    setup, code = ('pass', rest) if body is None else (rest or 'pass', body)
    clock = timeit.Timer(code, setup, globals=kernel.scope)
    count = int(options.get('n', 0)) or clock.autorange()[0]
    runs = clock.repeat(int(options.get('r', 7)), count)
    result = TimeitResult([taken / count for taken in runs], count)
    if 'q' not in letters:
        print(result)
    return result if 'o' in letters else None


class RichOutput:
    """A result that was kept instead of being shown."""

    __module__ = 'IPython.utils.capture'

    def __init__(self, values, is_main):
        self.values, self.is_main = values, is_main

    @property
    def data(self):
        names = {short: name for name, short
                 in part('python_display')['NAMES'].items()}
        pairs = zip(self.values[::2], self.values[1::2])
        return {names.get(name.decode(), name.decode()):
                value.decode('utf-8', 'replace') for name, value in pairs}

    def display(self):
        kernel.show(list(self.values))

    _ipython_display_ = display


class CapturedIO:
    """What %%capture kept."""

    __module__ = 'IPython.utils.capture'

    def __init__(self):
        self.stdout = self.stderr = ''
        self.outputs = []

    def show(self):
        sys.stdout.write(self.stdout)
        sys.stderr.write(self.stderr)
        for output in self.outputs:
            output.display()

    __call__ = show

    def __str__(self):
        return self.stdout


def capture(shell, line, body):
    import io
    options, names = options_of(line, long=('no-stdout', 'no-stderr',
                                            'no-display'))
    kept, out, error = CapturedIO(), io.StringIO(), io.StringIO()
    before = sys.stdout, sys.stderr
    if 'no-stdout' not in options:
        sys.stdout = out
    if 'no-stderr' not in options:
        sys.stderr = error
    if 'no-display' not in options:
        kernel.show = lambda values, is_main=False: kept.outputs.append(
            RichOutput(values, is_main))
    remember = kernel.remember
    kernel.remember = lambda value: None
    try:
        value = run_body(body)
        if value is not None:
            kernel.value(value)
        if kernel.figures is not None:
            kernel.figures()
    finally:
        kept.stdout, kept.stderr = out.getvalue(), error.getvalue()
        sys.stdout, sys.stderr = before
        kernel.remember = remember
        vars(kernel).pop('show', None)
        for name in names:
            kernel.scope[name] = kept


def script(program):
    def run(shell, line, body):
        import shlex
        import subprocess
        words, options = program + shlex.split(line), {}
        for name in ('--out', '--err'):
            if name in words:
                at = words.index(name)
                options[name] = words[at + 1]
                del words[at:at + 2]
        careless = '--no-raise-error' in words
        words = [word for word in words if word != '--no-raise-error']
        if options:
            made = subprocess.run(words, input=body.encode(),
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            status = made.returncode
            for name, data, stream in (('--out', made.stdout, sys.stdout),
                                       ('--err', made.stderr, sys.stderr)):
                text = data.decode('utf-8', 'replace')
                if name in options:
                    kernel.scope[options[name]] = text
                else:
                    stream.write(text)
        else:
            status = shell.stream(words, body.encode(), True)
        if status and not careless:
            raise subprocess.CalledProcessError(status, body.encode())
    return run


def environment(shell, line):
    if not line:
        return dict(os.environ)
    name, sign, value = line.partition('=')
    if not sign:
        name, sign, value = line.partition(' ')
    name, value = name.strip(), value.strip()
    if not sign:
        if name not in os.environ:
            raise UsageError('Environment does not have key: ' + name)
        return os.environ[name]
    os.environ[name] = value
    print('env: %s=%s' % (name, value))


def change_directory(shell, line):
    place = os.path.expanduser(line.strip('\'"') or '~')
    before = os.getcwd()
    visited = kernel.scope.setdefault('_dh', [])
    if place == '-' and visited:
        place = visited[-1]
    try:
        os.chdir(place)
    except OSError as error:
        print(error)
    else:
        visited.append(before)
    print(os.getcwd())


def program(name):
    def run(shell, line):
        shell.system(name + ' ' + line)
    return run


def pip(shell, line):
    shell.system(sys.executable + ' -m pip ' + line)
    part('python_import')['look_again']()


def autoawait(shell, line):
    print('IPython autoawait is `on`, and set to use `asyncio`')


def nothing(shell, line, body=''):
    """A magic that is about the looks of a notebook."""


def load_extension(shell, line):
    if line != 'autoreload':
        import importlib
        module = importlib.import_module(line)
        load = getattr(module, 'load_ipython_extension', None)
        if load is None:
            print('The %s module is not an IPython extension.' % line)
        else:
            load(shell)


def matplotlib_backend(shell, line):
    if line in ('', 'inline', 'agg', 'auto', 'notebook', 'widget', 'ipympl'):
        if line != 'agg':
            part('python_figure')['enable']()
        return
    if line not in ('-l', '--list'):
        raise RuntimeError('%r is not a recognised GUI loop or backend name'
                           % line)
    print("Available matplotlib backends: ['agg', 'auto', 'inline']")


def configure(shell, line):
    """%config of the formats of figures, and of what a cell shows."""
    name, _, value = line.partition('=')
    if name.strip() == 'InteractiveShell.ast_node_interactivity':
        import ast
        shell.ast_node_interactivity = ast.literal_eval(value.strip())
    if name.strip() in ('InlineBackend.figure_format',
                        'InlineBackend.figure_formats'):
        import ast
        names = ast.literal_eval(value.strip())
        part('python_figure')['choose_pictures'](
            *([names] if isinstance(names, str) else names))


def write_file(shell, line, body):
    words = line.split()
    append = words[:1] in (['-a'], ['--append'])
    path = line.partition(' ')[2] if append else line
    path = os.path.expanduser(path.strip('\'" '))
    if not path:
        raise UsageError('the following arguments are required: filename')
    exists = os.path.exists(path)
    print(('Appending to ' if append and exists else 'Overwriting '
           if exists else 'Writing ') + path)
    with open(path, 'a' if append else 'w', encoding='utf-8') as file:
        file.write(body)


def run_file(shell, line):
    import shlex
    words = shlex.split(line)
    while words and words[0].startswith('-'):
        words.pop(0)
    if not words:
        raise UsageError('%run: you must provide at least a filename.')
    path = words[0]
    if not os.path.exists(path):
        path = path if path.endswith('.py') else path + '.py'
        if not os.path.exists(path):
            raise Exception('File `%r` not found.' % path)
    with open(path, encoding='utf-8') as file:
        code = compile(file.read(), path, 'exec')
    before, sys.argv = sys.argv, words
    try:
        exec(code, kernel.scope)
    except SystemExit as left:
        if left.code:
            raise
    finally:
        sys.argv = before


def history(shell, line):
    """The cells of the session, or those of a range like 2-4."""
    import re
    numbered = '-n' in line.split()
    first, last = 1, len(kernel.history) - 1
    wanted = re.search(r'(\d+)(?:-(\d+))?', line)
    if wanted:
        first = int(wanted.group(1))
        last = min(last, int(wanted.group(2) or first))
    for number in range(first, last + 1):
        code = kernel.scope.get('_i%d' % number, '')
        print('%4d: %s' % (number, code) if numbered else code)


def precision(shell, line):
    form = line.strip().strip('\'"')
    if form.isdigit():
        form = '%%.%df' % int(form)
    shell.display_formatter.formatters['text/plain'].for_type(
        float, lambda value, printer, cycle: printer.text(
            form % value if form else repr(value)))
    return form or '%r'


def plain_text(shell, line):
    state = part('python_pretty')['state']
    state['pretty'] = not state['pretty'] if not line else (
        line.lower() in ('1', 'on', 'true'))
    print('Pretty printing has been turned '
          + ('ON' if state['pretty'] else 'OFF'))


def error_mode(shell, line):
    print('Exception reporting mode: ' + line.capitalize())


def last_error(shell, line):
    error = getattr(sys, 'last_value', None)
    if error is None:
        print('No traceback available to show.', file=sys.stderr)
    else:
        raise error


def names_of_user():
    hidden = ('In', 'Out')
    return sorted(name for name in kernel.scope
                  if name[0] != '_' and name not in hidden)


def who(shell, line):
    kinds = line.split()
    names = [name for name in names_of_user() if not kinds
             or type(kernel.scope[name]).__name__ in kinds]
    if names:
        print('\t '.join(names) + '\t ')
    else:
        print('No variables match your requested type.' if kinds
              else 'Interactive namespace is empty.')


def whos(shell, line):
    names = names_of_user()
    if not names:
        return print('Interactive namespace is empty.')
    rows = [(name, type(kernel.scope[name]).__name__,
             summary(kernel.scope[name])) for name in names]
    first = max(max(len(row[0]) for row in rows) + 2, 10) + 1
    second = max(max(len(row[1]) for row in rows) + 2, 4 + 3) + 1
    print('Variable'.ljust(first) + 'Type'.ljust(second) + 'Data/Info')
    print('-' * (first + second + 9))
    for name, kind, text in rows:
        print(name.ljust(first) + kind.ljust(second) + text)


def summary(value):
    if isinstance(value, (list, dict, set, tuple)):
        return 'n=%d' % len(value)
    text = str(value).replace('\n', '\\n')
    return text if len(text) < 50 else text[:20] + '<...>' + text[-20:]


def reset(shell, line):
    for name in names_of_user():
        del kernel.scope[name]


def reset_selective(shell, line):
    import re
    for name in names_of_user():
        if re.search(line.replace('-f', '', 1).strip(), name):
            del kernel.scope[name]


def as_format(name):
    def show(shell, line, body):
        import IPython.display
        kernel.display(getattr(IPython.display, name)(body))
    return show


class Magics:
    """What %lsmagic gives."""

    def __repr__(self):
        return '\n'.join((
            'Available line magics:',
            '  '.join('%' + name for name in sorted(LINES)), '',
            'Available cell magics:',
            '  '.join('%%' + name for name in sorted(CELLS)), '',
            'Automagic is ON, % prefix IS NOT needed for line magics.'))


def pages(shell, line):
    shell.help(line.strip('? '))


LINES = {
    'time': time_line, 'env': environment, 'set_env': environment,
    'timeit': lambda shell, line: timeit_code(line),
    'cd': change_directory, 'pwd': lambda shell, line: os.getcwd(),
    'pip': pip, 'autoawait': autoawait, 'run': run_file, 'who': who,
    'whos': whos, 'who_ls': lambda shell, line: names_of_user(),
    'reset': reset, 'reset_selective': reset_selective,
    'lsmagic': lambda shell, line: Magics(),
    'history': history, 'hist': history, 'precision': precision,
    'pprint': plain_text, 'xmode': error_mode, 'tb': last_error,
    'load_ext': load_extension, 'matplotlib': matplotlib_backend,
    'config': configure,
    'pinfo': pages, 'pinfo2': pages, 'pdoc': pages, 'psource': pages,
    'sx': lambda shell, line: shell.getoutput(line),
    'system': lambda shell, line: shell.getoutput(line),
    'ls': program('ls -C -F -w 80'), 'll': program('ls -F -l'),
}
for _name in ('reload_ext', 'autoreload', 'pylab', 'colors', 'gui',
              'unload_ext', 'autosave', 'pdb', 'alias', 'automagic'):
    LINES[_name] = nothing
for _name in ('cat', 'cp', 'mv', 'rm', 'mkdir', 'rmdir', 'conda', 'mamba'):
    LINES[_name] = program(_name)
# Their arguments are expanded as a shell line's are.
EXPANDED = frozenset(('cd', 'env', 'set_env', 'run'))
CELLS = {
    'time': time_cell, 'capture': capture, 'writefile': write_file,
    'file': write_file, 'script': script([]), 'bash': script(['bash']),
    'sh': script(['sh']), 'perl': script(['perl']),
    'ruby': script(['ruby']), 'python': script([sys.executable]),
    'python3': script([sys.executable]),
    'timeit': lambda shell, line, body: timeit_code(line, body),
    'system': lambda shell, line, body: shell.getoutput(body),
    'html': as_format('HTML'), 'HTML': as_format('HTML'),
    'markdown': as_format('Markdown'), 'latex': as_format('Latex'),
    'javascript': as_format('Javascript'), 'js': as_format('Javascript'),
    'svg': as_format('SVG'), 'SVG': as_format('SVG'),
}
