"""Alternates the Rust bench and its PyTorch peers in the same minutes; prints medians of milliseconds and of ratios, and the ratio of least times.

python compare.py BENCH_BINARY [--rounds N] [--seconds S] [--threads T] [--compile]

BENCH_BINARY is what `cargo build --release -p mta-llm --example bench` leaves in the target folder. A ratio above 1 says that Rust is faster.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def times_of(command, threads):
    """Median and least milliseconds."""
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return [float(word) for word in output.split()]


def medians(runs):
    return statistics.median(median for median, _ in runs)


def least(runs):
    return min(least for _, least in runs)


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("binary")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--seconds", type=float, default=2.0)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--compile", action="store_true")
    ask = ask.parse_args()
    forms = {"eager": [], **({"compiled": ["--compile"]} if ask.compile else {})}
    print("| task | shape | Rust ms | " + " | ".join(f"PyTorch {f} ms | ratio | ratio of least" for f in forms) + " |")
    print("|---|---|---|" + "---|---|---|" * len(forms))
    for task in ("train", "sample"):
        for shape in ("grown", "million"):
            rust, peers = [], {form: [] for form in forms}
            for _ in range(ask.rounds):
                rust.append(times_of([ask.binary, task, shape, str(ask.seconds)], ask.threads))
                for form, flags in forms.items():
                    script = [sys.executable, str(HERE / f"{task}.py"), shape, "--seconds", str(ask.seconds), "--threads", str(ask.threads)]
                    peers[form].append(times_of(script + flags, ask.threads))
            cells = [f"{medians(rust):.2f}"]
            for times in peers.values():
                ratio = statistics.median(p[0] / r[0] for p, r in zip(times, rust))
                cells += [f"{medians(times):.2f}", f"{ratio:.2f}", f"{least(times) / least(rust):.2f}"]
            print(f"| {task} | {shape} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
