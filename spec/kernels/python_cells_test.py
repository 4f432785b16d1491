"""The recorded Python cells (spec/cases/cells/python.jsonl), each session in
a fresh kernel. Every session must answer as recorded, save those in APART."""
import hashlib
import importlib.util
import json
import os
import re
import struct
import sys
import unittest

from python_support import HERE, Kernel, compiled

CASES = os.path.join(HERE, '..', 'cases', 'cells', 'python.jsonl')
# Where this kernel answers otherwise, and why.
APART = {
    'python/state/shadow_builtin':
        'the reference fails because its formatters run among the names of '
        'the user; here the value is shown',
}
TEXTS = ('text', 'html', 'markdown', 'svg', 'latex', 'javascript')
PLACES = (
    ('0x', r'0x[0-9a-fA-F]{5,16}', '0xADDRESS'),
    ('', r'[ \t]+(?=\r?\n|$)', ''),
    ('\r', r'\r\n', '\n'),
    ('Warning', r'[^\s:]+:(\d+): (\w*Warning)', r'CELL:\1: \2'),
    (', line', r'\([^\n()]*, line (\d+)\)', r'(CELL, line \1)'),
    ('cannot import',
     r"(cannot import name '[^']*' from '[^']*') \([^)]*\)", r'\1 (PATH)'),
    ('time', r'(?m)^(CPU times:|Wall time:).*$', r'\1 TIME'),
)


def normal(text, markup=False):
    if not isinstance(text, str):
        return text
    for mark, pattern, new in PLACES:
        if mark in text:
            text = re.sub(pattern, new, text)
    if markup:
        text = re.sub(r'(?is)<(style|script)\b.*?</\1>', '', text)
        text = re.sub(r'\s+', ' ', text)
        text = re.sub(r'\s*(<[^<>]*>)\s*', r'\1', text).strip()
        text = re.sub(r'T_[0-9a-f]{5}', 'T_ID', text)
    if len(text) > 4000:
        return {'length': len(text), 'sha256': hashlib.sha256(
            text.encode('utf-8', 'surrogatepass')).hexdigest(),
            'head': text[:60], 'tail': text[-60:]}
    return text


def rounded(value):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float('%.9g' % value)
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def without_null(value):
    if isinstance(value, list):
        return [without_null(item) for item in value]
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items()
                if item is not None}
    return value


def picture(data):
    return '%dx%d' % struct.unpack('>II', data[16:24])


def shown(result):
    """A result as the recorded ones are."""
    made = {'main': result['main'], 'formats': []}
    for name, value in result.items():
        if name == 'main':
            continue
        if name == 'extra':
            made['formats'] += list(value)
            made['extra'] = rounded(value)
            continue
        made['formats'].append(name)
        if name in TEXTS:
            made[name] = normal(value, name in ('html', 'svg'))
        elif name == 'png':
            made[name] = picture(value)
        elif name in ('jpeg', 'pdf'):
            made[name] = 'valid'
        elif name == 'chart':
            made[name] = without_null(rounded(value))
        else:
            made[name] = rounded(value)
    made['formats'].sort()
    return made


def wanted(result):
    made = {}
    for name, value in result.items():
        if name in TEXTS:
            made[name] = normal(value, name in ('html', 'svg'))
        elif name == 'chart':
            made[name] = without_null(rounded(value))
        elif name in ('main', 'formats', 'png', 'jpeg', 'pdf'):
            made[name] = value
        else:
            made[name] = rounded(value)
    return made


def compare_result(want, got, ignore, path, problems):
    want, got = wanted(want), shown(got)
    charts = 'chart' in got
    for name in sorted(set(want) | set(got)):
        if name in ignore:
            continue
        left, right = want.get(name), got.get(name)
        if name == 'formats':
            skip = set(ignore) | (set() if charts else {'chart'})
            left = [item for item in left or () if item not in skip]
            right = [item for item in right or () if item not in skip]
        elif name == 'chart' and not charts:
            continue  # chart data is not extracted yet
        elif name == 'png' and left == 'valid' and right:
            continue
        if left != right:
            problems.append('%s.%s: want %r, got %r'
                            % (path, name, left, right))


