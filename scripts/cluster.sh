#!/usr/bin/env bash
# Runs Linnet as it runs on many machines, on this one: Redis Cluster, gateways and REST nodes, all on loopback.
#
#   scripts/cluster.sh [--dir DIR] [--masters 3] [--replicas 1] [--gateways 3] [--rest 2]
#                      [--redis-port 7101] [--gateway-port 5210] [--rest-port 8081]
#
# Ports count up from those given: Redis one by one, a gateway every ten (TCP, then TLS and QUIC on the next), REST one by one.
# What it keeps is in DIR (default data/cluster); a later run goes on with it. Ctrl-C stops everything, in order.
# LINNET names another binary than target/release/linnet, LINNET_REDIS_SERVER another server than redis-server.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=data/cluster masters=3 replicas=1 gateways=3 rests=2 redis_port=7101 gateway_port=5210 rest_port=8081
linnet="${LINNET:-target/release/linnet}"
server="${LINNET_REDIS_SERVER:-redis-server}"
host=127.0.0.1

fail() {
    echo "cluster: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    [[ "$1" =~ ^--(dir|masters|replicas|gateways|rest|redis-port|gateway-port|rest-port)$ ]] || fail "what is $1? See the head of scripts/cluster.sh"
    [ $# -gt 1 ] || fail "$1 needs a value"
    case "$1" in
    --dir) dir="$2" ;;
    --masters) masters="$2" ;;
    --replicas) replicas="$2" ;;
    --gateways) gateways="$2" ;;
    --rest) rests="$2" ;;
    --redis-port) redis_port="$2" ;;
    --gateway-port) gateway_port="$2" ;;
    --rest-port) rest_port="$2" ;;
    esac
    shift 2
done
[ "$masters" -ge 3 ] || fail "a Redis Cluster has at least three masters"
[ "$gateways" -ge 1 ] && [ "$rests" -ge 1 ] || fail "at least one gateway and one REST node are needed"
command -v "$server" >/dev/null || fail "there is no $server: \`make cluster\` installs it"
[ -x "$linnet" ] || fail "there is no $linnet: \`make build\` builds it"
nodes=$((masters * (1 + replicas)))

mkdir -p "$dir"
chmod 700 "$dir"
exec 9>"$dir/lock"
flock --nonblock 9 || fail "a cluster runs over $dir already"

# The nodes know each other by their ports: a cluster that exists keeps the shape that it was made in.
shape="$masters masters with $replicas replicas each from port $redis_port"
if [ -f "$dir/shape" ] && [ "$(cat "$dir/shape")" != "$shape" ]; then
    fail "$dir holds a cluster of $(cat "$dir/shape"): say so too, or name another --dir"
fi

# --- Ending -----------------------------------------------------------------------------------------------------------

redis_pids=() linnet_pids=()

wait_for() { # Waits until these processes are gone.
    local pid
    for pid in "$@"; do
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    done
}

