--- Python, by its own `ast` inside the sandbox. Modules are looked for, never loaded.
local core = require "codecell.core"
local report = require "codecell.analyze.report"

local python = {}

-- Reads code from standard input, prints what it found as JSON. Before it stands the module of the
-- kernel that makes Python of magics, which looks at `kernel` and `part`.
local PROGRAM = [==[
import ast, codeop, importlib.machinery, json, os, sys, warnings

AWAIT = getattr(ast, 'PyCF_ALLOW_TOP_LEVEL_AWAIT', 0)
TOO_MUCH = (RecursionError, MemoryError, OverflowError, ValueError)

class kernel:
    file_name, flags, allow_await, scope = '<cell>', 0, AWAIT, {}

def part(name):
    return {'LINES': {'cat', 'cd', 'ls', 'pip', 'pwd', 'time', 'timeit', 'who', 'whos'}}

SHELL = 'starts a program by the shell: what is put into its words can become a command'
NETWORK = 'needs the network'
REMOVES = 'removes files'
BECOMES = 'makes code of data'
LEAVES = 'ends the session'
RISKS = {
    'eval': BECOMES, 'exec': BECOMES, 'compile': BECOMES, '__import__': 'imports by a name',
    'os.system': SHELL, 'os.popen': SHELL, 'subprocess.getoutput': SHELL,
    'subprocess.getstatusoutput': SHELL,
    'pickle.load': BECOMES, 'pickle.loads': BECOMES, 'marshal.loads': BECOMES,
    'shelve.open': BECOMES, 'dill.load': BECOMES, 'dill.loads': BECOMES, 'joblib.load': BECOMES,
    'os.remove': REMOVES, 'os.unlink': REMOVES, 'os.rmdir': REMOVES, 'os.removedirs': REMOVES,
    'shutil.rmtree': REMOVES, 'os.truncate': REMOVES,
    'os.fork': 'doubles the interpreter of the session', 'os.kill': 'sends a signal',
    'os._exit': LEAVES, 'os.abort': LEAVES, 'os.execv': LEAVES, 'os.execvp': LEAVES,
    'ctypes.CDLL': 'calls C, which can end the interpreter',
    'socket.socket': NETWORK, 'socket.create_connection': NETWORK,
    'urllib.request.urlopen': NETWORK, 'urllib.request.urlretrieve': NETWORK,
    'http.client.HTTPConnection': NETWORK, 'http.client.HTTPSConnection': NETWORK,
    'input': 'reads standard input, which is empty unless it is given',
}
for name in ('get', 'post', 'put', 'patch', 'delete', 'head', 'request', 'Session'):
    RISKS['requests.' + name] = RISKS['httpx.' + name] = NETWORK

found = {'imports': [], 'errors': [], 'warnings': [], 'is_unfinished': False}

def parse(code):
    """The tree of the code, its magics made Python; None: an error was noted."""
    try:
        tree = compile(code, '<cell>', 'exec', ast.PyCF_ONLY_AST | AWAIT)
    except SyntaxError:
        try:
            code = translate(dedent(code))
            tree = compile(code, '<cell>', 'exec', ast.PyCF_ONLY_AST | AWAIT)
        except SyntaxError as error:
            note_error(error)
            try:
                found['is_unfinished'] = codeop.compile_command(
                    code, '<cell>', 'exec') is None
            except TOO_MUCH + (SyntaxError,):
                pass
            return None
    try:  # what only the second half of the compiler sees: `return` outside of a function
        compile(tree, '<cell>', 'exec', AWAIT)
    except SyntaxError as error:
        note_error(error)
    return tree

def note_error(error):
    found['errors'].append({'message': error.msg, 'line': error.lineno, 'column': error.offset})

def catches(handler):
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or isinstance(one, ast.Name) and one.id in (
        'ImportError', 'ModuleNotFoundError', 'Exception', 'BaseException') for one in types)

def dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
        return '.'.join(reversed(parts))

def look(tree):
    optional, places, meaning, calls = set(), {}, {}, []
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Try) and any(map(catches, node.handlers)):
            for statement in node.body:
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    optional.add(statement)
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                places.setdefault(alias.name.partition('.')[0], []).append(node)
                if alias.asname:
                    meaning[alias.asname] = alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            places.setdefault(node.module.partition('.')[0], []).append(node)
            for alias in node.names:
                meaning[alias.asname or alias.name] = node.module + '.' + alias.name
        elif isinstance(node, ast.Call):
            calls.append(node)
        elif isinstance(node, ast.While):
            look_at_loop(node)
    for node in calls:
        look_at_call(node, meaning)
    ordered = sorted(places.items(), key=lambda item: item[1][0].lineno)
    for name, at in ordered[:1000]:
        found['imports'].append({
            'name': name, 'line': min(node.lineno for node in at),
            'is_optional': all(node in optional for node in at)})

