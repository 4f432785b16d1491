# An index of Python packages and a registry of npm's on the loopback, for
# tests: most of it is right, and some of it misbehaves, each part in its way.
import base64
import hashlib
import html
import http.server
import io
import json
import os
import sys
import tarfile
import threading
import time
import zipfile

PORT = [0]
LOG = []  # paths that were asked for
TOKEN = 'Basic ' + base64.b64encode(b'reader:open sesame').decode()


def wheel(name, version, files, needs=(), script=False):
    info = '%s-%s.dist-info' % (name.replace('-', '_'), version)
    files = dict(files)
    files[info + '/METADATA'] = (
        'Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s\nA text.\n' % (
            name, version, ''.join('Requires-Dist: %s\n' % one
                                   for one in needs)))
    files[info + '/WHEEL'] = ('Wheel-Version: 1.0\nGenerator: test\n'
                              'Root-Is-Purelib: true\nTag: py3-none-any\n')
    record = ''.join('%s,,\n' % path for path in files)
    files[info + '/RECORD'] = record + info + '/RECORD,,\n'
    data = io.BytesIO()
    with zipfile.ZipFile(data, 'w', zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return ('%s-%s-py3-none-any.whl' % (name.replace('-', '_'), version),
            data.getvalue())


def tarball(name, files, mode=0o644):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w:gz') as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text), mode
            archive.addfile(entry, io.BytesIO(text.encode()))
    return name, data.getvalue()


def module(value):
    return 'value = %r\n' % value


BACKEND = '''
import base64, os, zipfile
def get_requires_for_build_wheel(settings=None):
    return []
def build_wheel(folder, settings=None, metadata=None):
    name = 'grown-1.0-py3-none-any.whl'
    info = 'grown-1.0.dist-info/'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as archive:
        archive.writestr('grown.py', 'value = %r\\nwhere = %r\\n' % (
            os.environ.get('CHOSEN'), os.getcwd()))
        archive.writestr(info + 'METADATA',
                         'Metadata-Version: 2.1\\nName: grown\\nVersion: 1.0\\n')
        archive.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\n'
                         'Root-Is-Purelib: true\\nTag: py3-none-any\\n')
        archive.writestr(info + 'RECORD', 'grown.py,,\\n' + info + 'METADATA,,\\n'
                         + info + 'WHEEL,,\\n' + info + 'RECORD,,\\n')
    return name
'''
SOURCE = {
    'grown-1.0/PKG-INFO': 'Metadata-Version: 2.1\nName: grown\nVersion: 1.0\n',
    'grown-1.0/pyproject.toml': '[build-system]\nrequires = []\n'
                                'build-backend = "maker"\nbackend-path = ["."]\n',
    'grown-1.0/maker.py': BACKEND,
}
BARREN = {
    'barren-1.0/PKG-INFO': 'Metadata-Version: 2.1\nName: barren\nVersion: 1.0\n',
    'barren-1.0/setup.py': 'raise SystemExit("nothing grows \\x1b[2Jhere")\n',
}

PYTHON = {  # normal name -> (file, bytes)
    'alpha': [wheel('alpha', '1.0', {'alpha/__init__.py': module(1),
                                     'alpha/old.py': module(1)}),
              wheel('alpha', '2.0', {'alpha/__init__.py': module(2)})],
    'beta': [wheel('beta', '1.0', {'beta.py': 'import alpha\nvalue = alpha.value'
                                              ' * 10\n'}, ['alpha >=1.0',
                                                           'extra-one; extra == "more"'])],
    'extra-one': [wheel('extra-one', '1.0', {'extra_one.py': module(3)})],
    'dotted-name': [wheel('dotted-name', '1.0', {'dotted_name.py': module(4)})],
    'reads-data': [wheel('reads-data', '1.0', {
        'reads_data/__init__.py': 'import os\nvalue = open(os.path.join('
                                  'os.path.dirname(__file__), "data.txt")).read()\n',
        'reads_data/data.txt': 'data'})],
    'pyserial': [wheel('pyserial', '3.5', {'serial.py': module(5)})],
    'grown': [tarball('grown-1.0.tar.gz', SOURCE)],
    'barren': [tarball('barren-1.0.tar.gz', BARREN)],
    'large': [wheel('large', '1.0', {'large/f%04d.py' % i: module(i)
                                     for i in range(1500)})],
    # ---- what misbehaves ----
    'wrong-sum': [wheel('wrong-sum', '1.0', {'wrong_sum.py': module(1)})],
    'cut-off': [wheel('cut-off', '1.0', {'cut_off.py': module('x' * 300000)})],
    'slow-file': [wheel('slow-file', '1.0', {'slow_file.py': module(1)})],
    'elsewhere': [wheel('elsewhere', '1.0', {'elsewhere.py': module(1)})],
    'private-file': [wheel('private-file', '1.0', {'private_file.py': module(1)})],
    'endless': [wheel('endless', '1.0', {'endless.py': module(1)})],
    'not-there': [wheel('not-there', '1.0', {'not_there.py': module(1)})],
    'liar': [wheel('liar', '1.0', {'liar.py': module(1)}, ['alpha'])],
    'climber': [wheel('climber', '1.0', {'../../climbed.py': module(1),
                                         'climber.py': module(1)})],
}
SPECIAL = {  # pages that are none of ours
    'scripts': '<html><script>alert(1)</script><a href="javascript:alert(1)">x-1.0-py3-none-any'
               '.whl</a><a onclick="x" href="/files/scripts/scripts-1.0-py3-none-any.whl"'
               ' data-requires-python="&gt;=3&quot;&gt;&lt;script&gt;">s</a></html>',
    'tricks': ''.join('<a href="%s">x</a>' % one for one in (
        '../../../etc/passwd', '/files/..%2f..%2fx-1.0-py3-none-any.whl',
        'file:///etc/passwd', '/files/tricks/.hidden.whl', '/files/tricks/a%00b.whl',
        'http://user:pass@127.0.0.1/x-1.0.whl', '//169.254.169.254/tricks-9.9-py3-none-any.whl',
        '/files/tricks/tricks-1.0-py3-none-any.whl')),
}
PYTHON['scripts'] = [wheel('scripts', '1.0', {'scripts.py': module(1)})]
PYTHON['tricks'] = [wheel('tricks', '1.0', {'tricks.py': module(1)})]


def npm_package(name, version, needs=None, main='lib/index.js', text='exports.value = 7;\n',
                more=None):
    manifest = dict({'name': name, 'version': version, 'main': main}, **(more or {}))
    if needs:
        manifest['dependencies'] = needs
    base = name.rpartition('/')[2]
    return manifest, tarball('%s-%s.tgz' % (base, version), {
        'package/package.json': json.dumps(manifest), 'package/' + main: text})


NPM = {
    'pad': [npm_package('pad', '1.0.0'), npm_package('pad', '1.1.0', text='exports.value = 8;\n')],
    'needs-pad': [npm_package('needs-pad', '1.0.0', {'pad': '^1.0.0'},
                              text='exports.value = require("pad").value + 1;\n')],
    'left-pad': [npm_package('left-pad', '1.3.0', text='exports.value = 6;\n')],
    '@scope/one': [npm_package('@scope/one', '1.0.0', text='exports.value = "scoped";\n')],
    'wrong-sum': [npm_package('wrong-sum', '1.0.0')],
    'OldName': [npm_package('OldName', '1.0.0')],
    'script': [npm_package('script', '1.0.0', more={'scripts': {
        'postinstall': 'echo ran > made-by-script.txt'}})],
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *arguments):
        pass

    def say(self, status, data, kind='text/html', **fields):
        if isinstance(data, str):
            data = data.encode()
        self.send_response(status)
        self.send_header('Content-Type', kind)
        for name, value in fields.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == '/log':
            lines, LOG[:] = LOG[:], []
            return self.say(200, '\n'.join(lines), 'text/plain')
        LOG.append(self.path + (' as %s' % self.headers['Authorization']
                                if 'Authorization' in self.headers else ''))
        parts = self.path.strip('/').split('/')
        if parts[0] == 'private':
            if self.headers.get('Authorization') != TOKEN:
                return self.say(401, 'who are you?', WWW_Authenticate='Basic')
            parts = parts[1:]
        if parts[0] == 'simple' and len(parts) == 2:
            return self.page(parts[1], False)
        if parts[0] == 'json' and len(parts) == 2:
            return self.page(parts[1], True)
        if parts[0] == 'files':
            return self.file(parts[1], parts[2])
        if parts[0] == 'npm':
            return self.document('/'.join(parts[1:]).replace('%2f', '/'))
        if parts[0] == 'tarballs':
            return self.tarball('/'.join(parts[1:-1]), parts[-1])
        self.say(404, 'nothing here')

    # ---- Python ----

    def page(self, name, as_json):
        if name == 'broken':
            return self.say(500, 'out of order')
        if name == 'hangs':
            return time.sleep(60)
        if name == 'garbage':
            return self.say(200, b'\xff\xfe{"files": [[[', 'application/vnd.pypi.simple.v1+json')
        if name == 'loops':
            return self.say(302, '', Location='/simple/loops/')
        if name in SPECIAL:
            return self.say(200, SPECIAL[name])
        if name not in PYTHON:
            return self.say(404, 'no such package')
        list = []
        for file, data in PYTHON[name]:
            sum = hashlib.sha256(data).hexdigest()
            if name == 'wrong-sum':
                sum = '0' * 64
            url = '/files/%s/%s' % (name, file)
            if name == 'dotted-name':  # as servers in companies write it
                url = '../.././files/%s/%s' % (name, file)
            if name == 'private-file':
                url = 'http://10.1.2.3/' + file
            list.append((file, url, sum))
        if as_json:
            return self.say(200, json.dumps({
                'meta': {'api-version': '1.0'}, 'name': name, 'files': [
                    {'filename': file, 'url': url, 'hashes': {'sha256': sum},
                     'requires-python': '>=3', 'core-metadata': False}
                    for file, url, sum in list]}), 'application/vnd.pypi.simple.v1+json')
        beside = ' data-core-metadata="true"' if name in ('beta', 'liar') else ''
        self.say(200, '<!DOCTYPE html><html><body>%s</body></html>' % ''.join(
            '<a href="%s#sha256=%s" data-requires-python="&gt;=3"%s>%s</a>\n' % (
                url, sum, beside, html.escape(file)) for file, url, sum in list))

    def file(self, name, file):
        if file.endswith('.metadata'):
            data = dict(PYTHON[name])[file[:-9]]
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                inside = [one for one in archive.namelist() if one.endswith('METADATA')][0]
                return self.say(200, archive.read(inside), 'text/plain')
        if name == 'elsewhere':
            return self.say(302, '', Location='http://169.254.169.254/latest/meta-data')
        if name == 'not-there':
            return self.say(404, 'gone')
        data = dict(PYTHON[name]).get(file)
        if data is None:
            return self.say(404, 'no such file')
        if name == 'endless':
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b'x' * 65536)
            except OSError:
                self.close_connection = True
            return
        if name == 'cut-off':
            self.send_response(200)
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True
            return
        self.say(200, data, 'application/octet-stream')

    # ---- npm ----

    def document(self, name):
        if name == 'broken':
            return self.say(500, 'out of order')
        if name not in NPM:
            return self.say(404, '{"error": "Not found"}', 'application/json')
        versions = {}
        for manifest, (file, data) in NPM[name]:
            sum = hashlib.sha512(data).digest()
            if name == 'wrong-sum':
                sum = b'0' * 64
            versions[manifest['version']] = dict(manifest, dist={
                'tarball': 'http://127.0.0.1:%d/tarballs/%s/%s' % (PORT[0], name, file),
                'shasum': hashlib.sha1(data).hexdigest(),
                'integrity': 'sha512-' + base64.b64encode(sum).decode()},
                hasInstallScript='scripts' in manifest)
        self.say(200, json.dumps({'name': name, 'versions': versions, 'dist-tags': {
            'latest': NPM[name][-1][0]['version']}}), 'application/vnd.npm.install-v1+json')

    def tarball(self, name, file):
        for _, (one, data) in NPM.get(name, []):
            if one == file:
                return self.say(200, data, 'application/octet-stream')
        self.say(404, 'no such file')


def save(folder):
    """What can be installed from this machine's files."""
    for files in (PYTHON['alpha'], PYTHON['grown'], [NPM['pad'][0][1]]):
        for name, data in files:
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(data)


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.daemon_threads = True
PORT[0] = server.server_port
save(sys.argv[1])
with open(os.path.join(sys.argv[1], 'port.new'), 'w') as file:
    file.write(str(PORT[0]))
os.rename(os.path.join(sys.argv[1], 'port.new'), os.path.join(sys.argv[1], 'port'))
threading.Thread(target=server.serve_forever, daemon=True).start()
while os.path.exists(os.path.join(sys.argv[1], 'alive')):
    time.sleep(0.1)
os._exit(0)
