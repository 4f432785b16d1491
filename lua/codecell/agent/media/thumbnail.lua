--- Makes pixels, or a smaller PNG, of a PNG inside a sandbox. What comes back is checked: the
--- program runs beside code that may have tampered with it.
local errors = require "codecell.errors"
local header = require "codecell.agent.media.header"
local pixels = require "codecell.agent.media.pixels"

local thumbnail = {}

-- Seconds. Plots take a fraction of one.
local TIMEOUT = 20

local PNG_MOST = 4194304 -- bytes of a smaller one

-- Reads a PNG from standard input, writes "width height\n" and the pixels, three bytes each; with a
-- third argument a PNG.
local PROGRAM = [==[
import struct, sys, zlib

def chunks(data):
    at = 8
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        yield name, data[at + 8:at + 8 + size]
        at += 12 + size

def unfilter(kind, line, above, step):
    if kind == 1:
        for i in range(step, len(line)):
            line[i] = (line[i] + line[i - step]) & 255
    elif kind == 2:
        line[:] = bytes([(a + b) & 255 for a, b in zip(line, above)])
    elif kind == 3:
        for i in range(len(line)):
            left = line[i - step] if i >= step else 0
            line[i] = (line[i] + (left + above[i]) // 2) & 255
    elif kind == 4:
        for i in range(len(line)):
            left = line[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            up = above[i]
            a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            line[i] = (line[i] + (left if a <= b and a <= c else up if b <= c else corner)) & 255

def colour(kind, palette, opacity, line, at):
    if kind == 0:
        return line[at], line[at], line[at], 255
    if kind == 2:
        return line[at], line[at + 1], line[at + 2], 255
    if kind == 3:
        index = line[at]
        alpha = opacity[index] if index < len(opacity) else 255
        return tuple(palette[index * 3:index * 3 + 3]) + (alpha,)
    if kind == 4:
        return line[at], line[at], line[at], line[at + 1]
    return line[at], line[at + 1], line[at + 2], line[at + 3]

def main(columns, lines):
    data = sys.stdin.buffer.read()
    found = {}
    packed = bytearray()
    for name, body in chunks(data):
        if name == b"IDAT":
            packed += body
        else:
            found.setdefault(name, body)
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", found[b"IHDR"])
    if depth != 8 or interlace or kind not in (0, 2, 3, 4, 6) or not packed:
        sys.exit("only non-interlaced PNG of 8 bits a channel")
    step = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    palette, opacity = found.get(b"PLTE", b""), found.get(b"tRNS", b"")
    stride = width * step
    rows = zlib.decompressobj().decompress(bytes(packed), (stride + 1) * height)
    scale = max(width / columns, height / lines, 1)
    wide, high = max(1, int(width / scale)), max(1, int(height / scale))
    out = bytearray()
    above, sums, filled, target = bytearray(stride), None, 0, 0
    starts = [x * width // wide for x in range(wide + 1)]
    for y in range(height):
        at = y * (stride + 1)
        line = bytearray(rows[at + 1:at + 1 + stride])
        line += bytes(stride - len(line))
        unfilter(rows[at] if at < len(rows) else 0, line, above, step)
        above = line
        sums = sums or [0] * (wide * 3)
        filled += 1
        for x in range(wide):
            first, last = starts[x], max(starts[x] + 1, starts[x + 1])
            red = green = blue = 0
            skip = max(1, (last - first) // 8)
            taken = range(first, last, skip)
            for source in taken:
                r, g, b, alpha = colour(kind, palette, opacity, line, source * step)
                if alpha < 255:
                    r, g, b = (255 + (value - 255) * alpha // 255 for value in (r, g, b))
                red, green, blue = red + r, green + g, blue + b
            sums[x * 3] += red // len(taken)
            sums[x * 3 + 1] += green // len(taken)
            sums[x * 3 + 2] += blue // len(taken)
        if (y + 1) * high // height > target:
            out += bytes([value // filled for value in sums])
            sums, filled, target = None, 0, target + 1
    if len(sys.argv) > 3:
        sys.stdout.buffer.write(png(wide, target, out))
    else:
        sys.stdout.buffer.write(b"%d %d\n" % (wide, target) + out)

def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

def png(width, height, rgb):
    lines = b"".join(b"\0" + rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))

main(int(sys.argv[1]), int(sys.argv[2]))
]==]

-- What the program writes, or nil, err.
local function make(sandbox, png, ...)
  local argv = { "python3", "-I", "-c", PROGRAM, ... }
  local result, err = sandbox.commands:run(argv, { stdin = png, timeout = TIMEOUT })
  if not result then
    return nil, err
  elseif result.exit_code ~= 0 then
    return nil, errors.new("unsupported", "cannot read the picture inside the sandbox",
      "save it to a file")
  end
  return result.stdout
end

local function changed(what)
  return nil, errors.new("protocol", what .. " has the wrong size",
    "code in the sandbox may have changed its Python")
end

--- Make the pixels.
---@param sandbox codecell.Sandbox
---@param png string
---@param columns integer pixels wide at most
---@param lines integer pixels high at most
---@return {width: integer, height: integer, rgb: string}?
---@return codecell.Error? err kind "unsupported" or "protocol", or the command's
function thumbnail.pixels(sandbox, png, columns, lines)
  local told, err = make(sandbox, png, tostring(columns), tostring(lines))
  if not told then
    return nil, err
  end
  local width, height, at = told:sub(1, 20):match("^(%d+) (%d+)\n()")
  local picture = width and {
    width = tonumber(width), height = tonumber(height), rgb = told:sub(at),
  }
  if not picture or picture.width > columns or picture.height > lines
    or not pixels.check(picture) then
    return changed("what should be the pixels of the picture")
  end
  return picture
end

--- Make a smaller PNG.
---@param sandbox codecell.Sandbox
---@param png string
---@param side integer pixels that neither side may pass
---@return string? png
---@return codecell.Error? err as of `pixels`
function thumbnail.png(sandbox, png, side)
  local told, err = make(sandbox, png, tostring(side), tostring(side), "png")
  if not told then
    return nil, err
  end
  local size = header.png(told)
  if not size or size.width > side or size.height > side or #told > PNG_MOST then
    return changed("what should be the smaller picture")
  end
  return told
end

return thumbnail
