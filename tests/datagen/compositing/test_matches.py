"""Cells that show the same thing in two frames of a composited sequence."""

import dataclasses

import numpy as np
import pytest
from vosforge.datagen.augmentation.colour import JitterRange
from vosforge.datagen.compositing.sequence import sample_sequence
from vosforge.datagen.compositing.settings import SequenceSettings
from vosforge.datagen.compositing.stills import Still

STILLNESS = {
    "still_scale": (1, 1),
    "frame_scale": (1, 1),
    "rotation_degrees": 0,
    "shear_degrees": 0,
    "spline_probability": 0,
    "flip_probability": 0,
    "still_jitter": JitterRange(),
    "frame_jitter": JitterRange(),
    "greyscale_probability": 0,
}
MOVING = SequenceSettings(size=96, match_cell=16, spline_probability=0.5, still_jitter=JitterRange())


class Noise:
    """Stills whose pixels tell where they come from: red is x, green is y, blue the still's number."""

    def __len__(self):
        return 3

    def read(self, rng, number):
        rows, columns = np.indices((96, 96))
        ids = np.zeros((96, 96), np.uint8)
        ids[20:70, 30:80] = 1
        rgb = np.stack([columns * 2 + 20, rows * 2 + 20, np.full_like(rows, 60 * number + 40)], -1)
        return Still(name=str(number), rgb=rgb.astype(np.uint8), ids=ids)


def sample(settings, seed=0):
    return sample_sequence(np.random.default_rng(seed), Noise(), seed % 3, settings)


def test_a_sequence_without_motion_matches_itself():
    matches = sample(dataclasses.replace(MOVING, **STILLNESS)).matches
    assert matches.shape == (3, 3, 36) and matches.dtype == np.int64
    for t, s in ((1, 0), (2, 0), (2, 1)):
        assert (matches[t, s] == np.arange(36)).all()
    for t, s in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)):
        assert (matches[t, s] == -1).all()


@pytest.mark.parametrize("more", [{}, {"num_pasted": (2, 2)}, {"background_probability": 1.0}], ids=str)
def test_matched_cells_show_the_same_place_of_the_same_still(more):
    settings = dataclasses.replace(MOVING, frame_jitter=JitterRange(), greyscale_probability=0, **more)
    misses, total = [], 0
    for seed in range(12):
        sequence = sample(settings, seed)
        middles = sequence.rgb.reshape(3, 6, 16, 6, 16, 3)[:, :, 8, :, 8].reshape(3, 36, 3).astype(int)
        ids = sequence.ids.reshape(3, 6, 16, 6, 16)[:, :, 8, :, 8].reshape(3, 36)
        for t, s in ((1, 0), (2, 0), (2, 1)):
            found = np.flatnonzero(sequence.matches[t, s] >= 0)
            here, there = middles[t, found], middles[s, sequence.matches[t, s, found]]
            # The same still, and mostly a place at most half a cell's diagonal off (enlarged, and red and green count
            # twice); a cell's middle may be border, or another object, where the place itself is not.
            same_object = ids[t, found] == ids[s, sequence.matches[t, s, found]]
            misses.append(np.abs(here - there)[same_object])
            assert same_object.mean() > 0.7
            total += len(found)
    misses = np.concatenate(misses)
    assert np.quantile(misses[:, :2], 0.9) <= 2 * 12 and np.quantile(misses[:, 2], 0.9) <= 1
    assert total > 12 * 3 * 12


def test_what_is_covered_or_outside_or_border_matches_nothing():
    shifted = dataclasses.replace(MOVING, **{**STILLNESS, "still_scale": (0.5, 0.5)})
    matches = sample(shifted).matches
    # The still fills the middle quarter; around it is border.
    inside = [row * 6 + column for row in range(2, 4) for column in range(2, 4)]
    assert (matches[1, 0, inside] == inside).all()
    assert matches[1, 0, 0] == -1 and matches[2, 1, 35] == -1
    pasted = dataclasses.replace(MOVING, **STILLNESS, num_pasted=(1, 1), pasted_shift=0.4, behind_probability=0)
    hidden = 0
    for seed in range(6):
        sequence = sample(pasted, seed)
        ids = sequence.ids.reshape(3, 6, 16, 6, 16)[:, :, 8, :, 8].reshape(3, 36)
        uncovered = (ids[1] != 2) & (ids[0] == 2)
        assert (sequence.matches[1, 0, uncovered] == -1).all()
        hidden += uncovered.sum()
    assert hidden


def test_none_are_made_unless_asked_for_and_cells_must_fit():
    assert sample(SequenceSettings(size=96)).matches is None
    with pytest.raises(ValueError, match="match_cell is 20, it must divide the size of 96"):
        SequenceSettings(size=96, match_cell=20)
