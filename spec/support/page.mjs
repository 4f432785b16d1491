// What a person does with the page of a gateway, in a browser without a window: a line "ok NAME" or
// "FAIL NAME ..." each. Arguments: its URL, the key, a folder for pictures.
import assert from 'node:assert'
import { readFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'

const [url, key, folder, program] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: program, args: process.getuid() === 0 ? ['--no-sandbox'] : [],
})
const problems = [] // what browsers complain of, and requests that lead anywhere else

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(20000)
  page.on('console', (said) => said.type() === 'error' && problems.push(said.text()))
  page.on('pageerror', (error) => problems.push(error.stack))
  page.on('dialog', (shown) => {
    problems.push('dialog ' + shown.message())
    shown.dismiss()
  })
  await context.route('**/*', (route) => {
    const to = route.request().url()
    if (!to.startsWith(url + '/') && !to.startsWith('data:')) problems.push('request ' + to)
    return route.continue()
  })
  return page
}

async function enter(page) {
  await page.goto(url + '/#key=' + key)
  await page.waitForSelector('#connection.good')
  return page
}

async function create(page, name, network = 'none') {
  await page.click('#new')
  await page.fill('dialog input[name=name]', name)
  await page.selectOption('dialog select[name=network]', network)
  await page.click('dialog button[type=submit]')
  await page.waitForFunction((text) => document.querySelector('#head h2')?.textContent === text,
    name)
  await page.waitForSelector('#console:not([hidden]) #code')
}

// Run code as a person does; gives its cell, at once.
async function start(page, code, language = 'python') {
  const before = await page.locator('.cell').count()
  await page.selectOption('select[aria-label=Language]', language)
  await page.fill('#code', code)
  await page.press('#code', 'Control+Enter')
  const cell = page.locator('.cell').nth(before)
  await cell.waitFor()
  return cell
}

async function run(page, code, language) {
  const cell = await start(page, code, language)
  await cell.locator('header .state:not(.running)').waitFor({ timeout: 60000 })
  return cell
}

const state = (cell) => cell.locator('header .state').textContent()
const output = (cell) => cell.locator('.output').innerText()
const shot = (page, name) => page.screenshot({ path: `${folder}/${name}.png` })

const page = await open({ colorScheme: 'light', acceptDownloads: true })

