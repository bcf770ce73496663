"""The examples in `deploy/` name settings that exist, and the clusters they make are understood."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import tensorflow as tf
import yaml

from attention_zoo.pipelines.commands import main as command_line
from attention_zoo.pipelines.engine.training.distribution import workers
from attention_zoo.pipelines.registry import DATASETS, TASKS

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
JOB = yaml.safe_load((DEPLOY / "tfjob.yaml").read_text(encoding="utf-8"))
SLURM = (DEPLOY / "slurm.sh").read_text(encoding="utf-8")


def is_understood(command, capsys):
    name, *arguments = command
    assert name == "attention-zoo"
    with pytest.raises(SystemExit) as ended:
        command_line.main(TASKS, DATASETS, [*arguments, "--print-config"])
    assert not ended.value.code
    return yaml.safe_load(capsys.readouterr().out)


def test_kubeflow_job_gives_each_pod_a_valid_command_and_cluster(capsys, monkeypatch):
    replicas = JOB["spec"]["tfReplicaSpecs"]
    addresses = {
        kind.lower(): [
            f"{JOB['metadata']['name']}-{kind.lower()}-{i}.default.svc:2222" for i in range(spec["replicas"])
        ]
        for kind, spec in replicas.items()
    }
    for kind, spec in replicas.items():
        (container,) = spec["template"]["spec"]["containers"]
        assert container["name"] == "tensorflow"
        assert is_understood(container["command"], capsys)["training"]["strategy"] == "multi_worker"
        for index in range(spec["replicas"]):  # what the operator sets
            config = {"cluster": addresses, "task": {"type": kind.lower(), "index": index}, "environment": "cloud"}
            monkeypatch.setenv("TF_CONFIG", json.dumps(config))
            assert workers() == [*addresses["chief"], *addresses["worker"]]
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
            assert (resolver.task_type, resolver.task_id) == (kind.lower(), index)
            assert resolver.cluster_spec().as_dict() == addresses


def test_slurm_script_runs_a_valid_command_on_a_valid_cluster(capsys, monkeypatch):
    assert subprocess.run(["bash", "-n", DEPLOY / "slurm.sh"]).returncode == 0
    (command,) = re.findall(r"^srun (.+)$", SLURM, re.MULTILINE)
    assert is_understood(shlex.split(command), capsys)["training"]["strategy"] == "multi_worker"
    nodes = int(re.search(r"--nodes=(\d+)", SLURM)[1])
    variables = {
        "STEP_NUM_TASKS": nodes,
        "PROCID": 2,
        "STEP_NODELIST": f"gpu[1-{nodes}]",
        "STEP_TASKS_PER_NODE": f"1(x{nodes})",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(gpus_per_node=8, auto_set_gpu=False)
    assert resolver.cluster_spec().as_dict() == {"worker": [f"gpu{i}:8888" for i in range(1, nodes + 1)]}
    assert (resolver.task_type, resolver.task_id) == ("worker", 2)
