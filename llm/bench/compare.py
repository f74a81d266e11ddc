"""Alternates the Rust bench and its peers in PyTorch in the same seconds; prints one row for each task, shape and number of threads.

python compare.py BENCH_BINARY [--rounds N] [--seconds S] [--threads T ..] [--compile]

BENCH_BINARY is what `cargo build --release --workspace --example bench` leaves in the target folder. Times are milliseconds: medians over rounds of the
median, and the least of all. Ratios are PyTorch over Rust, so above 1 Rust is faster: *of medians* (median over rounds of the ratio in one round), *of least*,
and *of work* (processor time of all threads, which other work on the machine hardly touches; waiting in a loop counts as work). *Others* is how many
cores the rest of the machine kept busy meanwhile: above 0.1, distrust every time but the work.
"""

import argparse
import os
import resource
import statistics
import subprocess
import time

import torch

from sample import batch_of
from train import SHAPES, step_of

TASKS = {"train": step_of, "sample": batch_of}
RUST = "Rust"


def rust(ask, task, shape, threads):
    """Median, least and processor milliseconds of the Rust bench; those the system does not tell are None."""
    command = [ask.binary, task, shape, str(ask.seconds)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    words = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()
    return [None if word == "-" else float(word) for word in words]


def torches(ask, run, threads):
    """The same of a peer."""
    torch.set_num_threads(threads)
    for _ in range(3):
        run()
    times, start, spent = [], time.perf_counter(), time.process_time()
    while time.perf_counter() < start + ask.seconds:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    spent = (time.process_time() - spent) / len(times)
    return [1e3 * t for t in (statistics.median(times), min(times), spent)]


def peer(task, shape, compiled):
    torch.manual_seed(0)
    return TASKS[task](SHAPES[shape], compiled)


def busy():
    """Core seconds: of the whole machine, and of this process and its children. Nothing where the system does not tell."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, soft = map(int, file.readline().split()[1:8])
    except OSError:
        return None
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK") - sum(u.ru_utime + u.ru_stime for u in own)


def measured(ask, task, shape, threads):
    """Times of each form in each round, and the cores that others kept busy."""
    peers = {form: peer(task, shape, form == "compiled") for form in forms(ask)[1:]}
    torch.set_num_threads(threads)
    for run in peers.values():
        run()
    before, start, rounds = busy(), time.perf_counter(), []
    for _ in range(ask.rounds):
        rounds.append({RUST: rust(ask, task, shape, threads)} | {form: torches(ask, run, threads) for form, run in peers.items()})
    return rounds, None if before is None else max(0.0, (busy() - before) / (time.perf_counter() - start))


def forms(ask):
    return [RUST, "eager"] + ["compiled"] * ask.compile


def median(values):
    return None if None in values else statistics.median(values)


def times(rounds, form):
    """Median over rounds and least of all."""
    return [median([r[form][0] for r in rounds]), min(r[form][1] for r in rounds)]


def ratios(rounds, form):
    """A form over Rust: of medians, of least times, of work."""
    of = lambda kind: median([None if r[RUST][kind] is None else r[form][kind] / r[RUST][kind] for r in rounds])
    return [of(0), times(rounds, form)[1] / times(rounds, RUST)[1], of(2)]


def cells(numbers):
    return ["" if x is None else f"{x:.2f}" for x in numbers]


def row(ask, task, shape, threads):
    rounds, others = measured(ask, task, shape, threads)
    columns = [f"{a} ({b})" for a, b in (cells(times(rounds, form)) for form in forms(ask))]
    for form in forms(ask)[1:]:
        columns += cells(ratios(rounds, form))
    return [task, shape, str(threads), *columns, *cells([others])]


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("binary")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--seconds", type=float, default=1.0)
    ask.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    ask.add_argument("--compile", action="store_true")
    ask = ask.parse_args()
    head = ["task", "shape", "threads", *(f"{form} ms (least)" for form in forms(ask))]
    for form in forms(ask)[1:]:
        head += [f"{form}: ratio of medians", "of least", "of work"]
    head += ["others"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|", flush=True)
    for task in TASKS:
        for shape in SHAPES:
            for threads in ask.threads:
                print("| " + " | ".join(row(ask, task, shape, threads)) + " |", flush=True)


if __name__ == "__main__":
    main()
