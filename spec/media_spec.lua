local media = require "codecell.agent.media"

-- A PNG of 2 x 2 pixels, red green over blue white: its bytes as hexadecimal digits.
local PNG = ("89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a73"
  .. "0000001349444154789c63f8cfc0c0f01f0c8111048000000049fb07f9cc81e96b0000000049454e44ae426082")
  :gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)

local function header(width, height)
  local function four(value)
    local bytes = {}
    for i = 4, 1, -1 do
      bytes[i] = string.char(value % 256)
      value = math.floor(value / 256)
    end
    return table.concat(bytes)
  end
  return "\137PNG\r\n\26\n\0\0\0\13IHDR" .. four(width) .. four(height) .. "\8\6\0\0\0\0\0\0\0"
end

describe("media.pick #E13", function()
  local result = { text = "<Figure>", png = PNG, html = "<b>", chart = { type = "line" } }

  it("picks the best format for each reader", function()
    assert.equal("png", media.pick(result, "vision").format)
    assert.equal("text", media.pick(result, "text").format)
    assert.equal("png", media.pick(result, "terminal").format)
    assert.equal("image/png", media.pick(result, "file").type)
    assert.is_nil(media.pick({}, "text"))
    assert.has_error(function() media.pick(result, "ear") end)
  end)

  it("lists every picture of an execution", function()
    local list = media.images({ results = { { text = "1" }, result, { svg = "<svg/>" } } })
    assert.same({ 2, 3 }, { list[1].index, list[2].index })
    assert.same({ 2, 2, "png" }, { list[1].width, list[1].height, list[1].format })
    assert.equal("image/svg+xml, 6 bytes", media.describe(list[2]))
  end)
end)

describe("media.png_size", function()
  it("reads the header of a PNG", function()
    local size = media.png_size(header(640, 480))
    assert.same({ width = 640, height = 480, depth = 8, colour = 6 }, size)
  end)

  it("refuses what is cut, of another kind or out of bounds", function()
    for _, bytes in ipairs({ "", "GIF89a", header(640, 480):sub(1, 20), header(0, 1),
      header(4294967295, 4294967295), header(65535, 65535) }) do
      local size, why = media.png_size(bytes)
      assert.is_nil(size)
      assert.is_string(why)
    end
  end)
end)

describe("media.jpeg_size", function()
  it("finds the frame header after other segments", function()
    local bytes = "\255\216\255\224\0\4ab\255\192\0\17\8\1\224\2\128\3"
    assert.same({ width = 640, height = 480 }, media.jpeg_size(bytes))
  end)

  it("ends on what is no JPEG", function()
    assert.is_nil(media.jpeg_size("\255\216\255" .. ("\255"):rep(5000)))
    assert.is_nil(media.jpeg_size("\255\216\255\224\0\0" .. ("\255\224\0\0"):rep(50000)))
    assert.is_nil(media.jpeg_size("nothing"))
  end)
end)

describe("media.terminal", function()
  local function protocol(env)
    return media.terminal(env).protocol
  end

  it("knows terminals by their environment", function()
    assert.equal("kitty", protocol({ TERM = "xterm-kitty", KITTY_WINDOW_ID = "1" }))
    assert.equal("kitty", protocol({ TERM = "xterm-ghostty" }))
    assert.equal("iterm2", protocol({ TERM = "xterm-256color", TERM_PROGRAM = "iTerm.app" }))
    assert.equal("iterm2", protocol({ TERM = "xterm-256color", WEZTERM_PANE = "0" }))
    assert.equal("sixel", protocol({ TERM = "foot", COLORTERM = "truecolor" }))
    assert.equal("blocks", protocol({ TERM = "xterm-256color" }))
    assert.equal("blocks", protocol({ TERM = "tmux-256color", KITTY_WINDOW_ID = "1" }))
    assert.equal("none", protocol({ TERM = "dumb" }))
    assert.equal("none", protocol({ TERM = "xterm" }))
    assert.equal("none", protocol({ TERM = "xterm-256color", NO_COLOR = "1" }))
    assert.equal("none", protocol({}))
  end)

  it("knows how many colours there are", function()
    assert.equal(16777216, media.terminal({ TERM = "xterm", COLORTERM = "truecolor" }).colours)
    assert.equal(256, media.terminal({ TERM = "xterm-256color" }).colours)
    assert.equal(0, media.terminal({ TERM = "dumb" }).colours)
  end)
end)

