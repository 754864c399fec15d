// Node's http server, undici to fetch, piscina for CPU work: node server.js PORT WORKERS
//
// Tuned: bodies are moved to the worker thread, not copied; heads carry the length, so nothing is
// chunked; kept connections to upstreams are not limited; no framework above http.
'use strict';
const http = require('http');
const path = require('path');
const { Agent, request, setGlobalDispatcher } = require('undici');
const { Piscina } = require('piscina');

const [port, workers] = process.argv.slice(2).map(Number);
setGlobalDispatcher(new Agent({ connections: null, pipelining: 1, keepAliveTimeout: 600_000 }));
const pool = new Piscina({
  filename: path.join(__dirname, 'worker.js'),
  minThreads: workers,
  maxThreads: workers,
});

async function get(url) {
  const response = await request(url);
  return { status: response.statusCode, body: await response.body.arrayBuffer() };
}

async function aggregate(url) {
  const { body } = await get(url);
  const task = { body, value: 'score', groupBy: 'lang' };
  return JSON.stringify(await pool.run(task, { name: 'aggregate', transferList: [body] }));
}

async function batch(urls) {
  const outcomes = urls.map(async (url) => {
    try {
      const { status, body } = await get(url);
      return { url, status, body: Buffer.from(body).toString() };
    } catch (error) {
      return { url, error: String(error) };
    }
  });
  return JSON.stringify(await Promise.all(outcomes));
}

async function readBody(incoming) {
  const pieces = [];
  for await (const piece of incoming) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function answer(response, status, body) {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

async function route(incoming, response) {
  const [name, query] = incoming.url.split('?');
  if (name === '/healthz') return answer(response, 200, '{"status":"ok"}');
  const parameters = new URLSearchParams(query);
  if (name === '/fetch') {
    const { status, body } = await get(parameters.get('url'));
    return answer(response, status, Buffer.from(body));
  }
  if (name === '/aggregate') return answer(response, 200, await aggregate(parameters.get('url')));
  if (name === '/batch') return answer(response, 200, await batch(JSON.parse(await readBody(incoming))));
  if (name === '/burn') {
    const iterations = Number(parameters.get('iterations'));
    return answer(response, 200, String(await pool.run({ iterations }, { name: 'burn' })));
  }
  answer(response, 404, '{}');
}

const server = http.createServer((incoming, response) => {
  route(incoming, response).catch((error) => answer(response, 500, String(error)));
});
server.keepAliveTimeout = 600_000;
server.listen({ port, host: '127.0.0.1', backlog: 4096 });
