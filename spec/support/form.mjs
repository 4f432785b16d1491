// What a person does with the form of a coding agent, in a browser without a window: a line "ok NAME"
// or "FAIL NAME ..." each, and "posted JSON" of what was sent. Arguments: the page with an action,
// one without, one whose values are markup, the browser.
import assert from 'node:assert'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'

const [acting, plain, hostile, program] = process.argv.slice(2)
const pages = { '/acting': acting, '/plain': plain, '/hostile': hostile }
const posted = []
let answer = 200
const server = createServer(async (request, response) => {
  if (request.method === 'POST' && request.url === '/save') {
    let body = ''
    for await (const chunk of request) body += chunk
    posted.push({ body, kind: request.headers['content-type'] })
    response.writeHead(answer)
    return response.end(answer === 200 ? '{}' : 'name: taken already')
  }
  if (request.url === '/around') {
    response.writeHead(200, { 'Content-Type': 'text/html' })
    return response.end('<iframe src="/plain"></iframe><script>'
      + 'addEventListener("message", event => { window.told = event.data })</script>')
  }
  const file = pages[request.url]
  response.writeHead(file ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' })
  response.end(file ? await readFile(file) : '')
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = 'http://127.0.0.1:' + server.address().port

const browser = await chromium.launch({
  executablePath: program, args: process.getuid() === 0 ? ['--no-sandbox'] : [],
})
const problems = []

async function open(path) {
  const page = await (await browser.newContext({ acceptDownloads: true })).newPage()
  page.setDefaultTimeout(20000)
  page.on('console', (said) => said.type() === 'error' && !said.text().includes('409')
    && !said.location().url.endsWith('favicon.ico') && problems.push(said.text()))
  page.on('pageerror', (error) => problems.push(error.stack))
  page.on('dialog', (shown) => { problems.push('dialog ' + shown.message()); shown.dismiss() })
  page.on('request', (request) => {
    const to = request.url()
    if (!to.startsWith(url + '/') && !to.startsWith('blob:')) problems.push('request ' + to)
  })
  await page.goto(url + path)
  return page
}

const cases = {
  async values() {
    const page = await open('/plain')
    assert.equal(await page.inputValue('[name=name]'), 'Data Analysis Assistant')
    assert.equal(await page.inputValue('[name=defaultPackages]'), 'pandas, numpy, matplotlib')
    assert.equal(await page.inputValue('[name=timeout]'), '600')
    assert.equal(await page.isChecked('[name=enableFileSystem]'), true)
    assert.equal(await page.isChecked('[name=enableNetwork]'), false)
    for (const name of ['description', 'systemPrompt', 'maxExecutionTime', 'allowedPackages',
      'enableGPU']) assert.equal(await page.locator(`[name=${name}]`).count(), 1, name)
  },
  async posts() {
    const page = await open('/acting')
    await page.fill('[name=name]', 'Other "name" </script> é')
    await page.fill('[name=systemPrompt]', 'Two\nlines')
    await page.fill('[name=defaultPackages]', 'pandas,  requests[socks]>=2\nnumpy')
    await page.fill('[name=timeout]', '77.5')
    await page.check('[name=enableNetwork]')
    await page.uncheck('[name=enableFileSystem]')
    await page.click('button')
    await page.waitForSelector('output pre')
    assert.equal(posted[0].kind, 'application/json')
    console.log('posted ' + JSON.stringify(JSON.parse(posted[0].body)))
  },
  async refuses() {
    const page = await open('/acting')
    const before = posted.length
    await page.fill('[name=name]', ' ')
    await page.fill('[name=defaultPackages]', 'x; rm -rf /')
    await page.evaluate(() => { document.querySelector('form').noValidate = true })
    await page.fill('[name=timeout]', '-1')
    await page.click('button')
    const told = await page.textContent('[role=alert]')
    assert.match(told, /Name: it needs one/)
    assert.match(told, /Default packages: /)
    assert.match(told, /Sandbox timeout: above 0/)
    assert.equal(await page.getAttribute('[name=timeout]', 'aria-invalid'), 'true')
    assert.equal(posted.length, before)
  },
  async answer() {
    answer = 409
    const page = await open('/acting')
    await page.click('button')
    await page.waitForFunction(() =>
      document.querySelector('[role=alert]').textContent === 'name: taken already')
    assert.equal(await page.locator('output pre').count(), 0)
    answer = 200
  },
  async file() {
    const page = await open('/plain')
    await page.click('button')
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('output a')])
    assert.equal(download.suggestedFilename(), 'agent.json')
    const config = JSON.parse(await readFile(await download.path(), 'utf8'))
    assert.equal(config.timeout, 600)
    assert.deepEqual(config.defaultPackages, ['pandas', 'numpy', 'matplotlib'])
  },
  async around() {
    const page = await open('/around')
    await page.frameLocator('iframe').locator('button').click()
    await page.waitForFunction(() => window.told?.codecell === 'save')
    assert.equal(await page.evaluate(() => window.told.config.name), 'Data Analysis Assistant')
  },
  async hostile() {
    const page = await open('/hostile')
    const text = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    assert.equal(await page.inputValue('[name=name]'), text)
    assert.equal(await page.inputValue('[name=systemPrompt]'), '\n</textarea>' + text)
    assert.equal(await page.locator('img').count(), 0)
    await page.click('button')
    assert.equal(JSON.parse(await page.textContent('output pre')).name, text)
  },
  async keyboard() {
    const page = await open('/plain')
    await page.focus('[name=name]')
    await page.keyboard.press('Control+a')
    await page.keyboard.type('Typed')
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab')
      if (await page.evaluate(() => document.activeElement.tagName === 'BUTTON')) break
    }
    await page.keyboard.press('Enter')
    assert.equal(JSON.parse(await page.textContent('output pre')).name, 'Typed')
    for (const name of await page.$$eval('form [name]', (list) => list.map((one) => one.name)))
      assert.equal(await page.locator(`label[for=${name}]`).count(), 1, name)
  },
}

for (const [name, run] of Object.entries(cases)) {
  try {
    await run()
    console.log('ok ' + name)
  } catch (error) {
    console.log('FAIL ' + name + ' ' + error.stack)
  }
}
console.log(problems.length ? 'FAIL quiet ' + problems.join('; ') : 'ok quiet')
await browser.close()
server.close()
