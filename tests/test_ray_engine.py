"""The filter stage on a Ray cluster of two nodes: the very bytes of the local engine, also with a node lost on the way.

Skipped where the optional package ray is not installed.
"""

import os
import time
from pathlib import Path

import pytest
from test_filter_datasets import all_bytes, make_rows, spoilt_rows, write_input
from test_filter_datasets import run as filter_small

import corpus_shards
import dataset_formats
import filter_datasets
import filter_steps
from common import UserError, read_json

ray = pytest.importorskip("ray")


def run(folder, *options):
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((dataset_formats, "CHUNK_ROWS"), (filter_steps, "SHARD_ROWS")):
            patch.setattr(module, name, 40)
        filter_small(folder, *options)


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of one core each; RAY_ADDRESS is theirs."""
    from ray.cluster_utils import Cluster

    root = Path(filter_datasets.__file__).parent  # a script tells the nodes where it lies, a test does not
    for name, value in (
        ("PYTHONPATH", f"{root}:{root}/tests"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("RAY_worker_niceness", "0"),
    ):
        monkeypatch.setitem(os.environ, name, value)
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 2**27})
    nodes.lost_on_the_way = nodes.add_node(num_cpus=1, object_store_memory=2**27)
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    yield nodes
    nodes.shutdown()


def test_two_nodes_one_killed_half_way_give_the_bytes_of_one_process(tmp_path, cluster, monkeypatch, capsys):
    path = write_input(tmp_path, spoilt_rows(make_rows(400)))
    run(tmp_path / "local", "--dataset", path)
    killed, run_on_ray = [], corpus_shards.run_tasks_on_ray

    def kill_a_node(function, context, tasks):
        for number, done in enumerate(run_on_ray(function, context, tasks)):
            if function is filter_steps.count_task and number == 2:
                killed.append(len(ray.nodes()))
                cluster.remove_node(cluster.lost_on_the_way, allow_graceful=False)
            yield done

    monkeypatch.setattr(corpus_shards, "run_tasks_on_ray", kill_a_node)
    run(tmp_path / "ray", "--dataset", path, "--engine", "ray")
    assert "ray: 2 cores on 2 nodes" in capsys.readouterr().out
    assert killed == [2]
    assert all_bytes(tmp_path / "ray") == all_bytes(tmp_path / "local")
    assert sorted(tmp_path.glob("ray/**/*.tmp")) == []
    steps, alone = (read_json(tmp_path / name / "scores.json")["steps"] for name in ("ray", "local"))
    assert {name: step["tasks"] for name, step in steps.items()} == {name: alone[name]["tasks"] for name in alone}


def test_tasks_spread_over_nodes_and_what_a_user_can_mend_comes_back_as_one_line(tmp_path, cluster):
    with corpus_shards.ray_cluster():
        used = list(corpus_shards.run_tasks_on_ray(note_node, tmp_path, range(6)))
        assert len(used) == 6 and max(used) < 0.4  # seconds of CPU, not those slept
        assert len({path.read_text() for path in tmp_path.iterdir()}) == 2
        with pytest.raises(UserError, match="^cannot write .*No such file"):
            list(corpus_shards.run_tasks_on_ray(note_node, tmp_path / "nowhere", range(3)))


def note_node(folder, task):
    time.sleep(0.5)
    corpus_shards.write_facts(folder / f"{task}.json", ray.get_runtime_context().get_node_id())


def test_a_node_without_the_code_says_so(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # Ray looks where the process was started
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_worker_niceness", "0")
    wanted = "a node cannot run this code .*No module named 'corpus_shards'.*same paths on every node"
    with corpus_shards.ray_cluster(), pytest.raises(UserError, match=wanted):
        list(corpus_shards.run_tasks_on_ray(note_node, tmp_path, range(1)))


def test_no_cluster_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match="no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1 .Connection refused"):
        run(tmp_path / "results", "--dataset", write_input(tmp_path, make_rows(30)), "--engine", "ray")
