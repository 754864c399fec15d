// Node's fetch, which is undici: streams in and out, connections kept by a pool nobody sees.
import assert from "node:assert/strict";
import test from "node:test";

const { API, ORIGIN } = process.env;

async function* linesOf(body) {
  let rest = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    yield* lines;
  }
  assert.equal(rest, "", "the last line ends as every other");
}

const post = (path, document, headers = {}) =>
  fetch(API + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(document),
  });

test("a fetch", async () => {
  const query = new URLSearchParams({
    url: `${ORIGIN}/json?records=3`,
    op: "json.select",
    pointer: "/2/name",
  });
  const response = await fetch(`${API}/v1/fetch?${query}`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("fetchmill-upstream-status"), "200");
  assert.equal(await response.json(), "record 2");
  const head = await fetch(`${API}/v1/fetch?${query}`, { method: "HEAD" });
  assert.equal(head.headers.get("etag"), response.headers.get("etag"));
});

test("outcomes arrive before the batch has ended", async () => {
  let seen;
  // The longer one is for a machine that is so busy that the first comes late.
  for (const late of [1500, 6000]) {
    const tasks = [10, late].map((ms) => ({ url: `${ORIGIN}/delay?ms=${ms}` }));
    const response = await post("/v1/batch", { tasks });
    const started = performance.now();
    seen = [];
    for await (const line of linesOf(response.body)) {
      const outcome = JSON.parse(line);
      seen.push({ outcome, at: performance.now() - started });
    }
    assert.deepEqual(seen.map(({ outcome }) => outcome.index), [0, 1, undefined]);
    if (seen[1].at - seen[0].at > 700) return;
  }
  assert.fail(JSON.stringify(seen));
});

test("a body that is a stream, answered while it is sent", async () => {
  let feed;
  const body = new ReadableStream({
    start(controller) {
      feed = (number) =>
        controller.enqueue(new TextEncoder().encode(`"${ORIGIN}/text?text=${number}"\n`));
      feed(0);
      feed.end = () => controller.close();
    },
  });
  const response = await fetch(`${API}/v1/batch`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson" },
    body,
    duplex: "half",
  });
  const seen = [];
  for await (const line of linesOf(response.body)) {
    const outcome = JSON.parse(line);
    if (outcome.type === "summary") assert.equal(outcome.ok, 5);
    else if (seen.push(outcome.text) < 5) feed(seen.length);
    else feed.end();
  }
  assert.deepEqual(seen, ["0", "1", "2", "3", "4"]);
});

test("server-sent events", async () => {
  const tasks = [{ url: `${ORIGIN}/json?records=1` }];
  const response = await post("/v1/batch", { tasks }, { Accept: "text/event-stream" });
  const text = await response.text();
  assert.match(text, /^event: outcome\nid: 0\ndata: \{.*\}\n\nevent: summary\n/m);
});

test("a merge", async () => {
  const tasks = [1, 2].map((n) => ({ url: `${ORIGIN}/json?records=${n}` }));
  const pipeline = [{ op: "json.select", pointer: "/1/1/name" }];
  assert.equal(await (await post("/v1/merge", { tasks, pipeline })).json(), "record 1");
});

test("many at once, and again", async () => {
  for (let round = 0; round < 3; ++round) {
    const all = Array.from({ length: 50 }, (_, n) =>
      fetch(`${API}/v1/process?op=hash&algorithm=crc32`, { method: "POST", body: "a" }),
    );
    for (const response of await Promise.all(all)) assert.equal(await response.text(), "e8b7be43");
  }
});

test("giving up", async () => {
  const signal = AbortSignal.timeout(200);
  const url = `${API}/v1/fetch?url=${encodeURIComponent(`${ORIGIN}/delay?ms=20000`)}`;
  await assert.rejects(fetch(url, { signal }), { name: "TimeoutError" });
  assert.equal((await fetch(`${API}/livez`)).status, 200);
});

test("a web page's headers are refused", async () => {
  const response = await post("/v1/fetch", {}, { Origin: "https://evil.example" });
  assert.equal((await response.json()).code, "origin_denied");
});
