// What the official SDK for JavaScript does with a gateway: a line "ok NAME" or "FAIL NAME ..." each.
import assert from 'node:assert'
import { Sandbox } from '@e2b/code-interpreter'

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function raises(name, called) {
  try {
    await called()
  } catch (error) {
    assert.equal(error.constructor.name, name, error.message)
    return
  }
  assert.fail('it did not raise ' + name)
}

const sandbox = await Sandbox.create({
  metadata: { 'k é': 'v&=' }, envs: { A: '1' }, timeoutMs: 120000,
})
const { commands, files } = sandbox

const cases = {
  async command() {
    const result = await commands.run('echo out $A; echo err >&2')
    assert.deepEqual([result.stdout, result.stderr, result.exitCode], ['out 1\n', 'err\n', 0])
    await raises('CommandExitError', () => commands.run('exit 3'))
    await raises('InvalidArgumentError', () => commands.run('ls', { cwd: '/nope' }))
  },

  async background() {
    const handle = await commands.run('sleep 100', { background: true })
    assert((await commands.list()).some((one) => one.pid === handle.pid))
    const other = await commands.connect(handle.pid)
    assert.equal(await handle.kill(), true)
    await raises('CommandExitError', () => handle.wait())
    await raises('CommandExitError', () => other.wait())
    assert.equal(await commands.kill(99999), false)
  },

  async input() {
    const handle = await commands.run('cat', { background: true, stdin: true })
    await commands.sendStdin(handle.pid, 'text\n')
    await commands.closeStdin(handle.pid)
    assert.equal((await handle.wait()).stdout, 'text\n')
  },

  async disconnect() {
    const handle = await commands.run('while ! [ -e go ]; do sleep 0.02; done; touch gone',
      { background: true })
    await handle.disconnect()
    await files.write('go', '')
    for (let i = 0; i < 200 && !await files.exists('gone'); i++) await sleep(20)
    assert(await files.exists('gone'))
  },

  async timeout() {
    await raises('TimeoutError', () => commands.run('sleep 60', { timeoutMs: 500 }))
    for (let i = 0; i < 200 && (await commands.list()).length > 0; i++) await sleep(20)
    assert.equal((await commands.list()).length, 0)
  },

  async parallel() {
    const numbers = Array.from({ length: 30 }, (_, i) => String(i))
    const results = await Promise.all(numbers.map((one) => commands.run('echo ' + one)))
    assert.deepEqual(results.map((one) => one.stdout.trim()), numbers)
  },

  async terminal() {
    let text = ''
    const handle = await sandbox.pty.create({
      cols: 80, rows: 24, onData: (data) => { text += new TextDecoder().decode(data) },
    })
    await sandbox.pty.resize(handle.pid, { cols: 100, rows: 30 })
    await sandbox.pty.sendInput(handle.pid, new TextEncoder().encode('stty size; exit\n'))
    await handle.wait()
    assert(text.includes('30 100'), text)
  },

  async file_verbs() {
    await files.write('a/b.txt', 'x')
    assert.equal(await files.read('a/b.txt'), 'x')
    assert.equal((await files.getInfo('a/b.txt')).size, 1)
    assert.deepEqual([await files.makeDir('d'), await files.makeDir('d')], [true, false])
    await files.rename('a/b.txt', 'd/c')
    await files.remove('d')
    assert.equal(await files.exists('d'), false)
    await files.write([{ path: 'm1', data: '1' },
      { path: 'm 2', data: new Uint8Array([0, 255]).buffer }])
    assert.deepEqual([...await files.read('m 2', { format: 'bytes' })], [0, 255])
    await files.write('packed', 'hello'.repeat(100), { gzip: true })
    assert.equal(await files.read('packed', { gzip: true }), 'hello'.repeat(100))
    const noted = await files.write('noted', 'x', { metadata: { author: 'somebody' } })
    assert.deepEqual(noted.metadata, { author: 'somebody' })
    assert.deepEqual((await files.getInfo('noted')).metadata, { author: 'somebody' })
    const large = new Blob(Array(40).fill('0123456789abcdef'.repeat(4096)))
    await files.write('large', large.stream(), { useOctetStream: true })
    assert.equal((await files.read('large', { format: 'blob' })).size, large.size)
    await raises('FileNotFoundError', () => files.read('nope'))
    await raises('FileNotFoundError', () => files.list('nope'))
  },

  async watch() {
    const seen = []
    const handle = await files.watchDir('/home/user', (event) => seen.push(event.name),
      { recursive: true })
    await files.write('watched', '1')
    for (let i = 0; i < 200 && !seen.includes('watched'); i++) await sleep(20)
    await handle.stop()
    assert(seen.includes('watched'), seen.join())
  },

  async signed_urls() {
    await files.write('u v', 'signed')
    const url = await sandbox.downloadUrl('u v', { useSignatureExpiration: 100 })
    assert.equal(await (await fetch(url)).text(), 'signed')
    const form = new FormData()
    form.append('file', new Blob(['sent']), 'x')
    const answer = await fetch(await sandbox.uploadUrl('up'), { method: 'POST', body: form })
    assert.equal(answer.status, 200)
    assert.equal(await files.read('up'), 'sent')
  },

  async life() {
    assert.deepEqual((await sandbox.getInfo()).metadata, { 'k é': 'v&=' })
    const pages = Sandbox.list({ query: { metadata: { 'k é': 'v&=' } } })
    assert.deepEqual((await pages.nextItems()).map((one) => one.sandboxId), [sandbox.sandboxId])
    assert.equal(pages.hasNext, false)
    await sandbox.setTimeout(300000)
    assert((await sandbox.getMetrics())[0].memUsed > 0)
    await sandbox.runCode('kept = 5')
    await sandbox.pause()
    assert.equal(await sandbox.isRunning(), false)
    const again = await Sandbox.connect(sandbox.sandboxId)
    assert.equal((await again.runCode('kept')).text, '5')
  },

  async reboot() {
    const one = await Sandbox.create()
    await one.runCode('lost = 1')
    await one.pause()
    const again = await Sandbox.connect(one.sandboxId, { onResume: 'reboot' })
    assert((await again.runCode('lost')).error)
    await again.kill()
    await raises('SandboxError', () => Sandbox.create({ network: { httpsPorts: [8443] } }))
  },

  async lifetime() {
    const one = await Sandbox.create({ timeoutMs: 1000,
      lifecycle: { onTimeout: 'pause', autoResume: true } })
    for (let i = 0; i < 200 && (await one.getInfo()).state !== 'paused'; i++) await sleep(20)
    assert.equal((await one.commands.run('echo back')).stdout, 'back\n')
    await one.kill()
    const other = await Sandbox.create({ timeoutMs: 1000 })
    const handle = await other.commands.run('sleep 60', { background: true })
    await raises('TimeoutError', () => handle.wait())
    assert.deepEqual([await other.isRunning(), await other.kill()], [false, false])
  },

  async code() {
    const said = []
    const execution = await sandbox.runCode('print(1)\n2', {
      onStdout: (message) => said.push(message.line), onResult: (result) => said.push(result.text),
    })
    assert.deepEqual([execution.text, ...said], ['2', '1\n', '2'])
    assert.equal((await sandbox.runCode('1 / 0')).error.name, 'ZeroDivisionError')
    assert.equal((await sandbox.runCode('1 + 1', { language: 'js' })).text, '2')
    const context = await sandbox.createCodeContext({ cwd: '/tmp' })
    await sandbox.runCode('q = 1', { context })
    assert.equal((await sandbox.runCode('q', { context })).text, '1')
    await sandbox.restartCodeContext(context)
    assert((await sandbox.runCode('q', { context })).error)
    await sandbox.removeCodeContext(context)
    await raises('NotFoundError', () => sandbox.runCode('q', { context }))
    await raises('TimeoutError', () => sandbox.runCode('while True: pass', { timeoutMs: 500 }))
    assert.equal((await sandbox.runCode('kept', { timeoutMs: 20000 })).text, '5')
  },

  async end() {
    await raises('SandboxNotFoundError', () => Sandbox.connect('i' + '0'.repeat(20)))
    await raises('AuthenticationError', () => Sandbox.create({ apiKey: 'e2b_' + '1'.repeat(40) }))
    const handle = await commands.run('sleep 60', { background: true })
    assert.deepEqual([await sandbox.kill(), await sandbox.kill()], [true, false])
    await raises('TimeoutError', () => handle.wait())
  },
}

for (const [name, called] of Object.entries(cases)) {
  try {
    await called()
    console.log('ok', name)
  } catch (error) {
    console.log('FAIL', name, error.constructor.name, error.message.slice(0, 300))
  }
}
process.exit(0)