def warn(node, call, why):
    if len(found['warnings']) < 100:
        found['warnings'].append({'message': call + ': ' + why, 'line': node.lineno,
                                  'column': node.col_offset + 1, 'call': call})

def look_at_loop(node):
    always = isinstance(node.test, ast.Constant) and node.test.value
    if always and not any(isinstance(one, (ast.Break, ast.Return, ast.Raise, ast.Yield,
                                           ast.YieldFrom, ast.Await))
                          for one in ast.walk(node)):
        warn(node, 'while', 'has no end of its own: the timeout will end it')

def look_at_call(node, meaning):
    name = dotted(node.func)
    if name is None:
        return
    head, dot, rest = name.partition('.')
    name = meaning.get(head, head) + dot + rest
    why = RISKS.get(name)
    if name.startswith('subprocess.') and any(
            word.arg == 'shell' and isinstance(word.value, ast.Constant) and word.value.value
            for word in node.keywords):
        why = SHELL
    elif name == 'yaml.load' and len(node.args) < 2 and not any(
            word.arg == 'Loader' for word in node.keywords):
        why = BECOMES
    elif name == 'time.sleep' and node.args and isinstance(node.args[0], ast.Constant) and \
            isinstance(node.args[0].value, (int, float)) and node.args[0].value >= 60:
        why = 'waits for a minute or more'
    if why:
        warn(node, name, why)

def places_of_modules():
    version = 'python%d.%d' % sys.version_info[:2]
    own = os.path.expanduser('~/.local/lib/' + version + '/site-packages')
    return [os.getcwd(), own] + sys.path

def note_missing():
    standard = set(getattr(sys, 'stdlib_module_names', ())) | set(sys.builtin_module_names)
    places, lacks = places_of_modules(), False
    for one in found['imports']:
        if one['name'] not in standard:
            spec = importlib.machinery.PathFinder.find_spec(one['name'], places)
            one['is_missing'] = spec is None
            lacks = lacks or spec is None
    if lacks:
        names = set(standard)
        for place in places:
            try:
                names.update(entry.partition('.')[0] for entry in os.listdir(place)
                             if '-' not in entry and not entry.startswith('_'))
            except OSError:
                pass
        found['installed'] = sorted(names)[:5000]

def main():
    warnings.simplefilter('ignore')
    data = sys.stdin.buffer.read()
    code = data.decode('utf-8', 'replace')
    if '\ufffd' in code and b'\xef\xbf\xbd' not in data:
        found['warnings'].append({'message': 'it has bytes that are not UTF-8'})
    try:
        tree = parse(code)
        if tree is not None:
            look(tree)
            note_missing()
    except TOO_MUCH as error:
        found['errors'].append({'message': str(error) if isinstance(error, ValueError)
                                else 'it is nested too deeply, or too long, to be parsed'})
    print(json.dumps(found))

main()
]==]

--- Look at code.
---@param sandbox codecell.Sandbox
---@param code string
---@param _ string language
---@param way table of `languages.way`
---@return table? found
---@return codecell.Error? err
function python.look(sandbox, code, _, way)
  local program = "import builtins\n" .. core.kernel("python_magic.py") .. "\n" .. PROGRAM
  local result, err = report.run(sandbox, { way.program, "-I", "-c", program }, code)
  if not result then
    return nil, err
  end
  local found = report.read(result)
  found.manager = "pip"
  return found
end

return python
