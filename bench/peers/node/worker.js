// What runs in piscina's worker threads.
'use strict';

exports.aggregate = ({ body, value, groupBy }) => {
  const rows = JSON.parse(Buffer.from(body).toString());
  let sum = 0;
  const groups = {};
  for (const row of rows) {
    const group = (groups[row[groupBy]] ??= { count: 0, sum: 0 });
    group.count += 1;
    group.sum += row[value];
    sum += row[value];
  }
  return { count: rows.length, sum, mean: sum / rows.length, groups };
};

exports.burn = ({ iterations }) => {
  let result = 0;
  for (let i = 0; i < iterations; ++i) result += (i * i) % 7;
  return result;
};

exports.tiny = (number) => number + 1;
