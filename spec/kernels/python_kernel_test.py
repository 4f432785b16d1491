"""The Python kernel, frame by frame."""
import os
import signal
import sys
import time
import unittest

from python_support import (ENV, EXECUTE, READY, Kernel, compiled, frame)


class WithKernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = compiled()

    def setUp(self):
        self.kernel = Kernel(self.folder)
        self.addCleanup(self.close)
        self.run_cell = self.kernel.run

    def close(self):
        if self.kernel:
            self.kernel.close()

    def alive(self, **options):
        """The next cell is as if nothing had been."""
        got = self.run_cell("print('out'); 6 * 7", **options)
        self.assertEqual((got.text, got.stdout, got.error),
                         ('42', b'out\n', None))


class Conversation(WithKernel):
    def test_ready_names_language_and_version(self):
        kind, request, values = self.kernel.ready
        self.assertEqual((kind, request), (READY, 0))
        self.assertEqual(dict(values)[b'language'], b'python')

    def test_source_alone_will_do(self):
        kernel = Kernel()
        self.assertEqual(kernel.run('1 + 1').text, '2')
        kernel.close()

    def test_cells_sent_ahead_run_in_order(self):
        for request in (1, 2, 3):
            self.kernel.send(frame(EXECUTE, request, [b'code', b'_i']))
        seen = [self.kernel.receive(10)[1] for _ in range(6)]
        self.assertEqual(seen, [1, 1, 2, 2, 3, 3])

    def test_empty_cell_is_answered_and_not_counted(self):
        got = self.run_cell(' \n')
        self.assertEqual((got.count, got.results), (1, []))
        self.assertEqual(self.run_cell('1').count, 1)

    def test_end_of_the_wire_ends_the_process(self):
        self.kernel.wire.close()
        self.assertEqual(os.waitpid(self.kernel.pid, 0)[1], 0)
        self.kernel = None

    def test_code_of_any_bytes_is_answered(self):
        for code in (b'\xff\xfe', b'1\x00', b'# coding: utf-7\n1',
                     b'"\xed\xa0\x80"', b'\\', b'(' * 1000, b'\x0c1'):
            got = self.run_cell(code)
            self.assertFalse(got.died)
        self.alive()


class Environment(WithKernel):
    def test_env_of_a_cell_is_undone_after_it(self):
        code = "import os; os.environ.get('A'), os.popen('echo $A').read()"
        self.assertEqual(self.run_cell(code, env=[b'A=1=2']).text,
                         "('1=2', '1=2\\n')")
        self.assertEqual(self.run_cell(code).text, "(None, '\\n')")

    def test_env_frame_stays(self):
        self.kernel.send(frame(ENV, 0, [b'env', b'B=x']))
        code = "import os; os.environ['B']"
        self.assertEqual(self.run_cell(code, env=[b'B=y']).text, 'y')
        self.assertEqual(self.run_cell(code).text, 'x')

    def test_stdin_of_a_cell(self):
        got = self.run_cell("a = input('? '); b = input(); a, b",
                            stdin='é\nzwei'.encode())
        self.assertEqual((got.text, got.stdout), ("('é', 'zwei')", b'? '))
        got = self.run_cell("import os; os.system('cat')", stdin=b'to cat')
        self.assertEqual(got.stdout, b'to cat')
        got = self.run_cell('input()', stdin=b'')
        self.assertEqual(got.error['name'], 'EOFError')
        got = self.run_cell('try: input()\nexcept Exception as e: print(e)')
        self.assertIn(b'no input', got.stdout)
        got = self.run_cell('import sys; sys.stdin.read(), [*sys.stdin]')
        self.assertEqual(got.text, "('', [])")

    def test_functions_pickle_by_main(self):
        got = self.run_cell(
            'import pickle, sys\ndef f(): return 5\n'
            'pickle.loads(pickle.dumps(f))(), f.__module__')
        self.assertEqual(got.text, "(5, '__main__')")

    def test_namespace_has_nothing_of_the_kernel(self):
        got = self.run_cell("sorted(n for n in dir() if n[0] != '_')")
        self.assertEqual(got.text, "['In', 'Out']")


