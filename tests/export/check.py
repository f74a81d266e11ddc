"""Reads the exports of the run in `run` with the tools they are for, and compares every number with the run's Parquet files."""

import glob
import json
import math
import os

import duckdb
import pandas
import polars
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

history = pandas.read_parquet("run/history.parquet")
first = list(history.columns).index("step") + 1
metrics = list(history.columns)[first:]
keys = [name for name in history.columns[: first - 1] if name != "cell"]


def same(a, b):
    return a == b or (a is None or b is None or math.isnan(a) or math.isnan(b)) and (a is None or math.isnan(a)) == (b is None or math.isnan(b))


for name in ["results", "history"]:
    truth = pandas.read_parquet(f"run/{name}.parquet")
    queried = duckdb.sql(f"select * from 'run/{name}.parquet'").fetchall()
    assert len(queried) == len(truth) == polars.read_parquet(f"run/{name}.parquet").height
    files = [pandas.read_csv(f"csv/{name}.csv"), pandas.read_json(f"jsonl/{name}.jsonl", lines=True, precise_float=True)]
    frames = [polars.read_csv(f"csv/{name}.csv", infer_schema_length=None), polars.read_ndjson(f"jsonl/{name}.jsonl", infer_schema_length=None)]
    relations = [duckdb.sql(f"select * from read_csv('csv/{name}.csv')"), duckdb.sql(f"select * from read_json('jsonl/{name}.jsonl')")]
    for column in truth.columns:
        expected = truth[column].tolist()
        if truth[column].dtype == object and column in ("cell", "recipe", "signal", "rule", "regime", "mode"):
            assert all(frame[column].to_list() == expected for frame in frames), column
            continue
        for at, frame in enumerate(frames):
            assert all(same(a, b) for a, b in zip(frame[column].to_list(), expected)), (name, column, at)
        for file in files:
            assert all(same(a, b) or math.isclose(a, b, rel_tol=1e-15) for a, b in zip(file[column].tolist(), expected)), (name, column)
    for relation in relations:
        assert relation.columns == list(truth.columns) and len(relation.fetchall()) == len(truth)
print(f"{len(history)} rows of {len(metrics)} metrics: csv and jsonl as pandas, polars and DuckDB read them")

groups = list(history.groupby(["cell"] + keys, sort=False, dropna=False))


def name_of(rows):
    row = rows.iloc[0]
    word = lambda key: str(row[key]) if key == "recipe" else f"{key}={json.dumps(row[key].item())}"
    return ",".join(word(key) for key in keys)


points = 0
for _, rows in groups:
    log = EventAccumulator(os.path.join("tensorboard", name_of(rows)), size_guidance={"scalars": 0})
    log.Reload()
    for metric in metrics:
        expected = [(s, v) for s, v in zip(rows["step"], rows[metric]) if not math.isnan(v)]
        seen = [(e.step, e.value) for e in log.Scalars(metric)] if expected else []
        assert len(seen) == len(expected), (metric, seen, expected)
        assert all(a == b and math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-38) for (a, x), (b, y) in zip(seen, expected)), metric
        points += len(seen)
print(f"tensorboard: {len(groups)} runs, {points} points")

files, points = glob.glob("wandb-offline/wandb/offline-run-*/run-*.wandb"), 0
assert len(files) == len(groups)
names = {name_of(rows): rows for _, rows in groups}
for file in files:
    store, run, last, kinds = DataStore(), None, None, []
    store.open_for_scan(file)
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        kinds.append(kind)
        if kind == "run":
            run = names.pop(record.run.display_name)
            config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
            assert config["recipe"] == run.iloc[0]["recipe"] and record.run.run_id in file
            steps = iter(run.to_dict("records"))
        if kind == "history":
            row = next(steps)
            items = {item.key: json.loads(item.value_json) for item in record.history.item}
            assert record.history.step.num == items["_step"] == row["step"]
            for metric in metrics:
                assert same(items.get(metric, math.nan), row[metric]), metric
                points += metric in items
        if kind == "summary":
            last = {item.key: json.loads(item.value_json) for item in record.summary.update}
    assert next(steps, None) is None and kinds[0] == "header" and kinds[-2:] == ["exit", "footer"], kinds
    assert all(same(last.get(metric, math.nan), row[metric]) for metric in metrics)
print(f"wandb {__import__('wandb').__version__}: {len(files)} runs, {points} points")
