# What a Jupyter kernel says of a cell, as frames and output. One text with
# jupyter_kernel.py and jupyter.py.
import base64

TEXT_MAX = 4 << 20  # bytes of one text of a result or an error
BLOB_MAX = 16 << 20  # bytes of a picture or a page
FRAME_MAX = 64 << 20
RESULTS_MAX = 1000  # of a cell
LINE = re.compile(r'(?:Cell In ?\[\d+\], line |<ipython-input-[^>]*>:|'
                  r'/ipykernel_\d+/\d+\.py:|^-+> )(\d+)', re.MULTILINE)
NAMES = {
    'text/plain': 'text', 'text/html': 'html', 'text/markdown': 'markdown',
    'image/svg+xml': 'svg', 'image/png': 'png', 'image/jpeg': 'jpeg',
    'application/pdf': 'pdf', 'text/latex': 'latex',
    'application/json': 'json', 'application/javascript': 'javascript',
    'e2b/data': 'data', 'e2b/chart': 'chart'}
BLOBS = frozenset(('png', 'jpeg', 'pdf'))
STRUCTURED = frozenset(('json', 'data', 'chart'))


def clip(text, cell):
    data = text.encode('utf-8', 'backslashreplace')
    if len(data) > TEXT_MAX:
        cell.truncated = True
        data = (data[:TEXT_MAX].decode('utf-8', 'ignore')
                + '\n... [cut: the rest of %d bytes is left out]'
                % len(data)).encode()
    return data


def part_of(mime, value, cell):
    """The part that a format is sent as: name and bytes, or None."""
    name = NAMES.get(mime, mime)
    if name in STRUCTURED or not isinstance(value, (str, list)):
        if name not in STRUCTURED:
            name += ' json'
        data = json.dumps(value).encode()
    elif isinstance(value, list) and name not in NAMES.values():
        name, data = name + ' json', json.dumps(value).encode()
    else:
        if isinstance(value, list):  # lines, as a notebook's file has them
            value = ''.join(map(str, value))
        if name in BLOBS:
            try:
                data = base64.b64decode(value)
            except (binascii.Error, ValueError):
                return None
        else:
            if name == 'text' and len(value) > 1 and \
                    value[0] == value[-1] and value[0] in '\'"':
                value = value[1:-1]
            return name, clip(value, cell)
    if len(data) > BLOB_MAX:
        cell.truncated = True
        return None
    return name, data


class Cell:
    """A cell that runs: what its kernel says becomes frames and output."""

    def __init__(self, bridge, request, code, stdin):
        self.bridge, self.request = bridge, request
        self.lines = None if stdin is None else stdin.splitlines(True)
        self.shown, self.truncated = 0, False
        self.failure = self.reply = None
        self.is_idle = False
        self.id = bridge.kernel.send(bridge.kernel.shell, 'execute_request', {
            'code': code, 'silent': False, 'store_history': True,
            'user_expressions': {}, 'allow_stdin': stdin is not None,
            'stop_on_error': False})

    def show(self, data, is_main):
        self.shown += 1
        if self.shown > RESULTS_MAX + 1:
            return
        if self.shown > RESULTS_MAX:
            self.truncated, is_main = True, False
            data = {'text/plain': '[more than %d results: the rest is left '
                                  'out]' % RESULTS_MAX}
        parts = [part_of(mime, value, self) for mime, value in data.items()]
        parts = [part for part in parts if part]
        if is_main:
            parts.append(('main', b'1'))
        if sum(len(data) for _, data in parts) > FRAME_MAX - 65536:
            self.truncated = True
            parts = [('text', b'[a result that is too large is left out]')]
        self.bridge.wire.send(RESULT, self.request, parts)

    def hear(self, message):
        """What was published. Output is of the cell that runs, whatever
        thread or earlier cell has printed it."""
        kind, content = message['msg_type'], message['content']
        if kind == 'stream':
            write_all(2 if content.get('name') == 'stderr' else 1,
                      str(content.get('text', '')).encode(
                          'utf-8', 'backslashreplace'))
        if message['parent_header'].get('msg_id') != self.id:
            return
        if kind in ('display_data', 'execute_result'):
            self.show(content.get('data') or {}, kind == 'execute_result')
        elif kind == 'error':
            self.failure = content
        elif kind == 'status':
            self.is_idle = content.get('execution_state') == 'idle'

    def answer(self, message):
        """Something is read: the next line, or the end of what there is."""
        if message['msg_type'] == 'input_request':
            line = self.lines.pop(0) if self.lines else '\x04'
            kernel = self.bridge.kernel
            kernel.send(kernel.stdin, 'input_reply',
                        {'value': line.rstrip('\r\n')})

    def finish(self):
        reply = self.reply or {}
        for payload in reply.get('payload') or ():
            if payload.get('source') == 'page':  # what a pager would show
                data = payload.get('data') or {}
                write_all(1, (ANSI.sub('', str(data.get('text/plain', '')))
                              .rstrip('\n') + '\n').encode())
        if self.failure is None and reply.get('status') != 'ok':
            self.failure = reply
        if self.failure is not None:
            self.fail(self.failure)
        count = reply.get('execution_count')
        self.bridge.finish(self.request, count, self.truncated)

    def fail(self, content):
        name = str(content.get('ename') or (
            'Error' if content.get('status') != 'aborted'
            else 'ExecutionAborted'))
        value = ANSI.sub('', str(content.get('evalue') or ''))
        lines = content.get('traceback') or [name + ': ' + value]
        traceback = ANSI.sub('', '\n'.join(map(str, lines)))
        parts = [('name', clip(name, self)), ('value', clip(value, self)),
                 ('traceback', clip(traceback, self))]
        line = LINE.search(traceback)
        if line:
            parts.append(('line', line.group(1).encode()))
        self.bridge.wire.send(ERROR, self.request, parts)


