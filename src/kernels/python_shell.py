# The shell of interactive Python, as far as code asks for it: get_ipython().
# kernel and part are given by the core.
import re
import sys

DOLLAR = re.compile(r"\$(\$?[\w.]+)(?=(?:[^']*'[^']*')*[^']*$)")


class UsageError(Exception):
    """A magic was used wrongly, or there is none of that name."""

    def __init__(self, text):
        super().__init__(text)
        print('UsageError:', text, file=sys.stderr)


UsageError.__module__ = 'IPython.core.error'


class Lines(list):
    """The output of a command: a list of lines that is also text."""

    l = list = property(list)
    n = nlstr = property(lambda self: '\n'.join(self))
    s = spstr = property(lambda self: ' '.join(self))

    @property
    def p(self):
        import pathlib
        return [pathlib.Path(line) for line in self]

    paths = p

    def grep(self, pattern, prune=False, field=None):
        """The lines that match a pattern or please a function."""
        pleases = pattern if callable(pattern) else (
            lambda text: re.search(pattern, text, re.IGNORECASE))
        return Lines(line for line in self if bool(pleases(
            line if field is None else (line.split()[field:field + 1]
                                        or [''])[0])) != prune)

    def fields(self, *numbers):
        """The lines' words of these numbers."""
        rows = [line.split() for line in self]
        if not numbers:
            return rows
        return Lines(' '.join(row[number] for number in numbers
                              if -len(row) <= number < len(row))
                     for row in rows)


Lines.__name__ = Lines.__qualname__ = 'SList'
Lines.__module__ = 'IPython.utils.text'


def expand(text):
    """$name and {expression} of the user's variables, in a shell line; as it
    is when anything in it cannot be evaluated, which is then the shell's."""
    names = dict(kernel.scope)
    frame = sys._getframe(1)
    while frame is not None and '<codecell' in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is not None and frame.f_globals is kernel.scope:
        names.update(frame.f_locals)
    try:
        return ''.join(expanded(text, names))
    except Exception:
        return text


def expanded(text, names):
    from string import Formatter
    for literal, field, form, conversion in Formatter().parse(text):
        at = 0
        for found in DOLLAR.finditer(literal):
            name = found.group(1)
            yield literal[at:found.start()]
            yield name if name[0] == '$' else valued(name, names)
            at = found.end()
        yield literal[at:]
        if field is not None:
            value = eval(field, names)
            if conversion:
                value = {'r': repr, 's': str, 'a': ascii}[conversion](value)
            yield format(value, ''.join(expanded(form, names)))


def valued(name, names):
    """The value of a.b.c, as far as there is one; $name if there is none."""
    first, *others = name.split('.')
    if first not in names:
        return '$' + name
    value = names[first]
    while others and hasattr(value, others[0]):
        value = getattr(value, others.pop(0))
    return '.'.join([str(value)] + others)


class Formatter:
    """What makes one format of a value: for_type adds a class of one's own."""

    def __init__(self, key):
        self.key, self.enabled = key, True

    @property
    def type_printers(self):
        return part('python_display')['printers_of'](self.key)

    def for_type(self, kind, function=None):
        if isinstance(kind, str):
            module, _, name = kind.rpartition('.')
            return self.for_type_by_name(module, name, function)
        if function is None:
            return None
        part('python_display')['add_printer'](self.key, kind, function)

    def for_type_by_name(self, module, name, function=None):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and function is not None:
            self.for_type(kind, function)


class DisplayFormatter:
    def __init__(self):
        names = part('python_display')['NAMES']
        self.formatters = {name: Formatter(key) for name, key in names.items()}

    def format(self, value, include=None, exclude=None):
        display = part('python_display')
        formats = display['bundle'](value, include, exclude)
        return {name: formats[key] for name, key in display['NAMES'].items()
                if key in formats}, {}


class Events:
    """Callbacks at the ends of cells: accepted, never called."""

    def register(self, event, function):
        pass

    unregister = trigger = register


class IPythonKernel:
    """What tells libraries that this is no terminal: that it is there."""

    __module__ = 'ipykernel.ipkernel'


class InteractiveShell:
    """What every shell of IPython is; where cells say what is shown."""

    __module__ = 'IPython.core.interactiveshell'
    ast_node_interactivity = 'last_expr'

    @staticmethod
    def instance(*arguments, **options):
        return kernel.shell

    @staticmethod
    def initialized():
        return True


