"""What a process must be like to become a zygote: else it says why not, and
ends. The wire that it reads is a file, as its stem gives it; what it says
comes on descriptor 5."""
import os
import signal
import socket
import tempfile
import unittest

from python_support import INTERPRETER, KERNELS, frame, program

SEAL = 6
PATIENCE = 30  # seconds


def seal(cells, environment=None):
    """What the kernel says of itself after these rehearsals: number of an
    error and text, or None if nothing."""
    values = []
    for code in cells:
        values += [b'cell', code.encode()]
    wire = tempfile.TemporaryFile()
    wire.write(program() + frame(SEAL, 0, values))
    wire.flush()
    wire.seek(0)
    with open(os.path.join(KERNELS, 'python.boot')) as file:
        boot = file.read()
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        try:
            null = os.open('/dev/null', os.O_RDWR)
            high = [os.dup2(fd, 200 + index) for index, fd in enumerate(
                (null, null, null, wire.fileno(), null, its.fileno()))]
            for number, fd in enumerate(high):
                os.dup2(fd, number)
            os.closerange(6, 300)
            os.execve(INTERPRETER, [INTERPRETER, '-I', '-S', '-c', boot],
                      dict(environment or {}, HOME='/tmp'))
        finally:
            os._exit(126)
    its.close()
    ours.settimeout(PATIENCE)
    try:
        word = ours.recv(4096)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()
        wire.close()
    if not word:
        return None
    return (int.from_bytes(word[4:8], 'little'),
            word[8:].rstrip(b'\0').decode())


class Zygote(unittest.TestCase):
    def refuses(self, cell, text, environment=None):
        number, why = seal([cell], environment)
        self.assertEqual(number, 10)
        self.assertIn(text, why)

    def test_takes_what_is_fit(self):
        # All else would be said by the library, which is not there: it goes
        # on as any other kernel, to the end of its wire.
        self.assertIsNone(seal(['import json', '1+1', 'print(1)']))

    def test_refuses_a_failed_import(self):
        self.refuses('import no_such_module', 'ModuleNotFoundError: No module '
                     "named 'no_such_module'")
        self.refuses('1/0', 'ZeroDivisionError: division by zero')

    def test_refuses_a_descriptor_that_a_module_keeps(self):
        self.refuses("import sys\nsys.kept = open('/etc/passwd')",
                     'a module keeps /etc/passwd open')

    def test_refuses_memory_that_is_shared(self):
        self.refuses('import sys, mmap\nsys.kept = mmap.mmap(-1, 4096)',
                     'a module shares memory that is written to')

    def test_refuses_threads(self):
        self.refuses('import threading, time\nthreading.Thread('
                     'target=time.sleep, args=[60], daemon=True).start()',
                     'threads run')

    def test_refuses_without_its_library(self):
        self.refuses('1', 'takes no library ahead', {'LD_PRELOAD': ''})

    def test_closes_what_the_kernel_itself_has_open(self):
        self.assertIsNone(seal(['import asyncio\nawait asyncio.sleep(0)']))


if __name__ == '__main__':
    unittest.main()
