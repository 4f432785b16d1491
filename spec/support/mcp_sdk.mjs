// What an official client for JavaScript does with `codecell mcp`: a line "ok NAME" or "FAIL NAME ..." each.
// node mcp_sdk.mjs 1|2 PROTOCOL COMMAND... or URL KEY
import assert from 'node:assert'
import net from 'node:net'

const [line, wanted, ...place] = process.argv.slice(2)
const isHttp = place[0].startsWith('http')

async function load() {
  if (line === '2') {
    const main = await import('@modelcontextprotocol/client')
    const stdio = await import('@modelcontextprotocol/client/stdio')
    return { ...main, ...stdio }
  }
  return {
    ...await import('@modelcontextprotocol/sdk/client/index.js'),
    ...await import('@modelcontextprotocol/sdk/client/stdio.js'),
    ...await import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    ...await import('@modelcontextprotocol/sdk/types.js'),
  }
}

// Between client and server; where it is told to, it cuts the answer to a POST behind its first event.
let isToCut = false
async function between(url) {
  const proxy = net.createServer((near) => {
    const far = net.connect(url.port, url.hostname)
    let isPost = false
    near.on('data', (bytes) => {
      if (/^[A-Z]+ \//.test(bytes)) isPost = bytes.toString().startsWith('POST')
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (isToCut && isPost && /\ndata:\n/.test(bytes)) {
        isToCut = false
        near.end(bytes, () => near.destroy())
        far.destroy()
      } else near.write(bytes)
    })
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('close', () => other.destroy()).on('error', () => other.destroy())
    }
  })
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done))
  return new URL(`http://127.0.0.1:${proxy.address().port}${url.pathname}`)
}

const sdk = await load()
const transport = isHttp
  ? new sdk.StreamableHTTPClientTransport(await between(new URL(place[0])),
    { requestInit: { headers: { Authorization: 'Bearer ' + place[1] } } })
  : new sdk.StdioClientTransport({ command: place[0], args: place.slice(1), stderr: 'inherit' })
const client = new sdk.Client({ name: 'spec', version: '1' },
  line === '2' ? { versionNegotiation: { mode: 'auto' } } : {})
const heard = []
const hear = (message) => { heard.push(message) }
if (line === '2') {
  for (const method of ['notifications/message', 'notifications/resources/updated',
    'notifications/resources/list_changed']) {
    client.setNotificationHandler(method, hear)
  }
} else {
  client.setNotificationHandler(sdk.LoggingMessageNotificationSchema, hear)
  client.setNotificationHandler(sdk.ResourceUpdatedNotificationSchema, hear)
  client.setNotificationHandler(sdk.ResourceListChangedNotificationSchema, hear)
}
await client.connect(transport)

const run = (code, options) => line === '2'
  ? client.callTool({ name: 'run_code', arguments: { code } }, options)
  : client.callTool({ name: 'run_code', arguments: { code } }, undefined, options)
const text = (result) => result.content.map((part) => part.text ?? '').join('\n')
async function until(what) {
  for (let i = 0; i < 600 && !what(); i++) await new Promise((done) => setTimeout(done, 50))
  assert(what(), 'waited in vain')
}
const isModern = wanted === '2026-07-28'

