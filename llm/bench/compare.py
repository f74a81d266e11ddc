"""Alternates the Rust bench and its PyTorch peers in the same minutes and prints medians of milliseconds and of ratios.

python compare.py BENCH_BINARY [--rounds N] [--seconds S] [--compile]

BENCH_BINARY is what `cargo build --release -p mta-llm --example bench` leaves in the target folder. A ratio above 1 says that Rust is faster.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def median_of(command):
    environment = os.environ | {"RAYON_NUM_THREADS": "2"}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()[0])


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("binary")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--seconds", type=float, default=2.0)
    ask.add_argument("--compile", action="store_true")
    ask = ask.parse_args()
    forms = {"eager": [], **({"compiled": ["--compile"]} if ask.compile else {})}
    print("| task | shape | Rust ms | " + " | ".join(f"PyTorch {f} ms | ratio" for f in forms) + " |")
    print("|---|---|---|" + "---|---|" * len(forms))
    for task in ("train", "sample"):
        for shape in ("grown", "million"):
            rust, peers = [], {form: [] for form in forms}
            for _ in range(ask.rounds):
                rust.append(median_of([ask.binary, task, shape, str(ask.seconds)]))
                for form, flags in forms.items():
                    script = [sys.executable, str(HERE / f"{task}.py"), shape, "--seconds", str(ask.seconds)]
                    peers[form].append(median_of(script + flags))
            cells = [f"{statistics.median(rust):.2f}"]
            for times in peers.values():
                ratio = statistics.median(p / r for p, r in zip(times, rust))
                cells += [f"{statistics.median(times):.2f}", f"{ratio:.2f}"]
            print(f"| {task} | {shape} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
