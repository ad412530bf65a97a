#!/usr/bin/env bash
# Compares GET and SET over the wire with Redis on the same core: interleaved rounds of
# redis-benchmark, medians, ratios. Needs redis-server, redis-benchmark, taskset and two cores.
#
#   bench/redis_compare.sh [SWITCHBACK_BINARY]
#
# Settings by environment: ROUNDS=5 REQUESTS_P1=200000 REQUESTS_P16=1000000 KEYS=1000000
# VALUE_BYTES=100 CLIENTS=50 SERVER_CORE=0 CLIENT_CORE=1 JSON=FILE DATA_PARENT=/var/tmp
set -euo pipefail

readonly BINARY="${1:-build/release/bin/switchback}"
readonly ROUNDS="${ROUNDS:-5}"
readonly REQUESTS_P1="${REQUESTS_P1:-200000}" REQUESTS_P16="${REQUESTS_P16:-1000000}"
# A burst of SETs that fits the memtable (262,144 records by default), as the figure asks for.
readonly SET_REQUESTS_P16="${SET_REQUESTS_P16:-200000}"
readonly KEYS="${KEYS:-1000000}" VALUE_BYTES="${VALUE_BYTES:-100}" CLIENTS="${CLIENTS:-50}"
readonly SERVER_CORE="${SERVER_CORE:-0}" CLIENT_CORE="${CLIENT_CORE:-1}"
readonly JSON="${JSON:-}"
TICKS="$(getconf CLK_TCK)"
readonly TICKS

DATA="$(mktemp -d "${DATA_PARENT:-/var/tmp}/switchback-redis-XXXXXX")"
readonly DATA
readonly RESULTS="$DATA/results.csv"
PIDS=()

cleanup() {
  local pid
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$DATA"
}
trap cleanup EXIT

fail() { echo "redis_compare: $*" >&2; exit 1; }

for tool in redis-server redis-benchmark redis-cli taskset awk; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done
[[ -x "$BINARY" ]] || fail "no $BINARY: build it first, or name it"

# Ports that were free a moment ago.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

wait_for() {  # NAME PORT PID
  local _
  for _ in $(seq 300); do
    kill -0 "$3" 2>/dev/null || { cat "$DATA/$1.log" >&2; fail "$1 ended"; }
    [[ "$(redis-cli -p "$2" ping 2>/dev/null)" == PONG ]] && return
    sleep 0.1
  done
  fail "$1 does not answer on port $2"
}

start_redis() {  # NAME PORT ARGUMENTS...
  local name="$1" port="$2"
  shift 2
  mkdir -p "$DATA/$name"
  taskset -c "$SERVER_CORE" redis-server --port "$port" --bind 127.0.0.1 --save '' \
    --dir "$DATA/$name" --daemonize no "$@" >"$DATA/$name.log" 2>&1 &
  PIDS+=($!)
  wait_for "$name" "$port" $!
}

set_flag() {  # true|false
  printf '{"USE_UNIFIED_DB_SERVICE": %s}' "$1" >"$DATA/flags.next"
  mv "$DATA/flags.next" "$DATA/flags.json"
  local share _
  for _ in $(seq 100); do
    share="$(redis-cli -p "$SB_PORT" info switchback | tr -d '\r' |
      awk -F: '$1 ~ /effective_(share|percentage)/ { print $2 + 0 }')"
    if [[ -z "$share" ]]; then sleep 0.3; return; fi  # an INFO without the share: give it a moment
    [[ "$1" == true && "$share" != 0 || "$1" == false && "$share" == 0 ]] && return
    sleep 0.1
  done
  fail "the flag does not become $1"
}

# The keys that redis-benchmark -r asks for, as RESP. Values are not all alike.
preload() {  # PORT
  awk -v keys="$KEYS" -v bytes="$VALUE_BYTES" 'BEGIN {
    for (key = 0; key < keys; ++key) {
      value = sprintf("%0*d", bytes, key)
      printf "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", key, bytes, substr(value, 1, bytes)
    }
  }' | redis-cli -p "$1" --pipe >"$DATA/preload.log" 2>&1 ||
    { cat "$DATA/preload.log" >&2; fail "preload of port $1"; }
}

drain() { "$BINARY" drain --url "http://127.0.0.1:$SB_HTTP_PORT" >/dev/null; }

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# Appends ROUND,TARGET,COMMAND,PIPELINE,REQUESTS/S,CPU_US to the results.
measure() {  # ROUND TARGET PORT PID COMMAND PIPELINE REQUESTS
  local before after line rate
  before="$(cpu_ticks "$4")"
  line="$(taskset -c "$CLIENT_CORE" redis-benchmark -p "$3" -t "${5,,}" -P "$6" -n "$7" \
    -c "$CLIENTS" -r "$KEYS" -d "$VALUE_BYTES" --csv | tail -n 1)"
  after="$(cpu_ticks "$4")"
  rate="$(cut -d, -f2 <<<"$line" | tr -d '"')"
  awk -v rate="$rate" 'BEGIN { exit !(rate + 0 > 0) }' || fail "redis-benchmark said: $line"
  echo "$1,$2,$5,$6,$rate,$(awk -v ticks=$((after - before)) -v hz="$TICKS" -v n="$7" \
    'BEGIN { printf "%.3f", ticks / hz * 1e6 / n }')" >>"$RESULTS"
}