class ZMQInteractiveShell(InteractiveShell):
    """What get_ipython() returns."""

    config = {}
    colors = 'NoColor'
    kernel = IPythonKernel()
    __module__ = 'ipykernel.zmqshell'

    def __init__(self):
        self.events = Events()
        self.input_transformers_cleanup = []
        self.input_transformers_post = []
        self.ast_transformers = []

    @property
    def user_ns(self):
        return kernel.scope

    user_global_ns = user_ns

    @property
    def execution_count(self):
        return kernel.count

    @property
    def display_formatter(self):
        made = vars(self).get('formatter')
        if made is None:
            made = vars(self)['formatter'] = DisplayFormatter()
        return made

    def system(self, command):
        """Run a shell line; its whole output is output of the cell."""
        kernel.scope['_exit_code'] = self.stream(['/bin/sh', '-c',
                                                  expand(command)])

    system_raw = system_piped = system

    def stream(self, arguments, stdin=None, apart=False):
        import subprocess
        sys.stdout.flush()
        direct = sys.stdout is sys.__stdout__
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE if stdin is not None else None,
            stdout=None if direct else subprocess.PIPE,
            stderr=None if apart else 1 if direct else subprocess.STDOUT)
        output, _ = process.communicate(stdin)
        if output:
            sys.stdout.write(output.decode('utf-8', 'replace'))
        return process.returncode

    def getoutput(self, command, split=True, depth=0):
        import subprocess
        made = subprocess.run(['/bin/sh', '-c', expand(command)],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        kernel.scope['_exit_code'] = made.returncode
        text = made.stdout.decode('utf-8', 'replace')
        return Lines(text.splitlines()) if split else text

    def help(self, name):
        import inspect
        magics = part('python_magics')
        value = magics['CELLS' if name[:2] == '%%' else 'LINES'].get(
            name.lstrip('%')) if name[:1] == '%' else None
        try:
            value = value or eval(name, kernel.scope)
        except Exception:
            print('Object `%s` not found.' % name)
            return
        try:
            signature = str(inspect.signature(value))
        except (TypeError, ValueError):
            signature = ''
        print('%s%s\n%s' % (name, signature, inspect.getdoc(value) or ''))

    def run_line_magic(self, name, line, _stack_depth=1):
        magics = part('python_magics')
        found = magics['LINES'].get(name)
        if found is None:
            text = 'Line magic function `%%%s` not found' % name
            if name in magics['CELLS']:
                text += (' (But cell magic `%%%%%s` exists, did you mean that '
                         'instead?)' % name)
            raise UsageError(text + '.')
        return found(self, expand(line) if name in magics['EXPANDED']
                     else line)

    def run_cell_magic(self, name, line, body):
        magics = part('python_magics')
        found = magics['CELLS'].get(name)
        if found is None:
            text = 'Cell magic `%%%%%s` not found' % name
            if name in magics['LINES']:
                text += (' (But line magic `%%%s` exists, did you mean that '
                         'instead?)' % name)
            raise UsageError(text + '.')
        return found(self, expand(line), body)

    def register_magic_function(self, function, magic_kind='line',
                                magic_name=None):
        """Make a function a magic of the user's."""
        magics = part('python_magics')
        name = magic_name or function.__name__
        if 'line' in magic_kind:
            magics['LINES'][name] = lambda shell, line: function(line)
        if 'cell' in magic_kind:
            magics['CELLS'][name] = (
                lambda shell, line, body: function(line, body))

    def find_magic(self, name, magic_kind='line'):
        return part('python_magics')[
            'CELLS' if magic_kind == 'cell' else 'LINES'].get(name.lstrip('%'))

    def find_line_magic(self, name):
        return self.find_magic(name)

    def find_cell_magic(self, name):
        return self.find_magic(name, 'cell')

    def push(self, variables, interactive=True):
        kernel.scope.update(variables)

    def ev(self, expression):
        return eval(expression, kernel.scope)

    def ex(self, code):
        exec(code, kernel.scope)

    def run_cell(self, code, *arguments, **options):
        value = kernel.run(code)
        if value is not None:
            sys.displayhook(value)

    def enable_gui(self, gui=None):
        pass

    def set_custom_exc(self, kinds, handler):
        pass


kernel.shell = shell = ZMQInteractiveShell()
