"""Two processes on the CPU, joined by gloo."""

import os
import socket
from pathlib import Path

import tiny_training as tiny
import torch

from mrrepro.training import distributed
from mrrepro.training.trainer import fit


class Stop(Exception):
    pass


def halves(number):
    """The batch of tiny.batches(number // 2) of which this process gets one half."""
    images, truth = tiny.batches(number // 2, 8)
    mine = slice(4 * (number % 2), 4 * (number % 2) + 4)
    return images[mine], truth[mine]


def work(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    results = {}
    with distributed.launched_processes() as device:
        assert device.type == "cuda" or distributed.process_rank() == rank
        device = torch.device("cpu")
        plain = tiny.plan(validate_every=None)
        task = tiny.task(plain, tiny.network(dropout=0.0, normalised=False))
        record = fit(task, halves, plain, Path(folder) / "plain", device=device, progress=False)
        results["plain"] = task.network.state_dict()
        results["samples"] = torch.tensor(record.samples_seen)

        plan = tiny.plan()
        for name, stops in (("whole", ()), ("parts", (11, 50))):
            torch.manual_seed(100 + rank)
            for stop in (*stops, None):
                net = tiny.network()
                torch.manual_seed(100 + rank)
                task = tiny.task(plan, net)
                if rank == 1:
                    torch.nn.init.zeros_(net[0].weight)  # the first process's weights are taken

                def batches(number, stop=stop):
                    if stop is not None and number // 2 == stop // 2:
                        raise Stop
                    return halves(number)

                try:
                    fit(task, batches, plan, Path(folder) / name, device=device, progress=False)
                except Stop:
                    assert stop is not None
            results[name] = task.network.state_dict()
    torch.save(results, Path(folder) / f"{rank}.pt")


def test_two_processes(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = tiny.other_processes()
    processes = [context.Process(target=work, args=(rank, port, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for name in ("plain", "whole", "parts"):  # both processes hold the same bits
        assert all(torch.equal(first[name][key], second[name][key]) for key in first[name]), name
    for key, weights in first["whole"].items():  # and an interruption leaves no trace
        assert torch.equal(weights, first["parts"][key]), key
    assert first["samples"] == tiny.STEPS * 8

    plan = tiny.plan(validate_every=None)
    alone = tiny.task(plan, tiny.network(dropout=0.0, normalised=False))
    fit(alone, lambda number: tiny.batches(number, 8), plan, tmp_path / "alone", progress=False)
    for key, weights in alone.network.state_dict().items():  # as one process with the batch of both
        torch.testing.assert_close(first["plain"][key], weights, rtol=1e-4, atol=1e-5)


def test_one_process_needs_no_group():
    with distributed.launched_processes() as device:
        assert device.type in ("cpu", "cuda")
    assert distributed.process_count() == 1
    values = torch.ones(3)
    distributed.average([values])
    assert torch.equal(values, torch.ones(3))