const cases = {
  async begins() {
    const version = line === '2' ? client.getNegotiatedProtocolVersion() : transport.protocolVersion ?? wanted
    assert.equal(version, wanted)
    assert.equal(client.getServerVersion().name, 'codecell')
    assert.match(client.getInstructions(), /no network/)
    if (!isModern) await client.ping()
  },
  async lists() {
    const { tools } = await client.listTools()
    assert.deepEqual(tools.map((tool) => tool.name),
      ['run_code', 'run_shell', 'files', 'install', 'read_output', 'job'])
    assert.equal((await client.listPrompts()).prompts.length, 2)
    assert.equal((await client.listResourceTemplates()).resourceTemplates.length, 2)
  },
  async calls() {
    await run('x = 20')
    const result = await run('print("out"); x + 1')
    assert.equal(result.structuredContent.results[0], '21')
    assert.match(text(result), /out/)
    const failed = await run('1 / 0')
    assert.equal(failed.isError, true)
    assert.match(text(failed), /ZeroDivisionError/)
    await assert.rejects(client.callTool({ name: 'nope', arguments: {} }))
  },
  async shows() {
    const result = await run(`class Picture:
    def _repr_png_(self):
        import base64
        return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
            "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
Picture()`)
    const image = result.content.find((part) => part.type === 'image')
    assert.equal(image.mimeType, 'image/png')
    assert.equal(Buffer.from(image.data, 'base64').subarray(1, 4).toString(), 'PNG')
  },
  async progresses() {
    const seen = []
    await run('import time\nprint("step", flush=True)\ntime.sleep(3)',
      { onprogress: (progress) => seen.push(progress) })
    assert(seen.some((progress) => progress.message === 'step'), JSON.stringify(seen))
  },
  async cancels() {
    await run('kept = 1')
    const giveUp = new AbortController()
    setTimeout(() => giveUp.abort('enough'), 300)
    await assert.rejects(run('import time; time.sleep(1000)', { signal: giveUp.signal }))
    assert.match(text(await run('kept + 1')), /2/)
  },
  async reads() {
    await run('open("a.csv", "w").write("a,b"); open("raw", "wb").write(bytes([0, 255]))')
    const { resources } = await client.listResources(undefined, { cacheMode: 'refresh' })
    const one = resources.find((resource) => resource.name === 'a.csv')
    assert.equal(one.mimeType, 'text/csv')
    assert.equal((await client.readResource({ uri: one.uri })).contents[0].text, 'a,b')
    assert.equal((await client.readResource({ uri: 'sandbox:///home/user/raw' })).contents[0].blob, 'AP8=')
    await assert.rejects(client.readResource({ uri: 'sandbox:///nowhere' }))
  },
  async hears() {
    const uri = 'sandbox:///home/user/a.csv'
    if (isModern) await client.listen({ resourcesListChanged: true, resourceSubscriptions: [uri] })
    else await client.subscribeResource({ uri })
    const has = (method) => () => heard.some((message) => message.method === method)
    await until(() => {
      run('open("a.csv", "a").write("c"); import os; open(os.urandom(4).hex(), "w")').catch(() => {})
      return has('notifications/resources/updated')() && has('notifications/resources/list_changed')()
    })
  },
  async logs() {
    if (isModern) {
      await client.callTool({ name: 'run_code', arguments: { code: 'print("logged")' },
        _meta: { 'io.modelcontextprotocol/logLevel': 'info' } })
    } else {
      await client.setLoggingLevel('info')
      await run('print("logged")')
    }
    await until(() => heard.some((message) => message.params?.data === 'logged\n'))
  },
  async resumes() {
    if (!isHttp) return
    isToCut = true
    const call = run('import os, time\nwhile not os.path.exists("go"): time.sleep(0.05)\n"it went on"')
    await until(() => !isToCut)
    await client.callTool({ name: 'run_shell', arguments: { command: 'touch go' } })
    assert.match(text(await call), /it went on/)
  },
  async completes() {
    const found = await client.complete({ ref: { type: 'ref/prompt', name: 'analyze_file' },
      argument: { name: 'path', value: 'a.c' } })
    assert.deepEqual(found.completion.values, ['a.csv'])
    const prompt = await client.getPrompt({ name: 'analyze_file', arguments: { path: 'a.csv' } })
    assert.match(prompt.messages[0].content.text, /a\.csv/)
  },
}

for (const [name, called] of Object.entries(cases)) {
  try {
    await called()
    console.log('ok ' + name)
  } catch (error) {
    console.log('FAIL ' + name + ' ' + error.stack)
  }
}
await transport.terminateSession?.()
await client.close()
process.exit(0)
