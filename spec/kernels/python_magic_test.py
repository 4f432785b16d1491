"""What cells know beyond Python: magics, history, help, displays, warnings.
Each session is a list of cells with what they must answer."""
import unittest

from python_support import Kernel, compiled

# name: [(code, {field: value}), ...]; text, stdout, stderr, error (its name),
# value (its text), count, results (texts of those that are displayed)
SESSIONS = {
    'history': [
        ('1', {'text': '1'}), ('%env Q=1', {}), ('_, __, ___', {
            'text': "(1, '', '')"}),
        ('In[2]', {'text': "get_ipython().run_line_magic('env', 'Q=1')"}),
        ('_i, _ii, _iii, _i1', {
            'text': "('In[2]', '_, __, ___', '%env Q=1', '1')"}),
        ('%history -n 1-2', {'stdout': '   1: 1\n   2: %env Q=1\n'}),
        (' ', {'count': 7}), ('3', {'count': 7})],
    'shell lines': [
        ("who = 'you'\n!echo $who {who.upper()} $$HOME '$who'", {
            'stdout': 'you YOU HOMEDIR $who\n'}),
        ('x = !echo a; echo b\nx, x.n, x.s', {
            'text': "(['a', 'b'], 'a\\nb', 'a b')"}),
        ('!kill -9 $$', {}), ('_exit_code', {'text': '-9'}),
        ('def f(local):\n    !echo $local\nf(5)', {'stdout': '5\n'})],
    'cell magics': [
        ('%%writefile a.txt\none', {'stdout': 'Writing a.txt\n'}),
        ('%%writefile -a a.txt\ntwo', {'stdout': 'Appending to a.txt\n'}),
        ("open('a.txt').read()", {'text': 'one\\ntwo\\n'}),
        ('%%bash --out o\necho 1', {}), ('o', {'text': '1\\n'}),
        ('%%bash\nexit 3', {
            'error': 'CalledProcessError', 'value':
            "Command 'b'exit 3\\n'' returned non-zero exit status 3."}),
        ('%%capture c\nprint(1); display(2)\n3', {'results': []}),
        ('c.stdout, len(c.outputs)', {'text': "('1\\n', 2)"}),
        ('c.show()', {'stdout': '1\n', 'results': ['2', '3']}),
        ('%%html\n<b>', {'results': ['<IPython.core.display.HTML object>']})],
    'line magics': [
        ('%timeit -n1 -r1 print(1)', {}),
        ('t = %timeit -o -q -n2 -r3 pass\nt.loops, t.repeat', {
            'text': '(2, 3)'}),
        ('%env NO_SUCH', {'error': 'UsageError', 'value':
                          'Environment does not have key: NO_SUCH'}),
        ('a = 1\nb = "x"\n%who int', {'stdout': 'a\t \n'}),
        ('%precision 2\n3.14159', {'text': '3.14'}),
        ('%reset -f', {}), ('a', {'error': 'NameError'})],
    'what is no magic': [
        ('%nope\nprint(1)', {
            'error': 'UsageError', 'stdout': '', 'stderr':
            'UsageError: Line magic function `%nope` not found.\n'}),
        ('%bash', {'error': 'UsageError', 'value':
                   'Line magic function `%bash` not found (But cell magic '
                   '`%%bash` exists, did you mean that instead?).'}),
        ('echo hi', {'error': 'SyntaxError'}),
        ('cd /', {'stdout': '/\n'}), ('pwd', {'text': '/'}),
        ('pwd = 5', {}), ('pwd', {'text': '5'})],
    'magics of the user': [
        ('def up(line, body): return body.upper()\n'
         "get_ipython().register_magic_function(up, 'cell')", {}),
        ('%%up\nabc', {'text': 'ABC\\n'})],
    'wrong code': [
        ('def f(', {'error': 'SyntaxError',
                    'value': 'incomplete input (<cell-1>, line 1)'}),
        ('print(1)\nreturn 2', {'error': 'SyntaxError', 'stdout': '1\n'}),
        ('5 is 5', {'text': 'True', 'stderr':
                    '<>:1: WARNED\n<>:1: WARNED\n<cell-3>:1: WARNED\n'
                    '  5 is 5\n'}),
        ('x = 1\nfrom __future__ import annotations', {}),
        ('def g(y: Unknown): pass', {})],
    'leaving': [
        ('x = 1\nexit()\nx = 2', {}), ('quit', {'results': []}),
        ('x', {'text': '1'}), ('raise SystemExit(3)', {
            'error': 'SystemExit', 'value': '3'})],
    'displays': [
        ("h = display('a', display_id='i')\nh.update('b')\nh", {
            'results': ['a', '<DisplayHandle display_id=i>']}),
        ('class R:\n  def __repr__(self): raise ValueError("r")\n'
         'display(R())\nprint("on")', {
             'error': 'ValueError', 'stdout': 'on\n', 'results': []}),
        ("display('no', raw=True)", {'error': 'TypeError'}),
        ('import sys; sys.displayhook(7)', {'text': '7'}),
        ('list = [1]\nlist', {'error': 'TypeError', 'results': []}),
        ('del list\n[1]', {'text': '[1]'})],
    'pasted code': [
        ('>>> x = 1\n>>> x\n', {'text': '1'}),
        ('\n    y = 1\n    y\n    ', {'text': '1'}),
        ('In [7]: x + 1', {'text': '2'}),
        ('  y = 5\n  y', {'text': '5'}),
        ('  y = 5\ny', {'error': 'IndentationError'})],
}


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = compiled()

    def play(self, cells):
        kernel = Kernel(self.folder)
        self.addCleanup(kernel.close)
        for code, wanted in cells:
            got = kernel.run(code)
            stderr = got.stderr.decode().replace(
                'SyntaxWarning: "is" with a literal. Did you mean "=="?',
                'WARNED').replace(
                'SyntaxWarning: "is" with \'int\' literal. Did you mean "=="?',
                'WARNED')
            error = got.error or {}
            found = {'text': got.text, 'stderr': stderr, 'count': got.count,
                     'stdout': got.stdout.decode().replace(kernel.home,
                                                           'HOMEDIR'),
                     'error': error.get('name'), 'value': error.get('value'),
                     'results': [one.get('text') for one in got.results]}
            expected = dict({'error': None}, **wanted)
            self.assertEqual({name: found[name] for name in expected},
                             expected, code)


def add(name, cells):
    setattr(Sessions, 'test_' + name.replace(' ', '_'),
            lambda self: self.play(cells))


for _name, _cells in SESSIONS.items():
    add(_name, _cells)

if __name__ == '__main__':
    unittest.main()
