#!/usr/bin/env bash
# What a GPU must show: the kernel's bits on every pair of signal and rule, the speed of the sampled workloads, and that of peers on the same GPU.
#
#   sims/bench/device.sh build DIR         builds into DIR; needs Rust, no GPU and no CUDA toolkit
#   sims/bench/device.sh run DIR [PEERS]   runs what lies in DIR; needs a GPU, its driver and NVRTC, no Rust. PEERS: a folder with peer.py (see compare.py)
#
# The exit code is the number of failures. Under 8 minutes in all: every part has a time limit.
set -euo pipefail

build() {
  local repo shared=(-p mta-sims --locked --features cuda --message-format json-render-diagnostics) name file
  repo=$(cd "$(dirname "$0")/../.." && pwd)
  mkdir -p "$1"
  (cd "$repo" && cargo test --release "${shared[@]}" --no-run --lib && cargo build --release "${shared[@]}" --example fleet) |
    sed -nE 's/.*"target":\{[^}]*"name":"([^"]+)".*"executable":"([^"]+)".*/\1 \2/p' |
    while read -r name file; do strip -o "$1/$name" "$file"; done
  cp "$0" "$1/device.sh"
}

# NVRTC, where the loader does not know it but a Python environment has it.
find_libraries() {
  local more
  more=$(python3 -c 'import glob, sysconfig; print(":".join(glob.glob(sysconfig.get_path("purelib") + "/nvidia/*/lib")))' || true)
  export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$more"
}

part() {
  local limit=$1 name=$2
  shift 2
  echo "== $name (${SECONDS}s)"
  timeout "$limit" "$@" || { echo "$name: exit code $?"; failures=$((failures + 1)); }
}

jax() {
  part 50 "JAX, $2, $3 replicas" env -C "$1" python3 peer.py --engine jax --device gpu --workload "$2" --replicas "$3" --repeats 3
}

run() {
  local peers=${2:-} failures=0 replicas
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader
  find_libraries
  part 150 "bits on the device" "$1/mta_sims" batch::cuda --nocapture
  for replicas in 65536 1048576; do part 30 "w1, $replicas replicas" "$1/fleet" w1 "$replicas" 5 cuda; done
  for replicas in 64 512 8192; do part 20 "w2, $replicas replicas" "$1/fleet" w2 "$replicas" 5 cuda; done
  if [ -n "$peers" ]; then
    for replicas in 65536 1048576; do jax "$peers" W1 "$replicas"; done
    for replicas in 512 8192; do jax "$peers" W2 "$replicas"; done
  fi
  echo "== done (${SECONDS}s), $failures failures"
  return "$failures"
}

case "${1:-}" in
  build) build "${2:?a folder}" ;;
  run) run "$(cd "${2:?a folder}" && pwd)" "${3:-}" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
