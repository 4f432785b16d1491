// What the official SDK for JavaScript does with an account: templates, volumes and secrets. A line
// "ok NAME" or "FAIL NAME ..." each.
import assert from 'node:assert'
import fs from 'node:fs'
import { Sandbox, Secret, Template, Volume, waitForFile } from 'e2b'

async function raises(name, called, text) {
  try {
    await called()
  } catch (error) {
    assert.equal(error.constructor.name, name, error.message)
    assert(!text || text.test(error.message), error.message)
    return
  }
  assert.fail('it did not raise ' + name)
}

async function collect(paginator) {
  const all = []
  while (paginator.hasNext) all.push(...await paginator.nextItems())
  return all
}

const context = fs.mkdtempSync('/tmp/context-')
fs.mkdirSync(context + '/folder')
fs.writeFileSync(context + '/folder/one.txt', 'hello\n')
fs.symlinkSync('one.txt', context + '/folder/link')

const cases = {
  async template() {
    const lines = []
    const template = Template({ fileContextPath: context })
      .fromTemplate('base')
      .setEnvs({ COLOUR: 'red' })
      .copy('folder/*', 'data/')
      .copy('folder/one.txt', 'two.txt', { mode: 0o600 })
      .makeDir('made').makeSymlink('data/one.txt', 'linked')
      .runCmd(['cat data/link', 'echo $COLOUR > colour'])
      .setWorkdir('work')
      .setStartCmd('echo up > ~/up; sleep 100', waitForFile('/home/user/up'))
    const info = await Template.build(template, 'js-one', {
      memoryMB: 512, onBuildLogs: (entry) => lines.push(entry.message),
    })
    assert(lines.includes('hello'), lines.join('\n'))
    assert.equal(await Template.exists('js-one'), true)
    const sandbox = await Sandbox.create('js-one', { timeoutMs: 60000 })
    const { stdout } = await sandbox.commands.run(
      'cat ~/colour ~/linked ~/up; pwd; echo $COLOUR; stat -c %a ~/two.txt; readlink ~/data/link')
    assert.equal(stdout, 'red\nhello\nup\n/home/user/work\nred\n600\none.txt\n')
    const about = await sandbox.getInfo()
    assert.deepEqual([about.templateId, about.name, about.memoryMB],
      [info.templateId, 'js-one', 512])
    await sandbox.kill()
  },

  async tags() {
    const info = await Template.build(Template().fromBaseImage(), 'js-tags', { tags: ['v1'] })
    const given = await Template.assignTags('js-tags:v1', ['production', 'latest'])
    assert.equal(given.buildId, info.buildId)
    await Template.removeTags('js-tags', ['latest'])
    const tags = await Template.getTags(info.templateId)
    assert.deepEqual(tags.map((one) => one.tag).sort(), ['production', 'v1'])
    await (await Sandbox.create('js-tags:production', { timeoutMs: 30000 })).kill()
    await raises('SandboxError', () => Sandbox.create('js-tags:latest'))
    await raises('TemplateError', () => Template.assignTags('js-tags:v1', ':x'))
  },

  async background() {
    const template = Template().fromTemplate('base').runCmd('sleep 1')
    const info = await Template.buildInBackground(template, 'js-later')
    let status = await Template.getBuildStatus(info)
    assert.equal(status.status, 'building')
    while (status.status === 'building') status = await Template.getBuildStatus(info)
    assert.equal(status.status, 'ready')
  },

  async failures() {
    const build = (template) => () => Template.build(template, 'js-bad')
    await raises('BuildError', build(Template().fromBaseImage().runCmd('echo oops; exit 3')),
      /exit status 3: oops/)
    await raises('BuildError', build(Template().fromImage('fedora:44')), /fedora:44.*--image/)
    await raises('BuildError', build(Template().fromTemplate('no-such')), /not found/)
    await raises('BuildError', build(Template().fromBaseImage().runCmd('id', { user: 'who' })),
      /invalid username: 'who'/)
    assert.equal(await Template.exists('js-bad'), false)
  },

  async volume() {
    const volume = await Volume.create('js-volume')
    assert.equal((await Volume.connect(volume.volumeId)).name, 'js-volume')
    assert((await Volume.list()).some((one) => one.name === 'js-volume'))
    await volume.makeDir('/a/b', { force: true })
    const entry = await volume.writeFile('/a/f', 'text', { mode: 0o640 })
    assert.deepEqual([entry.type, entry.size, entry.mode], ['file', 4, 0o640])
    await raises('VolumeError', () => volume.writeFile('/a/f', 'x'))
    const stream = new ReadableStream({
      start(it) { it.enqueue(new TextEncoder().encode('streamed')); it.close() },
    })
    await volume.writeFile('/a/f', stream, { force: true })
    assert.equal(await volume.readFile('/a/f'), 'streamed')
    const sandbox = await Sandbox.create('base', {
      volumeMounts: { '/mnt/data': volume }, timeoutMs: 60000,
    })
    const { stdout } = await sandbox.commands.run(
      'cat /mnt/data/a/f; echo in > /mnt/data/in; ln -s /etc/passwd /mnt/data/evil')
    assert.equal(stdout, 'streamed')
    assert.deepEqual((await sandbox.getInfo()).volumeMounts,
      [{ name: 'js-volume', path: '/mnt/data' }])
    await sandbox.kill()
    assert.equal(Buffer.from(await volume.readFile('/in', { format: 'bytes' })).toString(), 'in\n')
    await raises('VolumeError', () => volume.readFile('/evil'), /leads out/)
    const paths = (await volume.list('/', { depth: 2 })).map((one) => one.path)
    assert.deepEqual(paths, ['/a', '/a/b', '/a/f', '/evil', '/in'])
    assert.equal((await volume.updateMetadata('/in', { mode: 0o600 })).mode, 0o600)
    await volume.remove('/a')
    assert.equal(await volume.exists('/a'), false)
    await raises('VolumePathNotFoundError', () => volume.readFile('/a/f'))
    assert.equal(await Volume.destroy(volume.volumeId), true)
    assert.equal(await Volume.destroy(volume.volumeId), false)
    await raises('VolumeNotFoundError', () => Volume.getInfo(volume.volumeId))
  },

  async secret() {
    const made = await Secret.create('js-key', 'v4lue', { metadata: { env: 'test' } })
    assert.deepEqual([made.name, made.version, made.metadata], ['js-key', 1, { env: 'test' }])
    assert.equal((await Secret.update('js-key', 'other')).version, 2)
    assert.equal((await Secret.getInfo(made.secretId)).name, 'js-key')
    assert((await collect(Secret.list({ limit: 1 }))).some((one) => one.name === 'js-key'))
    const sandbox = await Sandbox.create('base', {
      timeoutMs: 30000,
      network: {
        denyOut: ['0.0.0.0/0'], allowOut: ['api.example'],
        rules: { 'api.example': [{ transform: { headers: { 'X-Key': Secret.fill('js-key') } } }] },
      },
    })
    const seen = JSON.stringify((await sandbox.getInfo()).network)
    assert(seen.includes('${e2b.secrets.js-key}') && !seen.includes('other'), seen)
    assert(!(await sandbox.commands.run('env')).stdout.includes('other'))
    await sandbox.kill()
    assert.equal(await Secret.destroy('js-key'), true)
    assert.equal(await Secret.destroy('js-key'), false)
    await raises('SecretNotFoundError', () => Secret.update('js-key', 'x'))
  },

  async refused() {
    await raises('SandboxError', () => Sandbox.create('base', {
      iam: { tokens: { aws: { audience: 'a', tokenType: 'JWT-SVID' } } },
    }), /iam/)
    await assert.rejects(Sandbox.create('base', { mcp: { github: {} } })) // there is no such program
  },
}

for (const [name, called] of Object.entries(cases)) {
  try {
    await called()
    console.log('ok', name)
  } catch (error) {
    console.log('FAIL', name, String(error.stack).replaceAll('\n', ' | '))
  }
}
fs.rmSync(context, { recursive: true })
