// Interrupts of cells that wait.
//
// The watchdog of node stops what the kernel runs itself. What the event loop
// calls while a cell waits, a timer that never returns, is stopped from a
// thread, which is made when a cell waits for the first time.
'use strict';

const global = part('javascript_global');

// What V8 reserves counts where memory is limited by the size of the data, and node dies of it.
const LIMITS = {
  codeRangeSizeMb: 4, maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1,
};

let worker = null;

exports.watch = function () {
  if (worker !== null) return;
  const { Worker } = require('worker_threads');
  worker = new Worker(`
    const { Session } = require('inspector');
    const { watchdogHasPendingSigint } = process.binding('contextify');
    let looks = 0;
    // A session that stays would have node wait for a debugger when the code ends its process.
    function stop() {
      const session = new Session();
      session.connectToMainThread();
      session.post('Runtime.terminateExecution');
      session.disconnect();
    }
    setInterval(() => {
      looks = watchdogHasPendingSigint() ? looks + 1 : 0;
      if (looks === 3) stop();
    }, 50);
  `, { eval: true, stdout: false, stderr: false, env: {}, execArgv: [], resourceLimits: LIMITS });
  worker.unref();
  worker.on('error', () => {});
};

const OFTEN = [1, 2, 5, 10, 20, 25, 30, 50, 100, 200, 250, 300, 400, 500, 1000, 1500, 2000, 3000,
  5000, 10000];

// Calls of functions of the host end: see host.js, which is the user's to change.
function stopCalls() {
  try {
    const stop = process[Symbol.for('codecell.interrupted')];
    if (typeof stop === 'function') stop();
  } catch {
    // then they go on
  }
}

// Timers that the interrupted cell has made must not go on in the next ones.
exports.stopTimers = function () {
  stopCalls();
  const { cell } = kernel;
  const { setTimeout } = global.originals;
  const durations = { __proto__: null };
  for (const duration of OFTEN) durations[duration] = true;
  for (const duration in global.durations) durations[duration] = true;
  for (const duration in durations) {
    const probe = setTimeout(() => {}, Number(duration));
    for (let timer = probe._idleNext; timer && typeof timer._onTimeout === 'function';) {
      const before = timer._idleNext; // towards the oldest
      const owner = timer._repeat ? global.timersOf(timer) : cell;
      if (owner === cell) clearTimeout(timer);
      timer = before;
    }
    clearTimeout(probe);
  }
  const last = setImmediate(() => {});
  for (let immediate = last._idlePrev; immediate;) {
    const before = immediate._idlePrev;
    clearImmediate(immediate);
    immediate = before;
  }
  clearImmediate(last);
};
