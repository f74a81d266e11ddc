#!/usr/bin/env bash
# What a GPU must show: RL steps of a 0.5B-shaped Qwen2.5, their memory and tokens/s, and the tests of models and training with the device set to cuda.
#
#   llm/bench/device.sh             builds and runs; needs Rust, the CUDA toolkit and a GPU
#   llm/bench/device.sh build DIR   only builds, into DIR; needs Rust and the toolkit, no GPU
#   llm/bench/device.sh run DIR     only runs what lies in DIR; needs a GPU and CUDA's libraries, no Rust
#
# The exit code is the number of failures.
set -euo pipefail

# The longest last.
TESTS=(parity lora optimizer folder train rl_step fused rules)
EXAMPLE=step

# Each test's binary and the example's, without symbols, and the fixtures beside them.
build() {
  local repo shared=(--workspace --locked --features cuda --message-format json-render-diagnostics) tests=() name file
  repo=$(cd "$(dirname "$0")/../.." && pwd)
  for name in "${TESTS[@]}"; do tests+=(--test "$name"); done
  mkdir -p "$1/tests"
  (cd "$repo" && cargo test "${shared[@]}" --no-run "${tests[@]}" && cargo build "${shared[@]}" --example "$EXAMPLE") |
    sed -nE 's/.*"target":\{[^}]*"name":"([^"]+)".*"executable":"([^"]+)".*/\1 \2/p' |
    while read -r name file; do strip -o "$1/$name" "$file"; done
  rm -rf "$1/tests/fixtures"
  cp -r "$repo/llm/tests/fixtures" "$1/tests/"
  cp "$0" "$1/device.sh"
}

# CUDA's libraries, where the loader does not know them but the Python environment has them (as PyTorch's have).
find_libraries() {
  if ldd "$1/$EXAMPLE" | grep -q 'not found'; then
    local more
    more=$(python3 -c 'import glob, sysconfig; print(":".join(glob.glob(sysconfig.get_path("purelib") + "/nvidia/*/lib")))')
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$more"
  fi
  if ldd "$1/$EXAMPLE" | grep 'not found'; then echo "put these on LD_LIBRARY_PATH"; return 1; fi
}

# RL steps, and the most memory the GPU had in use meanwhile.
measure() {
  local seen watcher failed=0
  seen=$(mktemp)
  nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 100 >"$seen" &
  watcher=$!
  timeout 90 "$1/$EXAMPLE" qwen2.5-0.5b cuda "$2" 2 || failed=1
  kill "$watcher"
  echo "memory, as nvidia-smi saw it: $(sort -n "$seen" | tail -1) MiB at the peak, $(head -1 "$seen") MiB before"
  rm "$seen"
  return "$failed"
}

# One test at a time: threads have CUDA streams of their own and would share cuBLAS's workspace.
run() {
  local name failures=0
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  find_libraries "$1"
  export MTA_DEVICE=cuda CARGO_MANIFEST_DIR=$1
  for name in f32 bf16; do
    echo "== RL step, $name (${SECONDS}s)"
    measure "$1" "$name" || failures=$((failures + 1))
  done
  for name in "${TESTS[@]}"; do
    echo "== $name (${SECONDS}s)"
    timeout 150 "$1/$name" --test-threads=1 || { echo "$name: exit code $?"; failures=$((failures + 1)); }
  done
  echo "== done (${SECONDS}s), $failures failures"
  return "$failures"
}

case "${1:-}" in
  build) build "${2:?a folder}" ;;
  run) run "$(cd "${2:?a folder}" && pwd)" ;;
  "") folder=$(mktemp -d); trap 'rm -r "$folder"' EXIT; build "$folder"; run "$folder" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
