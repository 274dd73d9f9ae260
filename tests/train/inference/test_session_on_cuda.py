"""A session on a GPU: the same masks as on the CPU, and the same each time."""

import numpy as np
import pytest
import torch
from session_world import line_on
from toy_networks import BlockWorld
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.mivos_settings import MiVOSSettings
from vosforge.train.networks import FUSION, PROPAGATION, S2M

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]


def soft_masks_on(device: str, **settings) -> np.ndarray:
    """Two rounds of strokes, clicks aside, on networks of the small size; the probabilities of all frames."""
    torch.manual_seed(3)
    world = BlockWorld(12, (1, 2, 3), columns=8)
    networks = [kind.named("small") for kind in (S2M, PROPAGATION, FUSION)]
    with MiVOSSession(*networks, MiVOSSettings(device=device, measure_times=True, **settings)) as session:
        session.start(world, world.object_ids)
        for t in (2, 9):
            session.interact(t, {i: world.truth(t) == i for i in world.object_ids})
            session.interact(t, {2: line_on(world, t, 2)})
            dict(session.propagate())
        assert all(time.seconds > 0 for time in session.module_times.values())
        return np.stack([session.soft_masks(t) for t in range(12)]).astype(int)


@pytest.mark.parametrize("fusion", ["difference", "linear"])
def test_the_gpu_gives_the_masks_of_the_cpu(fusion):
    cpu, cuda = (soft_masks_on(device, fusion=fusion) for device in ("cpu", "cuda"))
    # TF32 in the convolutions.
    assert abs(cpu - cuda).mean() < 2 and (abs(cpu - cuda) > 25).mean() < 0.01


def test_the_gpu_gives_the_same_masks_each_time():
    assert np.array_equal(soft_masks_on("cuda"), soft_masks_on("cuda"))


def test_half_precision_runs_on_the_gpu():
    full, half = soft_masks_on("cuda"), soft_masks_on("cuda", precision="float16")
    assert abs(full - half).mean() < 5
