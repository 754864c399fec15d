// What a tiny task costs in piscina: a line "NANOSECONDS NAME". node tiny_tasks.js TASKS
//
// One thread, started and warm. 64 tasks wait in the thread at once: several times as fast here as one.
'use strict';
const path = require('path');
const { Piscina } = require('piscina');

async function main() {
  const tasks = Number(process.argv[2]);
  const pool = new Piscina({
    filename: path.join(__dirname, 'worker.js'),
    minThreads: 1,
    maxThreads: 1,
    maxQueue: Infinity,
    concurrentTasksPerWorker: 64,
  });
  const run = () => Promise.all(Array.from({ length: tasks }, (_, i) => pool.run(i, { name: 'tiny' })));
  await run();
  const begin = process.hrtime.bigint();
  await run();
  const elapsed = Number(process.hrtime.bigint() - begin);
  console.log(`${Math.round(elapsed / tasks)} piscina`);
  await pool.destroy();
}

main();
