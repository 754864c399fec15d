#!/bin/bash
# Shows what fetchmill does, against a local origin server, with or without internet.
#
#   demo.sh        the demo: prints what it sees, checks it, leaves nothing running
#   demo.sh run    leaves server and origin running in the foreground until Ctrl-C
#
# BUILD is the folder with the binaries (default: build/release of this checkout). With `run`,
# LISTEN and ORIGIN_LISTEN are where the two listen. Needs bash, curl and what every Debian has.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-$root/build/release}
scratch=$(mktemp -d)
pids=()

fail() {
  printf '\n  NOT AS CLAIMED: %s\n' "$*" >&2
  [ ! -s "$scratch/server.log" ] || tail -n 5 "$scratch/server.log" >&2
  exit 1
}

clean_up() {
  local pid
  # The server first: it drains, and its origin is still there while it does.
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

heading() { printf '\n\033[1m%s\033[0m\n' "$*"; }
say() { printf '  %s\n' "$*"; }

# start NAME PATTERN COMMAND…: runs it, waits for a line that matches, sets `found` to its groups.
start() {
  local name=$1 pattern=$2 line output
  shift 2
  [ -x "$1" ] || fail "$1 is not there: run 'make build' first"
  exec {output}< <(exec "$@" 2>&1)
  pids=("$!" "${pids[@]}")
  while read -r -t 20 -u "$output" line; do
    printf '%s\n' "$line" >>"$scratch/$name.log"
    if [[ $line =~ $pattern ]]; then
      found=("${BASH_REMATCH[@]:1}")
      cat <&"$output" >>"$scratch/$name.log" &
      exec {output}<&-
      return
    fi
  done
  fail "$name did not start: $(cat "$scratch/$name.log" 2>/dev/null)"
}

start_both() { # LISTEN ORIGIN_LISTEN
  start origin 'listening http=([0-9]+)' "$build/tests/fetchmill-origin" --listen "$2"
  origin=http://127.0.0.1:${found[0]}
  # The origin is on this machine: without allow_networks the server would refuse to fetch from it.
  start server '"listening".*"address":"([^"]+)"' "$build/fetchmill" serve --server.listen "$1" \
    --fetch.allow_networks 127.0.0.0/8 --log.format json
  api=http://${found[0]}
  server_pid=${pids[0]}
  curl -fsS --retry 50 --retry-delay 0 --retry-all-errors --retry-max-time 20 "$api/readyz" \
    -o /dev/null 2>/dev/null || fail "$api/readyz does not answer"
}

curl_lines() { # API ORIGIN
  cat <<LINES
  curl '$1/v1/fetch?url=$2/json%3Frecords=5&op=json.select&pointer=/3/name'
  curl '$1/v1/fetch?url=$2/json%3Frecords=1000&op=json.aggregate&value=/score&group_by=/lang'
  curl $1/v1/batch --json '{"tasks":[{"url":"$2/delay?ms=500"},{"url":"$2/status?code=404"}]}'
  curl $1/v1/ops      # every op;  $1/openapi.json the API;  $2/ the local origin's routes
LINES
}

# batch_body COUNT TARGET [PIPELINE]: a batch of that many tasks, all at once.
batch_body() {
  local count=$1 target=$2 pipeline=${3:-[]} tasks='' i
  # Each its own URL: identical requests would share one fetch.
  for ((i = 0; i < count; ++i)); do tasks+="{\"url\":\"$origin$target&i=$i\"},"; done
  printf '{"tasks":[%s],"defaults":{"pipeline":%s},"concurrency":1000}' "${tasks%,}" "$pipeline"
}

# run_batch FILE: sends a body made by batch_body; the outcomes go to FILE.out, the time to stdout.
run_batch() {
  curl -sSN "$api/v1/batch" -H 'Content-Type: application/json' --data-binary "@$1" -o "$1.out" \
    -w '%{time_total}'
}

results_in() { grep -c '^{"type":"result"' "$1" || true; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }
in_ms() { awk -v s="$1" 'BEGIN { printf "%.1f ms", s * 1000 }'; }
metric() { curl -fsS "$api/metrics" | awk -v m="fetchmill_$1" '
  $1 == m || index($1, m "{") == 1 { sum += $2 } END { printf "%d", sum }'; }

# The bound of the bucket that holds the 99th percentile of the loop's lag, in seconds.
lag_p99() {
  curl -fsS "$api/metrics" | awk -F'[" ]' '
    /^fetchmill_event_loop_lag_seconds_bucket/ { bound[++n] = $2; count[n] = $NF }
    END {
      for (i = 1; i < n && count[i] < 0.99 * count[n]; ++i) continue
      print i < n ? bound[i] : 1000  # beyond every bound
    }'
}

show_fetch() {
  heading "One fetch with json.select: the value of one field of a JSON document"
  local name
  name=$(curl -fsS --get "$api/v1/fetch" --data-urlencode "url=$origin/json?records=5" \
    -d op=json.select -d pointer=/3/name) || fail "the fetch failed"
  say "GET /v1/fetch?url=…/json&op=json.select&pointer=/3/name  →  $name"
  [ "$name" = '"record 3"' ] || fail "expected \"record 3\""
}

show_waiting() {
  heading "A batch of 1,000 URLs that each take 1 s"
  batch_body 1000 '/delay?ms=1000' >"$scratch/waiting"
  local seconds ok
  seconds=$(run_batch "$scratch/waiting") || fail "the batch failed"
  ok=$(results_in "$scratch/waiting.out")
  say "$ok of 1000 ok in $seconds s  (one after the other: 1,000 s)"
  [ "$ok" -eq 1000 ] || fail "$((1000 - ok)) tasks failed"
  less "$seconds" 20 || fail "they wait for one another"
}

show_computing() {
  heading "Fetch, then 1,000,000 iterations of CPU work per item: 4,000 items, every worker busy"
  batch_body 1000 '/bytes?n=100' '[{"op":"cpu.loop","iterations":1000000}]' >"$scratch/computing"
  local part batches=() ok=0 started=$EPOCHREALTIME
  for part in 1 2 3 4; do
    cp "$scratch/computing" "$scratch/computing$part"
    run_batch "$scratch/computing$part" >/dev/null &
    batches+=("$!")
  done
  until [ "$(metric 'workers{state="busy"}')" -gt 0 ]; do kill -0 "${batches[0]}" || break; done
  while kill -0 "${batches[0]}" 2>/dev/null && kill -0 "${batches[3]}" 2>/dev/null; do
    curl -fsS "$api/healthz" -o /dev/null -w '%{time_total}\n' || fail "/healthz does not answer"
  done | sort -n >"$scratch/latencies"
  wait "${batches[@]}" || fail "a batch failed"
  local seconds samples median worst
  seconds=$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
  for part in 1 2 3 4; do ok=$((ok + $(results_in "$scratch/computing$part.out"))); done
  samples=$(wc -l <"$scratch/latencies")
  [ "$samples" -gt 0 ] || fail "the batches were over before /healthz could be asked"
  median=$(sed -n "$(((samples + 1) / 2))p" "$scratch/latencies")
  worst=$(tail -n 1 "$scratch/latencies")
  say "$ok of 4000 ok in $seconds s" \
    "on $(($(metric workers) - $(metric 'workers{state="standby"}'))) workers"
  say "meanwhile /healthz: median $(in_ms "$median"), worst $(in_ms "$worst") of $samples"
  say "the loop was late by $(in_ms "$(lag_p99)") at most, 99 times of 100 (event_loop_lag_seconds)"
  [ "$ok" -eq 4000 ] || fail "$((4000 - ok)) tasks failed"
  # On a machine that is busy otherwise all of it takes longer, the batches most of all.
  less "$median" "$(awk -v s="$seconds" 'BEGIN { print s / 10 }')" || fail "/healthz waits for the workers"
}

children_of() { cat "/proc/$1/task/$1/children"; }

show_killing() {
  heading "A worker is killed (SIGKILL) in the middle of a batch of 1,000"
  batch_body 1000 '/bytes?n=100' '[{"op":"cpu.loop","iterations":4000000}]' >"$scratch/killing"
  local before spawner worker batch ok
  before=$(metric worker_restarts_total)
  spawner=$(children_of "$server_pid")
  worker=$(children_of "${spawner// /}" | cut -d' ' -f1)
  : >"$scratch/killing.out"
  run_batch "$scratch/killing" >/dev/null &
  batch=$!
  until [ "$(wc -l <"$scratch/killing.out")" -ge 100 ]; do
    kill -0 "$batch" 2>/dev/null || fail "the batch ended early"
  done
  kill -KILL "$worker"
  wait "$batch" || fail "the batch failed"
  ok=$(results_in "$scratch/killing.out")
  say "worker process $worker killed; $ok of 1000 ok, $((1000 - ok)) lost;" \
    "workers replaced: $(($(metric worker_restarts_total) - before))"
  [ "$ok" -eq 1000 ] || fail "$((1000 - ok)) tasks were lost"
  [ "$(metric worker_restarts_total)" -gt "$before" ] || fail "no worker was replaced"
}

case ${1:-demo} in
  demo)
    start_both 127.0.0.1:0 127.0.0.1:0
    show_fetch
    show_waiting
    show_computing
    show_killing
    heading "All as claimed. Now yours: 'make run' leaves it running, then"
    curl_lines http://127.0.0.1:8080 http://127.0.0.1:8081
    ;;
  run)
    start_both "${LISTEN:-127.0.0.1:8080}" "${ORIGIN_LISTEN:-127.0.0.1:8081}"
    heading "fetchmill is at $api, a local origin to fetch from at $origin. Ctrl-C ends both."
    curl_lines "$api" "$origin"
    trap 'exit 0' INT TERM
    wait "$server_pid" || fail "the server has ended"
    ;;
  *)
    echo "usage: $0 [demo | run]" >&2
    exit 2
    ;;
esac