class Processes(WithKernel):
    def test_forked_child_that_comes_back_says_nothing(self):
        got = self.run_cell(
            'import os\npid = os.fork()\n'
            'if pid: status = os.waitpid(pid, 0)[1]\npid > 0')
        self.assertEqual((got.text, len(got.results)), ('True', 1))
        self.assertEqual(self.run_cell('status').text, '0')

    def test_forked_child_may_print_and_fail(self):
        got = self.run_cell(
            'import os\npid = os.fork()\nif not pid:\n'
            "    print('child'); display(1); raise ValueError('v')\n"
            'os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])')
        self.assertEqual(got.text, '1')
        self.assertEqual(got.stdout, b'child\n')
        self.assertIn(b'ValueError: v', got.stderr)

    def test_multiprocessing_of_both_kinds(self):
        got = self.run_cell(
            'import multiprocessing as m, math\n'
            "def sq(x): return x * x\n"
            "with m.get_context('fork').Pool(2) as p: a = p.map(sq, [2, 3])\n"
            "with m.get_context('spawn').Pool(1) as p:"
            ' b = p.map(math.sqrt, [4])\na, b')
        self.assertEqual((got.error, got.text), (None, '([4, 9], [2.0])'))

    def test_thread_that_prints_between_cells_is_harmless(self):
        self.run_cell(
            'import threading, time\ndef work():\n  for i in range(200):\n'
            "    print('t'); display(i); time.sleep(0.002)\n"
            't = threading.Thread(target=work); t.start()')
        time.sleep(0.1)
        self.assertIsNone(self.run_cell('t.join()').error)
        self.alive()

    def test_killed_interpreter_is_the_end_of_the_wire(self):
        self.assertTrue(self.run_cell('import os; os._exit(3)').died)


class Interrupts(WithKernel):
    def test_system_is_interrupted_through_the_group(self):
        got = self.kernel.run_interrupted(
            "import os; os.system('sleep 30'); 1", 0.4)
        self.assertTrue(got.error is None or
                        got.error['name'] == 'KeyboardInterrupt')
        self.alive()

    def test_await_is_interrupted(self):
        got = self.kernel.run_interrupted(
            'import asyncio; await asyncio.sleep(60)', 0.4)
        self.assertEqual(got.error['name'], 'KeyboardInterrupt')
        self.alive()

    def test_hanging_representation_is_interrupted(self):
        got = self.kernel.run_interrupted(
            'class H:\n  def _repr_html_(self):\n    while 1: pass\nH()', 0.4)
        self.assertEqual(got.error['name'], 'KeyboardInterrupt')
        self.alive()

    def test_many_interrupts_break_no_frame(self):
        self.kernel.start("for i in range(900): display('x' * 5000)")
        for _ in range(50):
            os.kill(self.kernel.pid, signal.SIGINT)
            time.sleep(0.001)
        self.assertFalse(self.kernel.finish().died)
        for _ in range(20):
            self.kernel.start('1')
            os.kill(self.kernel.pid, signal.SIGINT)
            self.assertFalse(self.kernel.finish().died)
        self.alive()

    def test_interrupt_between_cells_is_nobody_s(self):
        os.kill(self.kernel.pid, signal.SIGINT)
        time.sleep(0.05)
        self.alive()

    def test_handler_of_an_earlier_cell_does_not_count(self):
        self.run_cell('import signal\nsignal.signal(2, signal.SIG_IGN)')
        got = self.kernel.run_interrupted('while True: pass', 0.3)
        self.assertEqual(got.error['name'], 'KeyboardInterrupt')


