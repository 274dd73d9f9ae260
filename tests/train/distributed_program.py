"""Computes updates of tiny networks in 1, 2 and 8 processes that gloo connects, and writes what came of them.

Run by test_distributed.py as a process of its own, whose forks start at once: python distributed_program.py OUT
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing
from moving_squares import moving_squares
from vosforge.models.propagation import train_batch_norm
from vosforge.train.distributed import ALONE, RankGroup
from vosforge.train.frozen import freeze
from vosforge.train.loop import TrainingFailed, to_device
from vosforge.train.micro_batches import BatchDivision, rows_of
from vosforge.train.networks import PROPAGATION
from vosforge.train.request import RunRequest
from vosforge.train.run import run
from vosforge.train.stage import Scheduled, StepResult
from vosforge.train.stages.fusion import FUSION_RENDERED
from vosforge.train.stages.ipn import IPN_CLIPS
from vosforge.train.stages.propagation_mini import PROPAGATION_RENDERED_MINI
from vosforge.train.stages.s2m import S2M_MINI
from vosforge.train.update import GlobalUpdate, mean_update, step_generator

BATCH, MICRO_BATCH, STEPS, SEED = 16, 2, 5, 3
CPU = torch.device("cpu")
# The hardest third of the pixels, so that their selection takes part.
SCHEDULED = Scheduled(learning_rate=1.0, kept_fraction=0.3, max_jump=1)


def gentle(stage, scale):
    """The stage with a loss that a learning rate of 1 does not blow up."""

    def step(*arguments, **settings):
        answer = stage.step(*arguments, **settings)
        if isinstance(answer, StepResult):
            return replace(answer, loss=answer.loss * scale)
        return (replace(one, loss=one.loss * scale) for one in answer)

    return replace(stage, step=step)


GENTLE = gentle(PROPAGATION_RENDERED_MINI, 0.03)
# A generator: an update of the weights at each of 2 * 3 predictions of a batch.
ROUNDS = replace(gentle(IPN_CLIPS, 0.03), step_settings={"num_frames": (3, 3), "num_rounds": (2, 2)})
CASES = {
    "propagation": (GENTLE, True),
    "propagation-frozen": (GENTLE, False),
    "s2m": (gentle(S2M_MINI, 0.1), True),
    "fusion": (FUSION_RENDERED, False),
    "ipn": (ROUNDS, True),
    "ipn-frozen": (ROUNDS, False),
    "ipn-part": (replace(ROUNDS, frozen=("interaction",)), False),
}


def batch_of(stage, step):
    """A global batch for a stage, made of squares; every sample differs from the others."""
    squares = moving_squares(step, batch_size=BATCH)
    squares = {name: value.double() if torch.is_tensor(value) and value.is_floating_point() else value
               for name, value in squares.items()}  # fmt: skip
    number = torch.arange(BATCH) + step * BATCH
    if stage.data in ("clips", "tracklets"):
        return {**squares, "number": number}
    rgb, labels = squares["rgb"], squares["labels"]
    masks = torch.stack([labels == 1, labels == 2], dim=2).double()
    if stage.data == "corrections":
        return {
            "rgb": rgb[:, 1],
            "labels": (labels[:, 1] == 1).long(),
            "current_mask": masks[:, 0, 0],
            "positive": masks[:, 1, 0] * (1 - masks[:, 0, 0]),
            "negative": masks[:, 0, 0] * (1 - masks[:, 1, 0]),
            "number": number,
        }
    return {
        "rgb": rgb[:, 1],
        "rgb_interaction": rgb[:, 2],
        "labels": labels[:, 1],
        "labels_interaction": labels[:, 2],
        "previous": masks[:, 0] * 0.9,
        "new": masks[:, 2] * 0.8,
        "previous_there": masks[:, 1],
        "distances": torch.tensor([[0.25, 0.75]] * BATCH, dtype=torch.float64),
        "selector": squares["selector"],
        "number": number,
    }


def network_of(stage):
    torch.manual_seed(SEED)
    network = stage.network.named("tiny").double()
    freeze(network, stage.frozen)
    companion = PROPAGATION.named("tiny").double().eval().requires_grad_(False) if stage.companion else None
    return network, companion


def train(case, group):
    """Five steps of plain SGD at learning rate 1; returns the first gradient, and what the network is afterwards."""
    stage, learns_statistics = CASES[case]
    stage = replace(stage, gradient_clip=None)
    network, companion = network_of(stage)
    train_batch_norm(network, learns_statistics)
    division = BatchDivision(batch_size=BATCH, micro_batch=MICRO_BATCH, num_ranks=group.num_ranks)
    update = GlobalUpdate(network, stage, division, seed=SEED, device=CPU, companion=companion, group=group)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    own = range(group.rank * division.share, (group.rank + 1) * division.share)
    losses, gradients = [], {}
    for step in range(STEPS):
        share = to_device(rows_of(batch_of(stage, step), own), CPU)
        results = []
        for result in update(share, step, SCHEDULED, learns_statistics):
            known = {name: one.grad.clone() for name, one in network.named_parameters() if one.grad is not None}
            gradients = gradients or known
            optimiser.step()
            results.append(result)
        result = mean_update(results)
        losses.append(result.loss)
    state = network.state_dict()
    rows = group.gather(torch.cat([value.double().flatten() for value in state.values()])[None])
    assert (rows == rows[0]).all(), "the processes hold different networks"
    return {"gradients": gradients, "state": state, "losses": losses, "metrics": result.metrics}


def whole_batch_gradient(case):
    """The gradient of the stage's own mean loss over the whole batch in one forward pass, by none of our machinery."""
    stage, learns_statistics = CASES[case]
    network, companion = network_of(stage)
    train_batch_norm(network, learns_statistics)
    settings = {**stage.step_settings, **({"companion": companion} if companion else {})}
    stage.step(network, batch_of(stage, 0), step_generator(SEED, 0), SCHEDULED, **settings).loss.backward()
    return {name: one.grad for name, one in network.named_parameters()}


