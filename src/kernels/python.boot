import marshal, _frozen_importlib_external as external
wire = open(3, 'rb', closefd=False)
size = int.from_bytes(wire.read(16)[:4], 'little')
payload, values, at = wire.read(size), [], 0
while at < size:
    end = at + 4 + int.from_bytes(payload[at:at + 4], 'little')
    values.append(payload[at + 4:end])
    at = end
parts = dict(zip(map(bytes.decode, values[::2]), values[1::2]))
magic = '.%d' % int.from_bytes(external.MAGIC_NUMBER[:2], 'little')
stored = parts.get('python' + magic)
exec(marshal.loads(stored) if stored else compile(parts['python.py'], '<codecell python>', 'exec'),
     {'wire': wire, 'parts': parts, 'magic': magic})