class Hostile(WithKernel):
    """A cell can falsify its own result at most. #S046 #S047"""

    CELLS = (
        'import sys, io; sys.stdout = sys.stderr = io.StringIO()',
        'import sys; sys.stdout.close(); sys.stderr.close()',
        'import sys; sys.stdout = sys.stderr = sys.stdin = None',
        'import sys; sys.stdout.detach()',
        'import sys; sys.stdout.flush = sys.stdout.write = None',
        "import sys, io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)",
        'import os; os.close(0); os.close(1); os.close(2)',
        "import os; f = os.open('/dev/null', 1); os.dup2(f, 1);"
        ' os.dup2(f, 2)',
        'import builtins\nfor n in ("len", "type", "repr", "print", "list",'
        ' "dict", "isinstance", "str", "bytes", "compile", "eval"):\n'
        '    setattr(builtins, n, None)\n'
        'import importlib',
        'import sys; sys.settrace(lambda *a: 1 / 0)',
        'import sys; sys.setprofile(lambda *a: 1 / 0)',
        'import sys; sys.setrecursionlimit(60)',
        'import sys; sys.modules.clear()',
        'import sys; sys.path.clear(); sys.meta_path.clear()',
        'import sys; sys.modules["__main__"] = None',
        'globals().clear()',
        'del __builtins__',
        'In = Out = None; _ = 1; __name__ = None',
        'import gc; gc.disable()',
        'import signal\nfor n in (1, 2, 15): signal.signal(n, 1)',
        'import os; os.set_blocking(3, False); os.set_blocking(1, False)',
        'raise SystemExit', 'exit()', 'raise BaseException', 'raise 1',
        'class E(Exception):\n  __traceback__ = __cause__ = 5\nraise E',
        'class E(Exception):\n  def __getattribute__(s, n): raise E2\n'
        'class E2(BaseException): pass\nraise E()',
        'class M(type):\n  __name__ = 5\nclass E(Exception, metaclass=M):'
        ' pass\nraise E',
        'class R:\n  def __repr__(self): return 5\nR()',
        'class R:\n  def __getattr__(self, n): raise SystemExit\nR()',
        'class R:\n  def __getattr__(self, n): return self\n'
        '  def __call__(self, *a, **k): return self\nR()',
        'class R:\n  __class__ = property(lambda s: 1 / 0)\nR()',
        'def d():\n  x = []\n  for i in range(100000): x = [x]\n  return x\n'
        'd()',
        'x = []; x.append(x); x', 'x = {}; x[1] = x; x',
        '{1e999: float("nan"), "a": 10 ** 400}', '10 ** 5000',
        '"\\ud800"', '["\\ud800", b"\\xff"]', 'raise ValueError("\\ud800")',
    )

    def test_next_cell_is_as_if_nothing_had_been(self):
        for code in self.CELLS:
            with self.subTest(code=code):
                kernel = Kernel(self.folder)
                try:
                    got = kernel.run(code, timeout=20)
                    self.assertFalse(got.died)
                    restore = 'import sys' if 'setattr' not in code else ''
                    if restore and 'modules' not in code:
                        got = kernel.run("print('out'); 6 * 7", timeout=20)
                        self.assertEqual(
                            (got.text, got.stdout, got.error),
                            ('42', b'out\n', None))
                    else:
                        got = kernel.run('6 * 7', timeout=20)
                        self.assertEqual(got.text, '42')
                finally:
                    kernel.close()

    def test_closed_or_forged_wire_breaks_no_promise(self):
        self.run_cell('import os; os.close(3)')
        self.assertIsNone(self.kernel.receive(10))

    def test_cell_that_closes_the_way_out_dies(self):
        got = self.run_cell('import os; os.close(4)')
        self.assertTrue(got.died)

    def test_child_has_no_copy_of_the_wire(self):
        got = self.run_cell(
            'import os, subprocess\n'
            "os.system('echo forged >&4'), subprocess.call("
            "['sh', '-c', 'echo forged >&4'], close_fds=False)")
        self.assertEqual(len(got.results), 1)
        self.assertNotIn('(0, 0)', got.text)

    def test_output_that_looks_like_frames_is_output(self):
        data = b''.join(frame(kind, 1, [b'a', b'b']) for kind in range(20))
        got = self.run_cell('import sys; sys.stdout.buffer.write(%r)\n'
                            'sys.stderr.buffer.write(%r);' % (data, data))
        self.assertEqual((got.stdout, got.stderr), (data, data))


class Bounds(WithKernel):
    """#S062 #S063 #S064"""

    def test_huge_texts_are_cut_with_a_mark(self):
        for code in ("'x' * (50 << 20)", "['x' * (10 << 20)] * 3",
                     'class T:\n  def __repr__(s): return "x" * (30 << 20)\n'
                     'T()', "raise ValueError('x' * (30 << 20))"):
            got = self.run_cell(code)
            text = got.error['value'] if got.error else got.text
            self.assertLess(len(text), 5 << 20)
            self.assertIn('[cut', text)
            self.assertEqual(got.parts[b'truncated'], b'1')

    def test_huge_pictures_are_left_out(self):
        got = self.run_cell('class P:\n  def _repr_png_(s):'
                            ' return bytes(40 << 20)\nP()')
        self.assertEqual(sorted(got.results[0]), ['main', 'text'])

    def test_displays_are_counted(self):
        got = self.run_cell('for i in range(3000): display(i)')
        self.assertEqual(len(got.results), 1001)
        self.assertIn('left out', got.results[-1]['text'])

    def test_numbers_that_json_lacks_are_strings(self):
        got = self.run_cell("[float('nan'), float('inf'), -float('inf')]")
        self.assertEqual(got.results[0]['json'],
                         ['NaN', 'Infinity', '-Infinity'])

    def test_raising_formats_leave_the_others(self):
        got = self.run_cell('class B:\n  def _repr_html_(s): 1 / 0\n'
                            "  def __repr__(s): return 'b'\nB()")
        self.assertEqual((got.text, got.error['name'], got.error['line']),
                         ('b', 'ZeroDivisionError', '2'))
        self.assertIn('    B()\n', got.error['traceback'])

    def test_every_byte_survives_on_the_streams(self):
        got = self.run_cell(
            "print(bytes(range(256)).decode('utf-8', 'surrogateescape'),"
            " '\\ud800', end='')")
        self.assertEqual(got.stdout, bytes(range(256)) + b' \\ud800')


if __name__ == '__main__':
    sys.exit(unittest.main())