def compare_error(want, got, ignore, problems):
    if want is None:
        if got is not None:
            problems.append('error: none wanted, got %r' % (got,))
        return
    if got is None:
        problems.append('error: want %r, got none' % (want,))
        return
    names = want.get('names') or ([want['name']] if 'name' in want else [])
    if names and got['name'] not in names and 'error.name' not in ignore:
        problems.append('error.name: want %r, got %r' % (names, got['name']))
    if 'value' in want and 'error.value' not in ignore:
        if normal(want['value']) != normal(got['value']):
            problems.append('error.value: want %r, got %r'
                            % (want['value'], got['value']))
    trace = normal(got['traceback'])
    trace = trace if isinstance(trace, str) else got['traceback']
    for piece in want.get('traceback_contains', ()):
        if piece not in trace:
            problems.append('traceback lacks %r: %s' % (piece, trace))
    for piece in want.get('traceback_lacks', ()):
        if piece in trace:
            problems.append('traceback has %r' % piece)
    if '\x1b' in got['traceback']:
        problems.append('traceback has colours')


def compare(want, cell, got):
    """What differs between a recorded execution and ours."""
    problems, ignore = [], cell.get('ignore', ())
    if 'error' not in ignore:
        if want.get('error') == {'any': True}:
            return [] if got.died or got.error else ['an error is wanted']
        compare_error(want.get('error'), got.error, ignore, problems)
    if got.died:
        return problems + ['the kernel died']
    if 'results' not in ignore:
        if len(want['results']) != len(got.results):
            problems.append('results: want %d, got %r'
                            % (len(want['results']), got.results))
        for index, (left, right) in enumerate(
                zip(want['results'], got.results)):
            compare_result(left, right, ignore, 'results[%d]' % index,
                           problems)
        if 'text' in want and 'text' not in ignore:
            if normal(want['text']) != normal(got.text):
                problems.append('text: want %r, got %r'
                                % (want['text'], got.text))
    for name in ('stdout', 'stderr'):
        text = getattr(got, name).decode('utf-8', 'replace')
        if name in want and name not in ignore:
            if normal(want[name]) != normal(text):
                problems.append('%s: want %r, got %r'
                                % (name, want[name], text))
        for piece in cell.get('contains', {}).get(name, ()):
            if piece not in text:
                problems.append('%s lacks %r: %r' % (name, piece, text))
    if 'execution_count' in want and want['execution_count'] != got.count:
        problems.append('execution_count: want %r, got %r'
                        % (want['execution_count'], got.count))
    return problems


def play(session, folder):
    """Run a session; returns what differs."""
    kernel = Kernel(folder)
    try:
        for number, cell in enumerate(session['cells'], 1):
            if 'timeout' in cell:
                got = kernel.run_interrupted(cell['code'], cell['timeout'])
            else:
                got = kernel.run(cell['code'])
            accepted = [cell['expect']] + cell.get('also', [])
            found = [compare(want, cell, got) for want in accepted]
            if all(found):
                return ['cell %d: %s' % (number, problem)
                        for problem in found[0]]
            if got.died:
                kernel.close()
                kernel = Kernel(folder)
    finally:
        kernel.close()
    return []


class RecordedCells(unittest.TestCase):
    """Each session is a test of its own, made below."""

    @classmethod
    def setUpClass(cls):
        cls.folder = compiled()


def add(session):
    def test(self):
        for name in session['needs']:
            if name != 'e2b_charts' and not importlib.util.find_spec(name):
                self.skipTest('needs ' + name)
        if session['id'] in APART:
            self.skipTest(APART[session['id']])
        problems = play(session, self.folder)
        if problems:
            self.fail('\n'.join(problem[:1500] for problem in problems))
    name = 'test_' + re.sub(r'\W', '_', session['id'])
    setattr(RecordedCells, name, test)


with open(CASES, encoding='utf-8') as file:
    for line in file:
        add(json.loads(line))

if __name__ == '__main__':
    sys.exit(unittest.main())
