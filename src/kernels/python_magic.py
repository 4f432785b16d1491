# Cells that are more than Python: magics (%name, %%name), shell lines (!),
# help (?), and what pasted code brings along. Loaded when a cell does not
# compile as it is. kernel and part are given by the core.
import builtins

MAGICS_MAX = 500  # of one cell
ONLY_TREE = 0x400  # ast.PyCF_ONLY_AST
warned = [0]  # the cell whose warnings were shown


def keep_future(code):
    """`from __future__` outlives its cell, as in an interactive session."""
    import __future__
    for name in __future__.all_feature_names:
        flag = getattr(__future__, name).compiler_flag
        kernel.flags |= code.co_flags & flag


def one_by_one(statements):
    """Run statements some of which are wrong, though each can be parsed:
    what comes before the first of these is done."""
    from _ast import Module
    for statement in statements:
        code = kernel.compile(Module([statement], []), 'exec')
        keep_future(code)
        kernel.step(code)


def run_shown(tree, code, shown):
    """Run a cell of which the user has chosen what is shown."""
    from _ast import Expr, Interactive, Load, Name
    body = tree.body
    last = body[-1] if body else None
    if shown == 'last_expr_or_assign':
        targets = getattr(last, 'targets', [getattr(last, 'target', None)])
        if len(targets) == 1 and isinstance(targets[0], Name):
            import ast
            body.append(ast.copy_location(Expr(ast.copy_location(
                Name(targets[0].id, Load()), last)), last))
        return kernel.run_tree(tree, code)
    quiet = last is not None and ends_in_semicolon(code, last)
    for node in body:
        kernel.last_line = node.lineno
        if not quiet and (shown == 'all' or shown == 'last' and node is last):
            kernel.step(kernel.compile(Interactive([node]), 'single'))
        else:
            one_by_one([node])
    return None


def compile_warned(tree, mode):
    """Compile what is wrong, or worth a warning with the line of it. Clients
    know such a warning from two trials of the whole cell as well."""
    flags = kernel.flags | kernel.allow_await
    if warned[-1] != kernel.count:
        warned[:] = [kernel.count]
        import linecache
        import warnings  # noqa: shows lines as well, once it is there
        part('python_import')['remember'](
            linecache, kernel.file_name, kernel.translated)
        for _ in range(2):
            try:
                compile(kernel.translated, '<>', 'exec', flags, True)
            except SyntaxError:
                break
    return compile(tree, kernel.file_name, mode, flags, True)


def dedent(code):
    """Without the prompts or the indentation that the whole cell has."""
    import re
    lines = code.split('\n')
    full = [line for line in lines if line.strip()] or ['']
    if re.match(r'\s*>>>( |$)', full[0]):
        return '\n'.join(re.sub(r'^\s*(>>>|\.\.\.)( |$)', '', line)
                         for line in lines)
    if re.match(r'In \[\d+\]: ', full[0]):
        return '\n'.join(re.sub(r'^(In \[\d+\]: |\s*\.{3,}: ?)', '', line)
                         for line in lines)
    margin = full[0][:len(full[0]) - len(full[0].lstrip(' \t'))]
    while not all(line.startswith(margin) for line in full):
        margin = margin[:-1]
    return '\n'.join(line[len(margin):] if line.startswith(margin) else line
                     for line in lines)


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


def translate(code):
    """Python code for a cell that does not compile: each line that the
    compiler rejects is translated if it is a magic; else it is an error."""
    stripped = code.lstrip()
    if stripped.startswith('%%'):
        head, _, body = stripped.partition('\n')
        if not head.endswith('?'):
            if body and not body.endswith('\n'):
                body += '\n'
            name, _, rest = head[2:].partition(' ')
            lead = code[:len(code) - len(stripped)].count('\n')
            return '\n' * lead + (
                'get_ipython().run_cell_magic(%r, %r, %r)\n'
                % (name.strip(), rest.strip(), body))
    if '\n' not in code.strip():
        magic = automagic(code)
        if magic is not None:
            return magic
    lines = code.replace('\r\n', '\n').replace('\r', '\n').split('\n')
    for _ in range(MAGICS_MAX):
        try:
            compile('\n'.join(lines), kernel.file_name, 'exec',
                    ONLY_TREE | kernel.flags | kernel.allow_await, True)
            break
        except SyntaxError as error:
            number = error.lineno or 0
            if not (0 < number <= len(lines)
                    and translate_line(lines, number - 1)):
                break
    return '\n'.join(lines)


def automagic(code):
    """A lone line like `ls -l` or `pip install x` is a magic too, unless its
    name is one of the user's."""
    name, _, rest = code.strip().partition(' ')
    if (name in kernel.scope or hasattr(builtins, name)
            or rest[:1] in ('=', ',') or rest[:2] in ('+=', '-=')
            or name not in part('python_magics')['LINES']):
        return None
    return call('%' + code.strip())


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
    if text[:1] in ('%', '!', '?') or is_question(text):
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


def is_question(text):
    import re
    return re.fullmatch(r'%{0,2}[\w.*\[\]-]+\?\??', text)


def call(text):
    if text.startswith('!!'):
        return 'get_ipython().getoutput(%r)' % text[2:]
    if text[0] == '!':
        return 'get_ipython().system(%r)' % text[1:]
    if text[0] == '?' or text.endswith('?'):
        return 'get_ipython().run_line_magic(%r, %r)' % (
            'pinfo', text.strip('? ;'))
    name, _, rest = text.lstrip('%').partition(' ')
    return 'get_ipython().run_line_magic(%r, %r)' % (name, rest.strip())


def run_body(code):
    """Run the body of a cell magic, return its value."""
    return kernel.run('\n' + code)
