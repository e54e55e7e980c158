"""Checks tests/support/hub_server.ts and the hub's cache against huggingface_hub 2.4 and transformers 5.23, both ways.

PYTHON tests/oracles/hub_check.py ENTAIL: huggingface_hub must accept the server; a machine whose Python has a model must
download nothing here; what is downloaded here Python must find without asking.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import load_file

root = Path(__file__).parent.parent.parent
entail = sys.argv[1]
work = Path(tempfile.mkdtemp(prefix="hub-check-"))
repo = work / "served" / "org" / "model"
repo.mkdir(parents=True)
fixture = root / "tests" / "fixtures" / "deberta" / "text"
for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
    (repo / name).write_bytes((fixture / name).read_bytes())
torch.save(load_file(fixture / "model.safetensors"), repo / "pytorch_model.bin")
(repo / "README.md").write_text("# a model\n")

deno = os.environ.get("DENO", "deno")
server = subprocess.Popen([deno, "run", "-A", root / "tests/support/hub_server.ts", work / "served"], stdout=subprocess.PIPE, text=True)
endpoint = server.stdout.readline().strip()
log = work / "requests.log"
# The server's lines are read while it works.
subprocess.Popen(["sh", "-c", f"cat >{log}"], stdin=server.stdout)

PYTHON = """
import json, sys
from huggingface_hub import snapshot_download
from transformers import AutoModelForSequenceClassification, AutoTokenizer
local = sys.argv[1] == "local"
folder = snapshot_download("org/model", local_files_only=local)
model = AutoModelForSequenceClassification.from_pretrained("org/model").eval()
tokens = AutoTokenizer.from_pretrained("org/model")("I sleep badly.", "Insomnia.", return_tensors="pt")
print(json.dumps([folder, model(**tokens).logits[0].tolist()]))
"""


def python(mode, **env):
    done = subprocess.run([sys.executable, "-c", PYTHON, mode], env=os.environ | env, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def predict(**env):
    pair = json.dumps({"post": "I sleep badly.", "criterion": "Insomnia."})
    command = [entail, "predict", "--quiet", "--checkpoint", "org/model", "--input", "-", "--output", "-"]
    done = subprocess.run(command, input=pair, env=os.environ | env, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["logits"]


def requests():
    time.sleep(0.3)
    lines = log.read_text().splitlines()
    log.write_text("")  # sh appends where it was: holes are dropped below
    return [line.strip("\0") for line in lines if line.strip("\0")]


def close(a, b):
    assert len(a) == len(b) and all(abs(x - y) <= 1e-4 for x, y in zip(a, b)), (a, b)


try:
    # Python first: its cache is enough.
    env = {"HF_HOME": str(work / "python"), "HF_ENDPOINT": endpoint}
    folder, logits = python("online", **env)
    requests()
    close(logits, predict(**env))
    asked = requests()
    assert asked == ["HEAD config.json"], asked
    close(logits, predict(**env, HF_HUB_OFFLINE="1"))
    assert requests() == []

    # Here first: Python finds it.
    env["HF_HOME"] = str(work / "entail")
    close(logits, predict(**env))
    asked = requests()
    assert not any("README" in line for line in asked), asked
    folder, found = python("local", **env, HF_HUB_OFFLINE="1")
    close(logits, found)
    assert requests() == [] and folder.startswith(env["HF_HOME"]), folder
    python("online", **env)
    asked = requests()
    assert not any(line.startswith("GET") and "pytorch_model.bin" in line for line in asked), asked

    # The same locks.
    etag = os.path.basename(os.readlink(f"{folder}/config.json"))
    env["HF_HOME"] = str(work / "locked")
    lock = work / "locked/hub/.locks/models--org--model" / f"{etag}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        command = [entail, "predict", "--checkpoint", "org/model", "--input", "/dev/null", "--output", "/dev/null"]
        waiting = subprocess.Popen(command, env=os.environ | env, stderr=subprocess.PIPE, text=True)
        for line in waiting.stderr:
            if "waiting for another process" in line:
                break
        assert waiting.poll() is None
    waiting.communicate()
    assert waiting.returncode == 0
finally:
    server.kill()
    shutil.rmtree(work)
print("ok")
