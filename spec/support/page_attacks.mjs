// Without a mouse, in every look, and with sandboxes that mean no good: the rest of page.mjs.
import assert from 'node:assert'

const MARK = '<img src=x onerror="top.hacked=1"><script>top.hacked=1</script>'

const HOSTILE = `
from IPython.display import display, HTML, Markdown, SVG, Latex
MARK = ${JSON.stringify(MARK)}
LINKS = ('<link rel="dns-prefetch" href="//leak.example">'
  '<link rel=preconnect href="//leak.example">'
  '<meta http-equiv="refresh" content="0;url=http://leak.example/">'
  '<base href="http://leak.example/">'
  '<a href="http://leak.example/" ping="http://leak.example/">go</a>'
  '<img src="http://leak.example/i.png"><style>@import "http://leak.example/s.css";'
  'b{background:url(http://leak.example/b.png)}</style><iframe src="http://leak.example"></iframe>'
  '<svg><style><img src="http://leak.example/t.png"></style><script>top.hacked=1</script></svg>'
  '<math><mtext><table><mglyph><style><!--</style>'
  '<img title="--&gt;&lt;img src=1 onerror=top.hacked=1&gt;">'
  '<form action="http://leak.example"><input name=a><button>send</button></form><b>bold</b>'
  '<object data="http://leak.example"></object><embed src="http://leak.example">')
display(HTML(MARK + LINKS))
display(HTML('</iframe></div>' + MARK
  + '<template><img src="http://leak.example/u.png"></template>'))
display(Markdown(MARK + ' [a](javascript:top.hacked=1) ![b](http://leak.example/m.png)'
  ' <b onclick="top.hacked=1">x</b>'))
display(SVG('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
  '<script>top.hacked=1</script><image href="http://leak.example/v.png" width="5" height="5"/>'
  '<rect width="9" height="9" onload="top.hacked=1"/></svg>'))
display(Latex(MARK))
print(MARK, '\\x1b]8;;http://leak.example\\x07link\\x1b]8;;\\x07 \\x1b]0;title\\x07')
import pandas as pd
display(pd.DataFrame({MARK: [MARK, '=1+1'], '__proto__': [1, 2]}))
import matplotlib.pyplot as plt
plt.bar([MARK, 'b'], [1, 2], label=MARK)
plt.title(MARK); plt.xlabel(MARK); plt.legend(); plt.show()
open('<img src=x onerror=top.hacked=1>.html', 'w').write(MARK)
open('a\\u202egpj.exe', 'w').write('x')
open('x.svg', 'w').write('<svg xmlns="http://www.w3.org/2000/svg">'
  '<script>top.hacked=1</script></svg>')
class Odd(Exception): pass
Odd.__name__ = MARK
raise Odd(MARK)
`

