"""Alternates the batched engine and its peers on the fixed workloads; prints one row for each workload and number of replicas.

python compare.py FLEET_BINARY --peers DIR [--python PYTHON] [--engines numba numpy jax torch] [--limit BINARY] [--workloads w1 w2 w3] [--rounds N] [--threads T]

FLEET_BINARY is what `cargo build --release --workspace --example fleet` leaves in the target folder. A peer is a program that takes
`--engine E --workload W1 --replicas R --threads T --repeats 1` and prints one JSON line with `cpu_seconds` and `final_success_mean`; DIR holds it as peer.py.
An engine may bring options of its own: --engines "numba --dp dirty" asks for `--engine numba --dp dirty`.
The limit is a program that takes `W1 R T repeats` and prints `ns_per_replica_step_core`. Cells are nanoseconds of processor time per replica and step, medians
over rounds, and in brackets how many times the batched engine's: processor time, for other work on the machine then hardly counts. What cannot be run is empty.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

STEPS = {"w1": 200, "w2": 100, "w3": 1000}
REPLICAS = {"w1": [4096, 65536], "w2": [64, 512], "w3": [100000]}


def output(command, ask, **more):
    environment = os.environ | {"RAYON_NUM_THREADS": str(ask.threads)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, **more)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return None
    return done.stdout if done.returncode == 0 else None


def ours(ask, workload, replicas):
    """Nanoseconds of the second of two runs, and success at the end."""
    lines = (output([ask.binary, workload, str(replicas), "2"], ask) or "").splitlines()
    if not lines:
        return None
    words = lines[-1].replace(",", "").split()
    return float(words[0]), float(words[words.index("success") + 1])


def peer(ask, engine, workload, replicas):
    command = [ask.python, "peer.py", "--engine", *engine.split(), "--workload", workload.upper(), "--replicas", str(replicas)]
    text = output(command + ["--threads", str(ask.threads), "--repeats", "1"], ask, cwd=ask.peers)
    if not text:
        return None
    line = json.loads(text.splitlines()[-1])
    return 1e9 * line["cpu_seconds"] / (replicas * STEPS[workload]), line["final_success_mean"]


def limit(ask, workload, replicas):
    text = output([ask.limit, workload.upper(), str(replicas), str(ask.threads), "1"], ask, cwd=ask.peers)
    try:
        line = json.loads(text.splitlines()[-1])
    except (AttributeError, IndexError, ValueError):
        return None
    return line["ns_per_replica_step_core"], line["final_success_mean"]


def runners(ask):
    peers = {engine: lambda w, r, engine=engine: peer(ask, engine, w, r) for engine in ask.engines}
    limits = {"limit": lambda w, r: limit(ask, w, r)} if ask.limit else {}
    return {"mta-sim": lambda w, r: ours(ask, w, r)} | limits | peers


def cell(seen, base):
    """Median time, its ratio to the base, and success, of those rounds that ended."""
    seen = [x for x in seen if x is not None]
    if not seen:
        return ["", ""]
    time, success = (statistics.median(column) for column in zip(*seen))
    return [f"{time:.1f} ({time / base:.2f})" if base else f"{time:.1f}", f"{success:.4f}"]


def row(ask, workload, replicas):
    seen = {name: [] for name in runners(ask)}
    for _ in range(ask.rounds):
        for name, run in runners(ask).items():
            seen[name].append(run(workload, replicas))
    known = [x[0] for x in seen["mta-sim"] if x is not None]
    base = statistics.median(known) if known else None
    return [workload, str(replicas)] + [text for name in seen for text in cell(seen[name], base)]


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ask.add_argument("binary")
    ask.add_argument("--peers", default=".")
    ask.add_argument("--python", default="python3")
    ask.add_argument("--engines", nargs="*", default=["numba", "numpy", "jax", "torch"])
    ask.add_argument("--limit")
    ask.add_argument("--workloads", nargs="+", choices=STEPS, default=list(STEPS))
    ask.add_argument("--replicas", type=int, nargs="+")
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--threads", type=int, default=2)
    ask = ask.parse_args()
    head = ["workload", "replicas"] + [text for name in runners(ask) for text in (f"{name} ns", "success")]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|", flush=True)
    for workload in ask.workloads:
        for replicas in ask.replicas or REPLICAS[workload]:
            print("| " + " | ".join(row(ask, workload, replicas)) + " |", flush=True)


if __name__ == "__main__":
    main()
