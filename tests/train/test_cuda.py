"""Training and propagation on a CUDA device, where there is one."""

import os
import signal

import numpy as np
import pytest
import torch
from vosforge.train.checkpoint import load_network, read_checkpoint
from vosforge.train.inference.propagation import PropagationSettings, propagate
from vosforge.train.request import RunRequest
from vosforge.train.run import run

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