def reduce_pieces(group):
    """What the group itself does: sums with and without gradients, flags, messages, mistakes."""
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    parameters[0].grad = torch.full((2,), 1.0 + group.rank)
    if group.rank == 1:
        parameters[1].grad = torch.ones(2)
    group.sum_gradients(parameters)

    def fails_in_second():
        if group.rank == 1:
            raise ValueError("no such corpus")

    try:
        group.together(fails_in_second)
        message = ""
    except ValueError as error:
        message = str(error)
    return {
        "gradients": [None if one.grad is None else one.grad.tolist() for one in parameters],
        "any": [group.any(group.rank == 1), group.any(False)],
        "first": group.from_first({"x": torch.ones(1), "best": None} if group.is_first else None),
        "message": message,
    }


def whole_runs(group, out):
    """Runs of two processes: one that meets a loss that is not finite, one that a signal to the second one stops."""
    stage = replace(PROPAGATION_RENDERED_MINI, size="tiny", batch_size=4, micro_batch=2)
    stage = replace(stage, num_steps=6, crop_size=32)

    def batches_with(bad_step):
        def batches(step):
            while True:
                batch = rows_of(moving_squares(step, batch_size=4), range(2 * group.rank, 2 * group.rank + 2))
                if step == bad_step and group.rank == 1:
                    batch["rgb"][0, 1] = float("nan")
                yield batch
                step += 1

        return batches

    def request(name):
        return RunRequest(stage=stage, data=(), out=out / name, device="cpu", checkpoint_every=2, log_every=1)

    heard = []
    try:
        run(request("failed"), report=heard.append, announce=heard.append, batches=batches_with(3), group=group)
        message = ""
    except TrainingFailed as error:
        message = str(error)
    spoke = len(heard)

    def interrupted(step):
        # Both ask for their batches; the second process gets the signal while it prepares the third one.
        for number, batch in enumerate(batches_with(-1)(step), start=step):
            if number == 2 and group.rank == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch

    stopped = run(request("stopped"), report=heard.append, announce=heard.append, batches=interrupted, group=group)
    return {"message": message, "spoke": spoke, "stopped": [stopped.steps, stopped.finished]}


def rank_main(rank, num_ranks, out):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{out}/store-{num_ranks}", rank=rank, world_size=num_ranks)
    group = RankGroup(rank=rank, num_ranks=num_ranks)
    results = {case: train(case, group) for case in CASES}
    pieces = reduce_pieces(group)
    runs = whole_runs(group, out) if num_ranks == 2 else {}
    if rank in (0, num_ranks - 1):
        torch.save({**results, "pieces": pieces, "runs": runs}, out / f"{num_ranks}-rank-{rank}.pt")
    dist.destroy_process_group()


def main(out):
    torch.set_num_threads(1)
    torch.save({case: train(case, ALONE) for case in CASES}, out / "1-rank-0.pt")
    torch.save({case: whole_batch_gradient(case) for case in ("propagation-frozen", "fusion")}, out / "whole.pt")
    for num_ranks in (2, 8):
        torch.multiprocessing.start_processes(rank_main, (num_ranks, out), nprocs=num_ranks, start_method="fork")


if __name__ == "__main__":
    np.seterr(all="raise")
    main(Path(sys.argv[1]))
