"""Run a command on a terminal of its own, type, and tell what was seen.

    terminal.py ROWS COLUMNS COMMAND... < steps

A step is a line of JSON: ["send", text], ["expect", text] (waits for it, in what
has come since the last), ["repeat", text, expected] (sends it every second until the other
comes), ["size", rows, columns], ["signal", number],
["end"] (waits for the end of the command). The answer is one JSON object: seen (what
each "expect" has seen, its text included), rest, status, is_restored (whether the terminal has
the settings of the beginning), missing (the text that did not come).
"""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

PATIENCE = 30  # seconds
MOST, KEPT = 262144, 4096  # characters that nobody has expected


class Terminal:
    def __init__(self, rows, columns, command):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.text, self.status = '', None
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack('HHHH', rows, columns, 0, 0))

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.bytes = getattr(self, 'bytes', b'') + os.read(self.master, 65536)
            text = self.bytes.decode('utf-8', 'ignore')
            self.text, self.bytes = self.text + text, b''
            return True
        return False

    def expect(self, text, again=None):
        """Waits for a text, and sends another every second meanwhile."""
        due = time.monotonic()
        deadline = due + PATIENCE
        while text not in self.text:
            if time.monotonic() > deadline:
                return None
            if again and time.monotonic() >= due:
                os.write(self.master, again.encode())
                due = time.monotonic() + 1
            self.read(0.1)
            if len(self.text) > MOST and text not in self.text:
                self.text = self.text[-KEPT:]
        till = self.text.index(text) + len(text)
        seen, self.text = self.text[:till], self.text[till:]
        return seen

    def end(self):
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.1)
        while self.read(0.1):
            pass
        return self.process.poll()

    def is_restored(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if termios.tcgetattr(self.slave) == self.before:
                return True
            time.sleep(0.02)
        return False


def main():
    terminal = Terminal(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    answer = {'seen': []}
    for line in sys.stdin:
        verb, *values = json.loads(line)
        if verb == 'send':
            os.write(terminal.master, values[0].encode())
        elif verb == 'size':
            terminal.resize(*values)
        elif verb == 'signal':
            terminal.process.send_signal(values[0])
        elif verb in ('expect', 'repeat'):
            seen = terminal.expect(values[-1], verb == 'repeat' and values[0])
            if seen is None:
                answer['missing'] = values[-1]
                break
            answer['seen'].append(seen)
        else:
            answer['status'] = terminal.end()
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.process.wait()
    answer['is_restored'] = terminal.is_restored()
    answer['rest'] = terminal.text
    print(json.dumps(answer))


main()
