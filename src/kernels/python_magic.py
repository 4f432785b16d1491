# Cells that are more than Python: magics (%name, %%name), shell lines (!),
# help (?), and what pasted code brings along. Loaded when a cell does not
# compile as it is. kernel and part are given by the core.
import sys

MAGICS_MAX = 500  # of one cell


def future_flags(code):
    import __future__
    mask = 0
    for name in __future__.all_feature_names:
        mask |= getattr(__future__, name).compiler_flag
    return code.co_flags & mask


def dedent(code):
    """Without the prompts or the indentation that the whole cell has."""
    lines = code.split('\n')
    first = next((line for line in lines if line.strip()), '')
    if first.lstrip().startswith('>>> '):
        return '\n'.join(unprompted(lines))
    margin = first[:len(first) - len(first.lstrip(' \t'))]
    if not margin:
        return code
    return '\n'.join(line[len(margin):] if line.startswith(margin) else line
                     for line in lines)


def unprompted(lines):
    for line in lines:
        text = line.lstrip()
        if text.startswith(('>>> ', '... ')):
            yield text[4:]
        elif text in ('>>>', '...'):
            yield ''
        else:
            yield line


def ends_in_semicolon(code, last):
    """Whether a semicolon follows the last expression, hiding its value."""
    end = getattr(last, 'end_lineno', None)
    if end is None:  # before 3.8
        return code.rstrip().endswith(';')
    lines = code.replace('\r\n', '\n').replace('\r', '\n').split('\n')
    rest = [lines[end - 1].encode('utf-8', 'replace')[last.end_col_offset:]
            .decode('utf-8', 'replace')] + lines[end:]
    for line in rest:
        line = line.partition('#')[0].strip(' \t\f)\\')
        if line:
            return line[0] == ';'
    return False


def translate(code, parse):
    """Python code for a cell that does not compile: each line that the
    compiler rejects is translated if it is a magic; else it is an error."""
    stripped = code.lstrip()
    if stripped.startswith('%%'):
        head, _, body = stripped.partition('\n')
        name, _, rest = head[2:].partition(' ')
        lead = code[:len(code) - len(stripped)].count('\n')
        return '\n' * lead + 'get_ipython().run_cell_magic(%r, %r, %r)' % (
            name.strip(), rest.strip(), body)
    lines = code.replace('\r\n', '\n').replace('\r', '\n').split('\n')
    for _ in range(MAGICS_MAX):
        try:
            parse('\n'.join(lines))
            break
        except SyntaxError as error:
            number = error.lineno or 0
            if not 0 < number <= len(lines):
                raise
            if not translate_line(lines, number - 1):
                raise
    return '\n'.join(lines)


def translate_line(lines, index):
    line = lines[index]
    text = line.strip()
    margin = line[:len(line) - len(line.lstrip())]
    last = index
    while text.endswith('\\') and last + 1 < len(lines):
        last += 1
        text = text[:-1] + lines[last].strip()
    new = None
    target, equals, rest = text.partition('=')
    if text[:1] in ('%', '!', '?') or text.endswith('?'):
        new = call(text)
    elif equals and rest.strip()[:1] in ('%', '!'):
        rest = rest.strip()
        made = call(rest) if rest[0] == '%' else (
            'get_ipython().getoutput(%r)' % rest[1:])
        new = target.rstrip() + ' = ' + made
    if new is None:
        return False
    lines[index] = margin + new
    for number in range(index + 1, last + 1):
        lines[number] = ''
    return True


def call(text):
    if text.startswith('!!'):
        return 'get_ipython().getoutput(%r)' % text[2:]
    if text[0] == '!':
        return 'get_ipython().system(%r)' % text[1:]
    if text[0] == '?' or text.endswith('?'):
        return 'get_ipython().help(%r)' % text.strip('? ;')
    name, _, rest = text.lstrip('%').partition(' ')
    return 'get_ipython().run_line_magic(%r, %r)' % (name, rest.strip())


def run_body(code):
    """Run the body of a cell magic, return its value."""
    return kernel.run('\n' + code)


def expand(text):
    """$name and {expression} of the user's variables, in a shell line."""
    out, at = [], 0
    while at < len(text):
        sign = text[at]
        if text.startswith(('$$', '{{', '}}'), at):
            out.append(text[at] if sign == '$' else text[at:at + 2])
            at += 2
            continue
        if sign == '$':
            end = at + 1
            while end < len(text) and text[at + 1:end + 1].isidentifier():
                end += 1
            name = text[at + 1:end]
            if name in kernel.scope:
                out.append(str(kernel.scope[name]))
                at = end
                continue
        elif sign == '{':
            end = text.find('}', at)
            try:
                out.append(str(eval(text[at + 1:end], kernel.scope)))
                at = end + 1
                continue
            except Exception:
                pass  # braces of the shell
        out.append(sign)
        at += 1
    return ''.join(out)


class Shell:
    """What get_ipython() returns."""

    config = {}

    @property
    def user_ns(self):
        return kernel.scope

    @property
    def execution_count(self):
        return kernel.count

    def system(self, command):
        """Run a shell line; its whole output is output of the cell."""
        self.stream(['/bin/sh', '-c', expand(command)])

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
        kernel.scope['_exit_code'] = process.returncode
        return process.returncode

    def getoutput(self, command):
        import subprocess
        made = subprocess.run(['/bin/sh', '-c', expand(command)],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        kernel.scope['_exit_code'] = made.returncode
        return made.stdout.decode('utf-8', 'replace').splitlines()

    def help(self, name):
        import inspect
        try:
            value = eval(name, kernel.scope)
        except Exception:
            print('Object `%s` not found.' % name)
            return
        try:
            signature = str(inspect.signature(value))
        except (TypeError, ValueError):
            signature = ''
        print('%s%s\n%s' % (name, signature, inspect.getdoc(value) or ''))

    def run_line_magic(self, name, line):
        found = part('python_magics')['LINES'].get(name)
        if found is None:
            print('UsageError: Line magic function `%%%s` not found.' % name,
                  file=sys.stderr)
            return None
        return found(self, expand(line) if name in
                     part('python_magics')['EXPANDED'] else line)

    magic = run_line_magic

    def run_cell_magic(self, name, line, body):
        found = part('python_magics')['CELLS'].get(name)
        if found is None:
            print('UsageError: Cell magic `%%%%%s` not found.' % name,
                  file=sys.stderr)
            return None
        return found(self, line, body)

    def run_cell(self, code, *arguments, **options):
        return kernel.run(code)


shell = Shell()