export default ({ open, enter, create, run, start, output, state, shot, page, problems }) => {
  const frames = () => page.frames().filter((one) => one !== page.mainFrame())
  const isHacked = () => page.evaluate(() => 'hacked' in window)

  return {
    async hostile() {
      await page.click('#tab-console')
      const cell = await run(page, HOSTILE)
      assert.match(await state(cell), /^failed/)
      const told = await output(cell)
      assert(told.includes('<script>top.hacked=1</script>'))
      for (const form of await cell.locator('.forms button').all()) await form.click()
      await page.waitForTimeout(300)
      assert.equal(await cell.locator('script, [onerror], [onclick], a[href]').count(), 0)
      for (const one of frames()) {
        const inside = await one.content()
        assert(!/leak\.example|onerror|<script|<link|<form|<svg/.test(inside.replace(/&lt;.*?&gt;/g,
          '')), inside)
      }
      assert.equal(await isHacked(), false)
      assert.deepEqual(problems.filter((one) => /^(request|dialog)/.test(one)), [])
    },

    async names() { // of files and of sandboxes
      await page.click('#tab-files')
      await page.getByRole('button', { name: 'Refresh' }).click()
      await page.locator('#files tr', { hasText: 'onerror' }).waitFor()
      assert.equal(await page.locator('#files img').count(), 0)
      await page.locator('#files button.name', { hasText: 'onerror' }).click()
      await page.locator('.viewed pre', { hasText: '<script>' }).waitFor()
      await page.locator('#files button.name', { hasText: 'x.svg' }).click()
      await page.locator('.viewed img[src^="data:image/svg+xml"]').waitFor()
      const saving = page.waitForEvent('download')
      await page.locator('#files tr', { hasText: 'onerror' }).getByRole('button', { name: 'Save' })
        .click()
      assert(!/[<>:"|?*]/.test((await saving).suggestedFilename()))
      await create(page, MARK.slice(0, 60))
      assert.equal(await page.locator('#side img, #head img').count(), 0)
      await run(page, '1')
      assert.equal(await isHacked(), false)
    },

    async flood() { // of output, of results, of one line, and of what takes long to read
      const cell = await run(page, 'for i in range(300000): print("x" * 90)')
      assert.match(await state(cell), /^done/)
      const size = await cell.evaluate((node) => node.textContent.length)
      assert(size < 500000, String(size))
      assert.match(await output(cell), /are not kept here/)
      const line = await run(page, 'import sys\nsys.stdout.write("y" * 5000000)')
      assert(await line.evaluate((node) => node.textContent.length) < 700000)
      const many = await run(page, 'for i in range(1000): display(i)')
      assert.equal(await many.locator('.result').count(), 100)
      const turns = await run(page, 'import sys\nfor i in range(3000):\n'
        + '    print(1, flush=True)\n    print(2, file=sys.stderr, flush=True)')
      assert(await turns.locator('.printed').count() < 400)
      await run(page, 'from IPython.display import display, Markdown\n'
        + 'for text in ("*" * 99999, "[" * 99999, "`" * 99999, "# " + "#" * 99990 + "x", '
        + '" " * 99999 + "x", "a|b\\n" + "-" + " " * 90000 + "x", "_a" * 49999, "> " * 49999):\n'
        + '    display(Markdown(text))\nprint("\\ra" * 400000)')
      assert.equal((await output(await run(page, '6 * 7'))).trim(), '42')
    },

    async keyboard() { // from the first to the last without a mouse
      const other = await open()
      const keys = async (...names) => {
        for (const name of names) await other.keyboard.press(name)
      }
      await other.goto(page.url())
      await other.waitForSelector('#login:not([hidden])')
      await other.keyboard.type(await page.evaluate(() => sessionStorage.getItem('codecell-key')))
      await keys('Enter')
      await other.waitForSelector('#connection.good')
      await keys('Alt+n')
      await other.waitForSelector('dialog[open] input')
      await other.keyboard.type('by keys')
      await keys('Enter')
      await other.waitForFunction(() => document.activeElement?.id === 'code'
        && document.querySelector('#head h2').textContent === 'by keys')
      await other.keyboard.type('def f(x):\nreturn x * 2\n')
      await keys('Backspace')
      await other.keyboard.type('f(21)')
      assert.equal(await other.inputValue('#code'), 'def f(x):\n    return x * 2\nf(21)')
      await keys('Control+Enter')
      await other.locator('.cell .state.good').waitFor()
      assert.match(await output(other.locator('.cell').first()), /42/)
      await keys('Alt+ArrowUp')
      assert.match(await other.inputValue('#code'), /^def f/)
      const seen = await other.evaluate(() => getComputedStyle(document.activeElement).outlineStyle)
      assert.equal(seen, 'solid')
      await keys('Tab') // no trap
      assert.notEqual(await other.evaluate(() => document.activeElement.id), 'code')
      await keys('Alt+2')
      await other.waitForFunction(() => document.activeElement.id === 'tab-files')
      await keys('ArrowRight', 'ArrowRight')
      await other.waitForFunction(() => document.activeElement.id === 'tab-events')
      await keys('Alt+/')
      await other.locator('dialog[open] kbd').first().waitFor()
      await keys('Escape', 'Alt+3', 'Tab', 'Enter')
      await other.locator('.screen div', { hasText: '$' }).first().waitFor()
      await other.keyboard.type('echo in""side\n')
      await other.locator('.screen div', { hasText: /^inside$/ }).first().waitFor()
      await keys('Shift+Escape')
      assert.equal(await other.evaluate(() => document.activeElement.id), 'tab-terminal')
      await keys('Alt+s')
      await keys('ArrowDown', 'ArrowUp')
      await other.evaluate(() => [...document.querySelectorAll('#head button')].at(-1).focus())
      await keys('Enter')
      await other.waitForSelector('dialog[open]')
      await keys('Enter')
      await other.locator('#sandboxes li', { hasText: 'by keys' }).waitFor({ state: 'detached' })
      const unnamed = await other.evaluate(() => [...document.querySelectorAll(
        'button, input, select, textarea')].filter((one) => !one.textContent.trim()
        && !one.getAttribute('aria-label') && !one.labels?.length).length)
      assert.equal(unnamed, 0)
      await other.context().close()
    },

    async looks() {
      for (const scheme of ['light', 'dark']) {
        for (const [name, width, height] of [['desk', 1280, 800], ['phone', 390, 844]]) {
          const other = await open({ colorScheme: scheme, viewport: { width, height } })
          await other.addInitScript((given) => sessionStorage.setItem('codecell-key', given),
            await page.evaluate(() => sessionStorage.getItem('codecell-key')))
          await enter(other)
          const item = other.locator('#sandboxes li', { hasText: 'weekly report' })
          await item.locator('button').click()
          await run(other, 'import pandas as pd\nimport matplotlib.pyplot as plt\n'
            + 'print("3 regions")\nplt.bar(["north", "south", "west"], [12, 30, 21])\n'
            + 'plt.ylabel("units")\nplt.show()\n'
            + 'pd.DataFrame({"region": ["north", "south", "west"], "units": [12, 30, 21]})')
          const wide = await other.evaluate(() => document.documentElement.scrollWidth)
          assert(wide <= width, `${name} ${wide}`)
          await shot(other, `${scheme}-${name}`)
          await other.context().close()
        }
      }
    },

    async kill() {
      await page.locator('#sandboxes li', { hasText: 'weekly report' }).locator('button').click()
      await page.click('#tab-console')
      const cell = await start(page, 'import time\nprint("on", flush=True)\ntime.sleep(600)')
      await cell.locator('.printed', { hasText: 'on' }).waitFor()
      await page.locator('#head').getByRole('button', { name: 'Kill' }).click()
      await page.click('dialog button[type=submit]')
      await page.locator('#sandboxes li', { hasText: 'weekly report' }).waitFor({
        state: 'detached' })
      await page.waitForSelector('#welcome:not([hidden])')
    },
  }
}
