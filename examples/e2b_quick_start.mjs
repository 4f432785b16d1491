// A program for E2B's cloud, run by sandboxes of this machine.
//
//     npm install @e2b/code-interpreter      # needs Node.js 20 or later
//     codecell serve           # prints three variables: export them in another shell, then
//     node e2b_quick_start.mjs

import { Sandbox } from '@e2b/code-interpreter'

const sandbox = await Sandbox.create()
await sandbox.runCode('x = 1')
const execution = await sandbox.runCode('x += 1; x')
console.log(execution.text)
await sandbox.files.write('hello.txt', 'hello')
console.log((await sandbox.commands.run('cat hello.txt')).stdout)
await sandbox.kill()