const cases = {
  async key() {
    const other = await open()
    await other.goto(url + '/')
    assert.deepEqual(problems, [])
    await other.fill('#key', 'e2b_1')
    await other.press('#key', 'Enter')
    await other.waitForSelector('#login-problem:not(:empty)')
    problems.length = 0 // the browser tells of the 401
    await other.fill('#key', key)
    await other.press('#key', 'Enter')
    await other.waitForSelector('#connection.good')
    await enter(page)
    assert.equal(page.url(), url + '/')
    const kept = await page.evaluate(() => [JSON.stringify(sessionStorage).includes('e2b_'),
      localStorage.length, document.cookie, document.documentElement.outerHTML.includes('e2b_0')])
    assert.deepEqual(kept, [true, 0, '', false])
    await other.click('#leave')
    await other.reload()
    await other.waitForSelector('#login:not([hidden])')
    assert.equal(await other.evaluate(() => sessionStorage.getItem('codecell-key')), null)
    await other.context().close()
  },

  async streams() {
    await create(page, 'weekly report')
    const cell = await start(page, 'import time\nprint("first", flush=True)\nx = 41\n'
      + 'while not __import__("os").path.exists("go"): time.sleep(0.02)\nprint("last")\nx + 1')
    await cell.locator('.printed', { hasText: 'first' }).waitFor()
    assert.match(await cell.locator('header .state').getAttribute('class'), /running/)
    assert(!(await output(cell)).includes('last'))
    await run(page, 'touch go', 'bash')
    await cell.locator('header .state.good').waitFor()
    assert.match(await output(cell), /first\s+last[^]*42/)
  },

  async follows() { // what was printed last is seen, until whoever looks has gone up
    const cell = await start(page, 'import os, time\nfor i in range(200): print("early", i)\n'
      + 'while not os.path.exists("up"): time.sleep(0.02)\nfor i in range(200): print("late", i)')
    const printed = cell.locator('.printed', { hasText: 'early 199' })
    await printed.waitFor()
    const below = () => printed.evaluate((one) => one.scrollHeight - one.scrollTop
      - one.clientHeight)
    assert(await below() < 2, `${await below()} below`)
    await printed.evaluate((one) => new Promise((done) => {
      one.addEventListener('scroll', done, { once: true })
      one.scrollTop = 50
    }))
    await run(page, 'touch up', 'bash')
    await cell.locator('header .state.good').waitFor()
    await cell.locator('.printed', { hasText: 'late 199' }).waitFor()
    assert.equal(await printed.evaluate((one) => one.scrollTop), 50)
  },

  async chart() {
    const cell = await run(page, 'import matplotlib.pyplot as plt\nplt.plot([1, 2, 3], [4, 6, 5], '
      + 'label="units")\nplt.title("Work done")\nplt.legend()\nplt.show()')
    await cell.locator('figure.chart svg path.line').waitFor()
    assert.equal(await cell.locator('figcaption').textContent(), 'Work done')
    assert.match(await cell.locator('.legend').textContent(), /units/)
    await cell.getByRole('button', { name: 'picture' }).click()
    await cell.locator('img.picture[src^="data:image/png"]').waitFor()
    const kinds = await run(page, 'import matplotlib.pyplot as plt\n'
      + 'fig, all = plt.subplots(1, 3)\nall[0].bar(["a", "b"], [3, -4])\n'
      + 'all[1].pie([1, 2], labels=["p", "q"])\nall[2].scatter([1, 10], [5, 6])\nplt.show()\n'
      + 'plt.boxplot([[1, 2, 3, 4, 5], [2, 4, 6, 8, 9]], patch_artist=True)\n'
      + 'plt.xticks([1, 2], ["first", "second"])\nplt.show()')
    for (const [what, count] of [['figure.chart', 4], ['rect[class^=fill]', 2], ['path.piece', 2],
      ['circle[class*=fill]', 2], ['rect.box', 2]]) {
      assert.equal(await kinds.locator(what).count(), count, what)
    }
  },

  async table() {
    const cell = await run(page, 'import pandas as pd\npd.DataFrame({"s": ["x", "y", "z"], '
      + '"n": [10, 9, 100]})')
    await cell.locator('table').waitFor()
    assert.deepEqual(await cell.locator('thead th').allTextContents(), ['s', 'n'])
    await cell.getByRole('button', { name: 'n', exact: true }).click()
    assert.deepEqual(await cell.locator('tbody td.number').allTextContents(), ['9', '10', '100'])
    const saved = page.waitForEvent('download')
    await cell.getByRole('button', { name: 'Save as CSV' }).click()
    assert.equal(await readFile(await (await saved).path(), 'utf8'),
      's,n\r\nx,10\r\ny,9\r\nz,100\r\n')
    await cell.getByRole('button', { name: 'html' }).click()
    const inside = cell.frameLocator('iframe').locator('td').first()
    assert.equal(await inside.textContent(), 'x')
    await cell.getByRole('button', { name: 'table' }).click()
  },

  async forms() {
    const cell = await run(page, 'from IPython.display import display, Markdown, JSON, Latex\n'
      + 'display(Markdown("# Title\\n\\n- one **two**\\n\\n| a | b |\\n|---|---|\\n| 1 | 2 |"))\n'
      + 'display(Latex("$x^2$"))\n{"k": [1, 2]}').catch(() => null)
    const text = await output(cell)
    for (const part of ['Title', 'two', 'x^2', "'k'"]) assert(text.includes(part), text)
    assert.equal(await cell.locator('.markdown strong').textContent(), 'two')
  },

  async error() {
    const cell = await run(page, 'def f(): return 1 / 0\nf()')
    assert.match(await state(cell), /^failed/)
    const told = await cell.locator('.failure').innerText()
    assert.match(told, /ZeroDivisionError: division by zero[^]*in f/)
  },

  async refusal() {
    const cell = await run(page, 'import urllib.request\n'
      + 'urllib.request.urlopen("http://example.com/data.csv")')
    await cell.locator('.refusal').waitFor()
    assert.match(await cell.locator('.refusal').innerText(), /Refused: example\.com:80/)
    await page.locator('#refusals', { hasText: '1' }).waitFor()
    await page.click('#tab-events')
    await page.locator('#events tr.refused .refusal').waitFor()
    await page.check('#only-refusals')
    assert(!(await page.locator('#events tbody').innerText()).includes('Sandbox created'))
    await page.uncheck('#only-refusals')
    await page.click('#tab-console')
  },

  async interrupt() {
    const cell = await start(page, 'kept = 5\nprint("on", flush=True)\nwhile True: pass')
    await cell.locator('.printed', { hasText: 'on' }).waitFor()
    await page.keyboard.press('Control+.')
    await cell.locator('header .state.warn', { hasText: 'interrupted' }).waitFor()
    const next = await run(page, 'kept + 1')
    assert.equal((await output(next)).trim(), '6')
  },

  async languages() {
    const names = await page.locator('select[aria-label=Language] option').allTextContents()
    assert(names.includes('python') && names.includes('bash'))
    const failed = []
    for (const name of names) {
      await page.selectOption('select[aria-label=Language]', name)
      await page.getByRole('button', { name: 'Example' }).click()
      const code = await page.inputValue('#code')
      const cell = code ? await run(page, code, name) : null
      if (cell && !/^done/.test(await state(cell))) failed.push(name + ': ' + await output(cell))
    }
    assert.deepEqual(failed, [])
  },

  async contexts() {
    await page.selectOption('select[aria-label=Language]', 'python')
    await page.getByRole('button', { name: 'New context' }).click()
    await page.fill('dialog input', '/tmp')
    await page.click('dialog button[type=submit]')
    await page.waitForFunction(() =>
      document.querySelector('select[aria-label=Context]').value !== '')
    const cell = await run(page, 'import os\nq = 1\nos.getcwd()')
    assert.match(await output(cell), /\/tmp/)
    await page.getByRole('button', { name: 'Restart' }).click()
    await page.waitForFunction(() =>
      document.querySelector('#announcer').textContent === 'The context was restarted')
    assert.match(await output(await run(page, 'q')), /NameError/)
    await page.locator('.composer').getByRole('button', { name: 'Remove' }).click()
    await page.waitForFunction(() =>
      document.querySelector('select[aria-label=Context]').value === '')
  },

  async files() {
    await page.click('#tab-files')
    const table = page.locator('#files tbody')
    await page.setInputFiles('#upload', { name: 'a b ü.csv', mimeType: 'text/csv',
      buffer: Buffer.from('n,s\n1,é\n') })
    await table.locator('tr', { hasText: 'a b ü.csv' }).waitFor()
    await page.getByRole('button', { name: 'file a b ü.csv', exact: true }).click()
    await page.locator('.viewed pre', { hasText: '1,é' }).waitFor()
    const saved = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save a b ü.csv', exact: true }).click()
    assert.equal((await saved).suggestedFilename(), 'a b ü.csv')
    assert.equal(await readFile(await (await saved).path(), 'utf8'), 'n,s\n1,é\n')
    await page.getByRole('button', { name: 'New folder' }).click()
    await page.fill('dialog input', 'made here')
    await page.click('dialog button[type=submit]')
    await table.locator('tr', { hasText: 'made here/' }).waitFor()
    await page.getByRole('button', { name: 'Rename a b ü.csv', exact: true }).click()
    await page.fill('dialog input', 'made here/numbers.csv')
    await page.click('dialog button[type=submit]')
    await table.locator('tr', { hasText: 'a b ü.csv' }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'folder made here', exact: true }).click()
    await table.locator('tr', { hasText: 'numbers.csv' }).waitFor()
    await page.getByRole('button', { name: 'Remove numbers.csv', exact: true }).click()
    await page.click('dialog button[type=submit]')
    await table.locator('td.empty').waitFor()
    await page.locator('.crumbs').getByRole('button', { name: 'user' }).click()
    await table.locator('tr', { hasText: 'made here/' }).waitFor()
  },

  async terminal() {
    await page.click('#tab-terminal')
    await page.getByRole('button', { name: 'Start a shell' }).click()
    const screen = page.locator('.screen')
    await screen.locator('div', { hasText: '$' }).first().waitFor()
    await page.keyboard.type('printf "\\033[1;32m%s\\033[0m\\n" gre""en; stty size\n')
    await screen.locator('span.bold.front2', { hasText: 'green' }).waitFor()
    const [, rows, columns] = /\n(\d+) (\d+)\n/.exec(await screen.innerText())
    assert(Number(rows) > 10 && Number(columns) > 80, `${rows} ${columns}`)
    await page.keyboard.type('printf "\\033[?1049h\\033[2;3Hother"; read -n 1; '
      + 'printf "\\033[?1049l"; echo af""ter\n')
    await screen.locator('div', { hasText: /^ {2}other/ }).first().waitFor()
    assert.equal(await screen.locator('span.front2').count(), 0)
    await page.keyboard.press('q')
    await screen.locator('span.bold.front2', { hasText: 'green' }).waitFor()
    await screen.locator('div', { hasText: /^after$/ }).first().waitFor()
    await page.keyboard.type('exit\n')
    await page.locator('.terminal .about', { hasText: 'The shell has ended' }).waitFor()
  },

  async life() {
    await page.locator('#head').getByRole('button', { name: 'Pause' }).click()
    await page.locator('#head .state.warn', { hasText: 'paused' }).waitFor()
    await page.click('#tab-console')
    await page.fill('#code', 'kept')
    await page.press('#code', 'Control+Enter')
    await page.locator('.notice', { hasText: 'paused: resume it first' }).waitFor()
    assert.equal(await page.inputValue('#code'), 'kept')
    await page.locator('#head').getByRole('button', { name: 'Resume' }).click()
    await page.locator('#head .state.good', { hasText: 'running' }).waitFor()
    await page.selectOption('select[aria-label="Give it time"]', '3600')
    await page.locator('#head .meters', { hasText: /time left59:5\d|time left1:00:00/ }).waitFor()
    assert.equal((await output(await run(page, 'kept'))).trim(), '5')
  },

  async others() { // what other programs do is seen
    const told = await fetch(url + '/sandboxes', { method: 'POST',
      headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
      body: JSON.stringify({ templateID: 'base', timeout: 60, metadata: { name: 'of another' } }) })
    const { sandboxID } = await told.json()
    const item = page.locator('#sandboxes li', { hasText: 'of another' })
    await item.waitFor()
    assert.match(await item.innerText(), /[KM]iB/)
    await fetch(url + '/sandboxes/' + sandboxID, { method: 'DELETE',
      headers: { 'X-API-Key': key } })
    await item.waitFor({ state: 'detached' })
  },

  async quiet() { // nothing that was done until here made a browser complain
    assert.deepEqual(problems, [])
  },
}

Object.assign(cases, (await import('./page_attacks.mjs')).default({ open, enter, create, run, start,
  output, state, shot, page, problems, key, url }))

for (const [name, called] of Object.entries(cases)) {
  try {
    await called()
    console.log('ok', name)
  } catch (error) {
    console.log('FAIL', name, error.constructor.name, error.message.slice(0, 900))
    await shot(page, 'failed-' + name)
  }
}
await browser.close()
process.exit(0)
