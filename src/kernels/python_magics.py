# The magics themselves: line magics take (shell, line), cell magics
# (shell, line, body). kernel and part are given by the core.
import os
import sys
import time

run_body = part('python_magic')['run_body']


def report(times, started):
    now = os.times()
    user, system = now[0] - times[0], now[1] - times[1]
    print('CPU times: user %.3g s, sys: %.3g s, total: %.3g s'
          % (user, system, user + system))
    print('Wall time: %.3g s' % (time.perf_counter() - started))


def timed(run, code):
    times, started = os.times(), time.perf_counter()
    value = run(code)
    report(times, started)
    return value


def time_line(shell, line):
    return timed(kernel.run, line)


def time_cell(shell, line, body):
    return timed(run_body, body)


def timeit_code(setup, code):
    import timeit
    clock = timeit.Timer(code, setup, globals=kernel.scope)
    count, _ = clock.autorange()
    runs = [taken / count for taken in clock.repeat(5, count)]
    best = min(runs)
    for unit, scale in (('s', 1), ('ms', 1e3), ('us', 1e6), ('ns', 1e9)):
        if best * scale >= 1:
            break
    print('%.3g %s per loop (best of %d runs, %d loops each)'
          % (best * scale, unit, len(runs), count))


def without_options(line):
    words = line.split(' ')
    while words and words[0].startswith('-'):
        words.pop(0)
    return ' '.join(words)


class Captured:
    """What %%capture kept."""

    def __init__(self):
        self.stdout = self.stderr = ''
        self.outputs = []

    def show(self):
        sys.stdout.write(self.stdout)
        sys.stderr.write(self.stderr)

    def __str__(self):
        return self.stdout


def capture(shell, line, body):
    import io
    kept = Captured()
    name = without_options(line).strip()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    kernel.show = lambda values, is_main=False: kept.outputs.append(values)
    try:
        run_body(body)
        if kernel.figures is not None:
            kernel.figures()
    finally:
        kept.stdout = sys.stdout.getvalue()
        kept.stderr = sys.stderr.getvalue()
        sys.stdout, sys.stderr = before
        del kernel.show
        if name:
            kernel.scope[name] = kept


def script(program):
    def run(shell, line, body):
        import subprocess
        arguments = program + line.split() if program else line.split()
        status = shell.stream(arguments, body.encode(), True)
        if status:
            raise subprocess.CalledProcessError(status, arguments)
    return run


def environment(shell, line):
    if not line:
        return dict(os.environ)
    name, sign, value = line.partition('=')
    if not sign:
        name, sign, value = line.partition(' ')
    name, value = name.strip(), value.strip()
    if not sign:
        return os.environ.get(name)
    os.environ[name] = value
    print('env: %s=%s' % (name, value))


def change_directory(shell, line):
    os.chdir(os.path.expanduser(line.strip('\'"') or '~'))
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


def write_file(shell, line, body):
    append = line.startswith('-a ')
    path = os.path.expanduser(line[3:] if append else line).strip('\'" ')
    print(('Appending to ' if append else 'Overwriting '
           if os.path.exists(path) else 'Writing ') + path)
    with open(path, 'a' if append else 'w', encoding='utf-8') as file:
        file.write(body)


def run_file(shell, line):
    import shlex
    words = shlex.split(without_options(line))
    with open(words[0], encoding='utf-8') as file:
        code = compile(file.read(), words[0], 'exec')
    before, sys.argv = sys.argv, words
    try:
        exec(code, kernel.scope)
    finally:
        sys.argv = before


def names_of_user():
    hidden = ('In', 'Out')
    return sorted(name for name in kernel.scope
                  if name[0] != '_' and name not in hidden)


def who(shell, line):
    names = names_of_user()
    print('\t '.join(names) if names else 'Interactive namespace is empty.')


def reset(shell, line):
    for name in names_of_user():
        del kernel.scope[name]


def as_format(name):
    def show(shell, line, body):
        kernel.show([name.encode(), kernel.encode(body)])
    return show


def list_magics(shell, line):
    print('  '.join('%' + name for name in sorted(LINES)))
    print('  '.join('%%' + name for name in sorted(CELLS)))


LINES = {
    'time': time_line, 'env': environment, 'set_env': environment,
    'timeit': lambda shell, line: timeit_code('pass', without_options(line)),
    'cd': change_directory, 'pwd': lambda shell, line: os.getcwd(),
    'pip': pip, 'autoawait': autoawait, 'run': run_file, 'who': who,
    'whos': who, 'who_ls': lambda shell, line: names_of_user(),
    'reset': reset, 'lsmagic': list_magics,
    'sx': lambda shell, line: shell.getoutput(line),
    'system': lambda shell, line: shell.getoutput(line),
}
for _name in ('matplotlib', 'load_ext', 'reload_ext', 'autoreload', 'config',
              'precision', 'pylab', 'colors', 'xmode', 'pprint', 'gui',
              'unload_ext', 'autosave', 'pdb', 'alias'):
    LINES[_name] = nothing
for _name in ('ls', 'cat', 'cp', 'mv', 'rm', 'mkdir', 'rmdir', 'conda',
              'mamba'):
    LINES[_name] = program(_name)
# Their arguments are expanded as a shell line's are.
EXPANDED = frozenset(('cd', 'pip', 'env', 'set_env', 'run'))
CELLS = {
    'time': time_cell, 'capture': capture, 'writefile': write_file,
    'file': write_file, 'script': script([]), 'bash': script(['bash']),
    'sh': script(['sh']), 'perl': script(['perl']),
    'ruby': script(['ruby']), 'python': script([sys.executable]),
    'python3': script([sys.executable]),
    'timeit': lambda shell, line, body: timeit_code(line or 'pass', body),
    'html': as_format('html'), 'HTML': as_format('html'),
    'markdown': as_format('markdown'), 'latex': as_format('latex'),
    'javascript': as_format('javascript'), 'js': as_format('javascript'),
    'svg': as_format('svg'), 'SVG': as_format('svg'),
}
