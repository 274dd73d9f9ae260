"""Training and propagation on a CUDA device, where there is one."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from vosforge.models.propagation import train_batch_norm
from vosforge.train.checkpoint import load_network, read_checkpoint
from vosforge.train.inference.propagation import PropagationSettings, propagate
from vosforge.train.loop import to_device
from vosforge.train.micro_batches import BatchDivision
from vosforge.train.request import RunRequest
from vosforge.train.run import run
from vosforge.train.update import GlobalUpdate

DEVICE = "cuda"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_bf16_run_stops_resumes_and_propagates_on_cuda(tiny_stage, squares, tmp_path):
    request = RunRequest(
        stage=tiny_stage, data=(), out=tmp_path / "run", num_steps=4, device=DEVICE, precision="bf16", picture_every=0
    )

    def batches(step):
        while True:
            yield squares(step)
            step += 1

    def interrupt_at_two(report):
        if report.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    halved = run(request, report=interrupt_at_two, announce=str, batches=batches)
    assert (halved.steps, halved.finished) == (2, False)
    heard = []
    resumed = run(request, report=heard.append, announce=str, batches=batches)
    assert resumed.finished and resumed.started_from.startswith("step 2 of")
    assert [report.step for report in heard] == [3, 4] and all(np.isfinite(report.loss) for report in heard)
    state = read_checkpoint(resumed.checkpoint)["network"]
    assert all(value.isfinite().all() for value in state.values())

    network, _ = load_network(resumed.checkpoint, DEVICE)
    video = np.random.default_rng(0).integers(0, 256, (4, 45, 70, 3)).astype(np.uint8)
    first = np.zeros((45, 70), np.uint8)
    first[5:35, 5:25], first[5:35, 30:50] = 3, 7
    masks = list(propagate(network, video, first, PropagationSettings(device=DEVICE)))
    assert len(masks) == 4 and next(network.parameters()).device.type == DEVICE
    assert all(mask.shape == (45, 70) and mask.dtype == np.uint8 for mask in masks)
    assert all(set(np.unique(mask)) <= {0, 3, 7} for mask in masks)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_update_on_cuda_is_that_of_the_cpu(tiny_stage, squares):
    stage = replace(tiny_stage, batch_size=4, micro_batch=2)
    results = []
    for name in ("cpu", DEVICE):
        torch.manual_seed(0)
        device = torch.device(name)
        network = stage.network.named("tiny").to(device, memory_format=torch.channels_last)
        train_batch_norm(network, True)
        update = GlobalUpdate(network, stage, BatchDivision(batch_size=4, micro_batch=2), seed=0, device=device)
        list(update(to_device(squares(0, batch_size=4), device), 0, stage.at(0, 8), True))
        gradients = {key: value.grad.cpu() for key, value in network.named_parameters()}
        results.append({**gradients, **dict(network.cpu().named_buffers())})
    largest = max(float(value.abs().max()) for value in results[0].values())
    for name, value in results[0].items():
        assert torch.allclose(results[1][name], value, rtol=1e-2, atol=1e-3 * largest), name
