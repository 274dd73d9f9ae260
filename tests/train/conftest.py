"""Fixtures for training: a tiny stage, batches of moving squares."""

from dataclasses import replace

import pytest
from moving_squares import moving_squares
from vosforge.train.stages.propagation_mini import PROPAGATION_RENDERED_MINI


@pytest.fixture
def tiny_stage():
    return replace(
        PROPAGATION_RENDERED_MINI,
        name="tiny-stage",
        size="tiny",
        num_steps=8,
        batch_size=2,
        micro_batch=1,
        crop_size=32,
    )


@pytest.fixture
def squares():
    """A function step -> batch: two coloured squares that move over noise; the second is missing in odd samples."""
    return moving_squares
