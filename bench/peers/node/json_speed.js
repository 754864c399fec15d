// How fast worker.js aggregates a file: "GB_PER_S NAME". node json_speed.js FILE
'use strict';
const fs = require('fs');
const { aggregate } = require('./worker.js');

const body = fs.readFileSync(process.argv[2]);
const task = { body, value: 'score', groupBy: 'lang' };
for (let warm = 0; warm < 5; ++warm) aggregate(task);
const begin = process.hrtime.bigint();
let runs = 0;
let elapsed = 0;
do {
  aggregate(task);
  runs += 1;
  elapsed = Number(process.hrtime.bigint() - begin);
} while (elapsed < 200e6);
console.log(`${((body.length * runs) / elapsed).toFixed(4)} JSON.parse of Node`);
