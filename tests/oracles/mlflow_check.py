"""Reads with MLflow what src/tracking wrote, in a folder and on a server. Not part of the test suite.

Made for MLflow 3.17.2, Python 3.11+; `deno` must be on the PATH:
    pip install mlflow==3.17.2 && python tests/oracles/mlflow_check.py
"""

import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"

import mlflow
from mlflow.tracking import MlflowClient

HERE = Path(__file__).resolve().parent


def make(uri: str, folder: Path, status: str, steps: int) -> None:
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["deno", "run", "-A", str(HERE / "mlflow_make.ts"), uri, str(folder), status, str(steps)],
        check=True,
    )


def check(uri: str, folder: Path, infinity: float) -> None:
    make(uri, folder, "KILLED", 1200)
    make(uri, folder, "FINISHED", 1500)  # goes on with the same runs
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("check: ä")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["fold: 0 'yes'", "whole"], runs
    [whole] = client.search_runs([experiment.experiment_id], "params.`training.learning_rate` = '0.00002'")
    assert whole.data.params["lines"] == "a\nb" and whole.data.params["model.name"] == "x/y"
    assert whole.data.params["long"] == "é" * 6000
    [fold] = client.search_runs(
        [experiment.experiment_id], f"tags.mlflow.parentRunId = '{whole.info.run_id}' and metrics.loss < 0.001"
    )
    for run in (whole, fold):
        assert run.info.status == "FINISHED" and run.info.end_time >= run.info.start_time > 1e12
        assert run.data.tags["mlflow.source.name"] == "entail train" and run.data.tags["mlflow.user"]
    assert fold.data.tags["mlflow.note.content"] == "n"
    assert math.isnan(fold.data.metrics["nan"]) and fold.data.metrics["infinite"] == infinity, fold.data.metrics
    for key, value in (("loss", lambda step: 1 / step), ("eval/f1", float)):
        history = client.get_metric_history(fold.info.run_id, key)
        points = sorted((point.step, point.value) for point in history)
        assert points == [(step, value(step)) for step in range(1, 1501)], (key, len(points))
    [read] = client.get_run(whole.info.run_id).inputs.dataset_inputs
    assert (read.dataset.name, read.dataset.digest) == ("config.json", "0123456789abcdef0123456789abcdef0123"), read.dataset
    assert [(tag.key, tag.value) for tag in read.tags] == [("mlflow.data.context", "training")]
    assert mlflow.data.get_source(read.dataset).load() == str(folder / "best" / "config.json")
    files = {item.path: item.file_size for item in client.list_artifacts(fold.info.run_id, "checkpoint")}
    assert files == {"checkpoint/config.json": 2, "checkpoint/model 1.safetensors": 3 << 20}, files
    local = client.download_artifacts(fold.info.run_id, "checkpoint/model 1.safetensors", str(folder))
    assert Path(local).read_bytes() == b"\7" * (3 << 20)
    assert not list(folder.glob("mlflow-unsent-*")), "something was left behind"
    print("ok", uri)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check_server(root: Path, *options: str) -> None:
    root.mkdir()
    port = free_port()
    command = [Path(sys.executable).parent / "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{root}/mlflow.db", *options]
    with open(root / "server.log", "w") as log:
        server = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)
    try:
        uri = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{uri}/health").read()
                break
            except OSError:
                time.sleep(0.5)
        check(uri, root / "run", infinity=1.7976931348623157e308)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    print("MLflow", mlflow.__version__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check(f"file:{folder}/store", folder / "run", infinity=math.inf)
        check_server(folder / "served", "--artifacts-destination", f"{folder}/served/artifacts")
        check_server(folder / "unserved", "--no-serve-artifacts")