round() {  # NUMBER
  local pipeline requests
  for pipeline in 1 16; do
    requests="$REQUESTS_P1"
    ((pipeline == 16)) && requests="$REQUESTS_P16"
    echo "round $1 of $ROUNDS, GET, pipeline $pipeline" >&2
    measure "$1" redis "$PLAIN_PORT" "$PLAIN_PID" GET "$pipeline" "$requests"
    set_flag false
    measure "$1" legacy "$SB_PORT" "$SB_PID" GET "$pipeline" "$requests"
    set_flag true
    measure "$1" unified "$SB_PORT" "$SB_PID" GET "$pipeline" "$requests"
    set_flag false
    ((pipeline == 16)) && requests="$SET_REQUESTS_P16"
    echo "round $1 of $ROUNDS, SET, pipeline $pipeline" >&2
    measure "$1" redis-always "$ALWAYS_PORT" "$ALWAYS_PID" SET "$pipeline" "$requests"
    measure "$1" switchback "$SB_PORT" "$SB_PID" SET "$pipeline" "$requests"
    drain
  done
}

# One row a comparison: TARGET BASE COMMAND PIPELINE GOAL.
comparisons() {
  cat <<'ROWS'
legacy redis GET 1 0.9
legacy redis GET 16 1.0
unified redis GET 1 0.9
unified redis GET 16 0.65
switchback redis-always SET 1 0.8
switchback redis-always SET 16 0.4
ROWS
}

# Prints the table, or with "json" the JSON. Ratios are taken within a round, then the median.
report() {  # FORM
  awk -F, -v form="$1" -v cpu="$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)" \
    -v kernel="$(uname -r)" -v redis="$(redis-server --version | awk '{ print $3 }')" '
    function median(list,    parts, n, i, j, swap) {
      n = split(list, parts, " ")
      for (i = 2; i <= n; ++i)
        for (j = i; j > 1 && parts[j - 1] + 0 > parts[j] + 0; --j) {
          swap = parts[j]; parts[j] = parts[j - 1]; parts[j - 1] = swap
        }
      return n % 2 ? parts[(n + 1) / 2] : (parts[n / 2] + parts[n / 2 + 1]) / 2
    }
    FNR == NR {
      rate[$1, $2, $3, $4] = $5
      rates[$2, $3, $4] = rates[$2, $3, $4] " " $5
      costs[$2, $3, $4] = costs[$2, $3, $4] " " $6
      if ($1 + 0 > rounds) rounds = $1 + 0
      next
    }
    {
      split($0, row, " ")
      ratios = ""
      for (r = 1; r <= rounds; ++r)
        ratios = ratios " " rate[r, row[1], row[3], row[4]] / rate[r, row[2], row[3], row[4]]
      ++count
      name[count] = row[3] " P" row[4] " " row[1] " / " row[2]
      ours[count] = median(rates[row[1], row[3], row[4]])
      theirs[count] = median(rates[row[2], row[3], row[4]])
      our_cpu[count] = median(costs[row[1], row[3], row[4]])
      their_cpu[count] = median(costs[row[2], row[3], row[4]])
      ratio[count] = median(ratios)
      goal[count] = row[5]
    }
    END {
      if (form == "json") {
        printf "{\"machine\": {\"cpu\": \"%s\", \"kernel\": \"%s\", \"redis\": \"%s\"},\n", cpu, kernel, redis
        printf " \"rounds\": %d, \"comparisons\": [\n", rounds
        for (i = 1; i <= count; ++i)
          printf "  {\"name\": \"%s\", \"ops_per_second\": %.0f, \"base_ops_per_second\": %.0f, " \
            "\"server_cpu_us\": %.3f, \"base_server_cpu_us\": %.3f, \"ratio\": %.3f, \"goal\": %s, " \
            "\"is_reached\": %s}%s\n", name[i], ours[i], theirs[i], our_cpu[i], their_cpu[i], \
            ratio[i], goal[i], (ratio[i] >= goal[i] ? "true" : "false"), (i < count ? "," : "")
        print " ]}"
      } else {
        printf "%s, Linux %s, redis %s, medians of %d interleaved rounds\n", cpu, kernel, redis, rounds
        printf "%-36s%12s%12s%10s%10s%8s%7s\n", "", "ops/s", "base", "CPU us", "base", "ratio", "goal"
        for (i = 1; i <= count; ++i)
          printf "%-36s%12.0f%12.0f%10.2f%10.2f%8.2f%7.2f  %s\n", name[i], ours[i], theirs[i], \
            our_cpu[i], their_cpu[i], ratio[i], goal[i], (ratio[i] >= goal[i] ? "reached" : "MISSED")
      }
    }' "$RESULTS" - < <(comparisons)
}

PLAIN_PORT="$(free_port)"
start_redis redis "$PLAIN_PORT" --appendonly no
readonly PLAIN_PID="${PIDS[-1]}"
ALWAYS_PORT="$(free_port)"
start_redis redis-always "$ALWAYS_PORT" --appendonly yes --appendfsync always \
  --auto-aof-rewrite-percentage 0
readonly ALWAYS_PID="${PIDS[-1]}"

SB_PORT="$(free_port)"
SB_HTTP_PORT="$(free_port)"
printf '{"USE_UNIFIED_DB_SERVICE": false}' >"$DATA/flags.json"
taskset -c "$SERVER_CORE" "$BINARY" serve --data-dir "$DATA/switchback" \
  --flags "$DATA/flags.json" --port "$SB_PORT" --http-port "$SB_HTTP_PORT" --threads 1 \
  >"$DATA/switchback.log" 2>&1 &
PIDS+=($!)
readonly SB_PID=$!
wait_for switchback "$SB_PORT" "$SB_PID"

for port in "$PLAIN_PORT" "$ALWAYS_PORT" "$SB_PORT"; do
  echo "loading $KEYS records into port $port" >&2
  preload "$port"
done
drain
for number in $(seq "$ROUNDS"); do round "$number"; done

report text
if [[ -n "$JSON" ]]; then report json >"$JSON"; fi