stop_all() {
    trap '' INT TERM
    echo
    echo "cluster: stopping"
    # First those who write, which send their clients elsewhere and finish what is under way; then where it is written.
    [ ${#linnet_pids[@]} -eq 0 ] || kill -TERM "${linnet_pids[@]}" 2>/dev/null || true
    wait_for "${linnet_pids[@]}"
    [ ${#redis_pids[@]} -eq 0 ] || kill -TERM "${redis_pids[@]}" 2>/dev/null || true
    wait_for "${redis_pids[@]}"
    echo "cluster: stopped; the data is in $dir"
}
trap stop_all EXIT
trap 'exit 0' INT TERM

# Ctrl-C is for this script alone: in groups of their own, the others end when it says so. None keeps the lock.
start() { # log command...
    local log="$1"
    shift
    setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
    started=$!
    # Without a word from the shell when it ends.
    disown "$started"
}

# --- Redis ------------------------------------------------------------------------------------------------------------

node_dir() { echo "$dir/redis-$((redis_port + $1))"; }
ask() { # node command...
    local node="$1"
    shift
    redis-cli -h "$host" -p $((redis_port + node)) "$@" 2>/dev/null
}

wait_until() { # what, then a command that has to succeed
    local what="$1" tries=600
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "waited in vain until $what; the logs are in $dir"
        sleep 0.1
    done
}

answers() { [ "$(ask "$1" ping)" = PONG ]; }
is_whole() { ask "$1" cluster info | grep -q 'cluster_state:ok' && ! ask "$1" info replication | grep -q 'master_link_status:down'; }

start_redis() { # node
    # docs/cluster.md says why each of these.
    start "$(node_dir "$1")/log" "$server" --port $((redis_port + $1)) --bind "$host" --dir "$(node_dir "$1")" \
        --cluster-enabled yes --cluster-node-timeout 5000 --cluster-require-full-coverage no --cluster-allow-replica-migration no \
        --appendonly yes --appendfsync always --save '' --maxmemory-policy noeviction
    redis_pids[$1]="$started"
}

echo "cluster: starting $nodes Redis nodes"
for ((node = 0; node < nodes; node++)); do
    ask "$node" ping >/dev/null && fail "port $((redis_port + node)) is taken: name another --redis-port"
    mkdir -p "$(node_dir "$node")"
    start_redis "$node"
done
for ((node = 0; node < nodes; node++)); do
    wait_until "Redis node $node answers" answers "$node"
done
if [ ! -f "$dir/shape" ]; then
    addresses=()
    for ((node = 0; node < nodes; node++)); do addresses+=("$host:$((redis_port + node))"); done
    redis-cli --cluster create "${addresses[@]}" --cluster-replicas "$replicas" --cluster-yes >"$dir/create.log" ||
        fail "the Redis nodes could not be joined: $(tail -n 1 "$dir/create.log")"
    echo "$shape" >"$dir/shape"
fi
for ((node = 0; node < nodes; node++)); do
    wait_until "Redis node $node sees a whole cluster" is_whole "$node"
done

# --- Linnet -----------------------------------------------------------------------------------------------------------

url="redis://$host:$redis_port"
for ((node = 1; node < nodes; node++)); do url+=",$host:$((redis_port + node))"; done

configure() { # name, then the lines that are its own
    local name="$1"
    shift
    {
        printf 'data_dir = "%s"\n' "$dir/$name"
        printf '[store]\nengine = "redis"\n[store.redis]\nurl = "%s"\n' "$url"
        # Bytes of files: what one node takes, all have to find.
        printf '[domain.files]\nlocation = "%s"\n' "$dir/files"
        printf '%s\n' "$@"
    } >"$dir/$name.toml"
}

declare -A pid_of=()
is_ready() {
    [ -s "$dir/$1.ready" ] || kill -0 "${pid_of[$1]}" 2>/dev/null || fail "$1 has ended: $(tail -n 1 "$dir/$1.log")"
    [ -s "$dir/$1.ready" ]
}

launch() { # role, name
    rm -f "$dir/$2.ready"
    start "$dir/$2.log" "$linnet" "$1" --config "$dir/$2.toml" --ready-file "$dir/$2.ready"
    linnet_pids+=("$started")
    pid_of[$2]="$started"
}

for ((i = 1; i <= gateways; i++)); do
    port=$((gateway_port + 10 * (i - 1)))
    configure "gateway-$i" "[gateway.tcp]" "listen = \"$host:$port\"" "[gateway.tls]" "listen = \"$host:$((port + 1))\"" \
        "[gateway.quic]" "listen = \"$host:$((port + 1))\""
done
for ((i = 1; i <= rests; i++)); do
    configure "rest-$i" "[rest]" "listen = \"$host:$((rest_port + i - 1))\""
done

# The app to try things with. Its credentials can be read once, so they are kept here, for this user alone.
credentials="$dir/demo-app"
command=(app create --id demo --number 1 --admin admin)
if "$linnet" app show demo --config "$dir/gateway-1.toml" >/dev/null 2>&1; then
    command=(app rotate demo)
fi
if [ ! -s "$credentials" ]; then
    (umask 077 && "$linnet" "${command[@]}" --config "$dir/gateway-1.toml" >"$credentials.new" 2>"$dir/app.log") ||
        fail "the demo app could not be made: $(cat "$dir/app.log")"
    mv "$credentials.new" "$credentials"
    "$linnet" user create admin --config "$dir/gateway-1.toml" >/dev/null 2>&1 || true
fi

echo "cluster: starting $gateways gateways and $rests REST nodes"
for ((i = 1; i <= gateways; i++)); do launch gateway "gateway-$i"; done
for ((i = 1; i <= rests; i++)); do launch rest "rest-$i"; done
for name in $(for ((i = 1; i <= gateways; i++)); do echo "gateway-$i"; done) $(for ((i = 1; i <= rests; i++)); do echo "rest-$i"; done); do
    wait_until "$name is ready" is_ready "$name"
done

# --- What to try ------------------------------------------------------------------------------------------------------

cat <<TEXT

Linnet runs as a cluster of $((nodes + gateways + rests)) processes. Ctrl-C stops it.

TEXT
echo "  Redis      $host:$redis_port to $((redis_port + nodes - 1)): $masters masters, each with $replicas replica(s)"
for ((i = 1; i <= gateways; i++)); do
    port=$((gateway_port + 10 * (i - 1)))
    echo "  gateway $i  tcp $host:$port   tls and quic $host:$((port + 1))"
done
for ((i = 1; i <= rests; i++)); do
    echo "  REST $i     http://$host:$((rest_port + i - 1))   API: http://$host:$((rest_port + i - 1))/docs"
done
echo
echo "The app (kept in $credentials):"
grep -v '^Write' "$credentials" | sed 's/^/  /'

secret="$(awk '$1 == "secret" { print $2 }' "$credentials")"
second=$((gateways > 1 ? 2 : 1)) last=$gateways
master=0
while [ "$(ask "$master" role | head -n 1)" != master ]; do master=$((master + 1)); done
cat <<TEXT

Two people at two gateways, in two more terminals, in this folder:
  $linnet chat --config $dir/gateway-$second.toml --user bob --to alice
  $linnet chat --config $dir/gateway-$last.toml --user alice --to bob

An app server at a REST node, which both of them see:
  TOKEN=\$(curl -s --json '{"secret":"$secret","platform":8,"uid":"admin"}' http://$host:$rest_port/auth/user_token | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s -H "token: \$TOKEN" --json '{"operationID":"1","sendID":"alice","recvID":"bob","content":{"text":"from the app server"},"contentType":101,"sessionType":1}' http://$host:$((rest_port + rests - 1))/manager/send_msg

Kill a Redis master: its replica takes over, and the node, which is started again after ten seconds, becomes a replica.
Meanwhile messages of its part wait; those of the others go on.
  kill -9 ${redis_pids[master]}; sleep 15; redis-cli -p $((redis_port + (master + 1) % nodes)) cluster nodes

What the cluster looks like to Linnet:
  $linnet doctor --config $dir/gateway-1.toml

TEXT

# A Linnet process that ends by itself is told, once; the others go on, as they would on their own machines.
# A Redis node is started again, as whatever looks after it on its own machine would do.
declare -A told=() due=()
while true; do
    for pid in "${linnet_pids[@]}"; do
        if [ -z "${told[$pid]:-}" ] && ! kill -0 "$pid" 2>/dev/null; then
            told[$pid]=1
            echo "cluster: process $pid has ended: see the logs in $dir"
        fi
    done
    for ((node = 0; node < nodes; node++)); do
        kill -0 "${redis_pids[node]}" 2>/dev/null && continue
        if [ -z "${due[$node]:-}" ]; then
            due[$node]=$((SECONDS + 10))
            echo "cluster: the Redis node on port $((redis_port + node)) has ended"
        elif [ "$SECONDS" -ge "${due[$node]}" ]; then
            unset "due[$node]"
            start_redis "$node"
            echo "cluster: the Redis node on port $((redis_port + node)) is started again"
        fi
    done
    sleep 1
done