describe("media.draw", function()
  local pixels = {
    width = 2, height = 2,
    rgb = "\255\0\0\0\255\0\0\0\255\255\255\255",
  }

  it("passes a PNG to kitty in pieces of 4096, and asks for no answer", function()
    local big = header(100, 100) .. ("x"):rep(9000)
    local text = media.draw(big, { protocol = "kitty", columns = 40 })
    local data, count = {}, 0
    for control, piece in text:gmatch("\27_G([^;]*);([^\27]*)\27\\") do
      count = count + 1
      assert.is_true(#piece <= 4096)
      assert.equal(count < 3 and "1" or "0", control:match("m=(%d)"))
      data[count] = piece
    end
    assert.equal(3, count)
    assert.matches("^\27_Ga=T,f=100,q=2,c=40,m=1;", text)
    assert.equal(require("codecell.base64").encode(big), table.concat(data))
  end)

  it("passes a PNG to iTerm2", function()
    local text = media.draw(PNG, { protocol = "iterm2", columns = 10 })
    assert.matches("^\27%]1337;File=inline=1;size=%d+;preserveAspectRatio=1;width=10:", text)
    assert.equal("\7", text:sub(-1))
  end)

  it("draws half blocks from pixels", function()
    assert.equal("\27[38;2;255;0;0;48;2;0;0;255m\226\150\128"
      .. "\27[38;2;0;255;0;48;2;255;255;255m\226\150\128\27[0m",
      media.draw(PNG, { protocol = "blocks", colours = 16777216, pixels = pixels }))
    assert.equal("\27[38;5;196;48;5;21m\226\150\128\27[38;5;46;48;5;231m\226\150\128\27[0m",
      media.draw(PNG, { protocol = "blocks", colours = 256, pixels = pixels }))
  end)

  it("draws sixel from pixels, which it may ask for", function()
    local asked
    local text = media.draw(PNG, { protocol = "sixel", columns = 7, rows = 5,
      pixels = function(columns, rows)
        asked = { columns, rows }
        return pixels
      end })
    assert.same({ 7, 5 }, asked)
    assert.equal('\27Pq"1;1;2;2#5;2;0;0;100#5A?$#30;2;0;100;0#30?@$#180;2;100;0;0#180@?$'
      .. "#215;2;100;100;100#215?A$-\27\\", text)
  end)

  it("says what is missing when it cannot draw", function()
    for _, opts in ipairs({ { protocol = "none" }, { protocol = "sixel" },
      { protocol = "blocks", pixels = { width = 9, height = 9, rgb = "short" } } }) do
      local text, err = media.draw(PNG, opts)
      assert.is_nil(text)
      assert.equal("unsupported", err.kind)
    end
    assert.is_nil(media.draw("no picture", { protocol = "kitty" }))
  end)
end)

describe("media.thumbnail", function()
  local codecell = require "codecell"
  local sandbox

  setup(function()
    sandbox = codecell.assert(codecell.create())
  end)

  teardown(function()
    sandbox:close()
  end)

  -- A PNG made inside, of each kind of colour and each filter.
  local MAKE = [[
import struct, sys, zlib
kind, filter = int(sys.argv[1]), int(sys.argv[2])
step = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
pixel = {0: [200], 2: [200, 100, 50], 3: [1], 4: [200, 255], 6: [200, 100, 50, 255]}[kind]
wide, high, rows, above = 16, 12, b"", bytes(16 * step)
for y in range(high):
    line = bytes(pixel * wide)
    out = []
    for i in range(len(line)):
        a = line[i - step] if i >= step else 0
        b = above[i]
        c = above[i - step] if i >= step else 0
        p = a + b - c
        near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append((line[i] - [0, a, b, (a + b) // 2, near][filter]) & 255)
    rows += bytes([filter] + out)
    above = line
def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
sys.stdout.buffer.write(b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, kind, 0, 0, 0))
    + (chunk(b"PLTE", bytes([0, 0, 0, 200, 100, 50])) if kind == 3 else b"")
    + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
]]

  it("reads every kind of colour and every filter", function()
    for _, kind in ipairs({ 0, 2, 3, 4, 6 }) do
      for filter = 0, 4 do
        local made = codecell.assert(sandbox.commands:run(
          { "python3", "-I", "-c", MAKE, tostring(kind), tostring(filter) }))
        assert.equal("", made.stderr)
        local pixels = codecell.assert(media.thumbnail(sandbox, made.stdout, 8, 3))
        assert.same({ 8, 6 }, { pixels.width, pixels.height })
        local colour = (kind == 0 or kind == 4) and "\200\200\200" or "\200\100\50"
        assert.equal(colour:rep(48), pixels.rgb)
      end
    end
  end)

  it("refuses what it cannot read", function()
    local pixels, err = media.thumbnail(sandbox, "no picture", 8, 8)
    assert.is_nil(pixels)
    assert.equal("unsupported", err.kind)
    pixels, err = media.thumbnail(sandbox, header(8, 8), 8, 8)
    assert.is_nil(pixels)
    assert.equal("unsupported", err.kind)
  end)

  it("does not believe pixels of another size", function()
    local liar = { commands = { run = function()
      return { exit_code = 0, stdout = "9 9\nshort", stderr = "" }
    end } }
    local pixels, err = media.thumbnail(liar, PNG, 9, 9)
    assert.is_nil(pixels)
    assert.equal("protocol", err.kind)
  end)
end)
