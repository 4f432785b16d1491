// The official SDK for JavaScript as a co-process of run.py; the verbs are those of client.lua. Its argument is the
// folder whose node_modules has the SDK.
import assert from 'node:assert'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'

const require = createRequire(path.join(path.resolve(process.argv[2]), 'none.js'))
const { Sandbox } = require('@e2b/code-interpreter')

const now = () => process.hrtime.bigint()
let kept

async function living() {
  kept ??= await Sandbox.create({ timeoutMs: 3600000 })
  return kept
}

async function each(count, action) {
  const times = []
  for (let i = 0; i < count; i++) {
    const start = now()
    await action()
    times.push(now() - start)
  }
  return times
}

const verbs = {
  async create() {
    const start = now()
    const sandbox = await Sandbox.create({ timeoutMs: 3600000 })
    const made = now()
    await sandbox.kill()
    return [made - start, now() - made]
  },

  async command(count) {
    const { commands } = await living()
    return each(count, () => commands.run('true'))
  },

  async cell(count) {
    const sandbox = await living()
    return each(count, () => sandbox.runCode('1+1'))
  },

  async file(size) {
    const { files } = await living()
    const data = new Uint8Array(size).fill(120).buffer
    const start = now()
    await files.write('/tmp/bench', data)
    const written = now()
    const back = await files.read('/tmp/bench', { format: 'bytes' })
    const done = now()
    assert.equal(back.length, size)
    return [written - start, done - written]
  },

  async many(count) {
    const { commands } = await living()
    const numbers = Array.from({ length: count }, (_, i) => String(i))
    const start = now()
    const results = await Promise.all(numbers.map((one) => commands.run('echo ' + one)))
    const length = now() - start
    assert.deepEqual(results.map((one) => one.stdout.trim()), numbers)
    return [length]
  },

  async memory() {
    return [fs.readFileSync('/proc/self/smaps_rollup', 'utf8').match(/^Pss: +(\d+)/m)[1]]
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, count] = line.split(' ')
  try {
    console.log((await verbs[verb](Number(count))).join(' '))
  } catch (problem) {
    console.log('error', problem.constructor.name, problem.message.replace(/\s+/g, ' '))
  }
}
await kept?.kill()
process.exit(0)
