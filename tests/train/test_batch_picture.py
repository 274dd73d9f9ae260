import numpy as np
import torch
from vosforge.train.pictures import batch_picture

SIDE, GAP = 16, 2


def cells(picture, row=0):
    """The square cells of one row, left to right."""
    strip = picture[row * (SIDE + GAP) : row * (SIDE + GAP) + SIDE]
    return [strip[:, left : left + SIDE].astype(int) for left in range(0, strip.shape[1], SIDE + GAP)]


def grey(*shape):
    return torch.full(shape, 0.5)


def is_plain(cell):
    return np.ptp(cell) == 0


def test_triplets_show_the_given_frame_then_truth_and_prediction_by_turns():
    labels, predicted = torch.zeros(2, 3, SIDE, SIDE), torch.zeros(2, 2, SIDE, SIDE)
    predicted[1, 1, 4:12, 4:12] = 1
    picture = batch_picture({"rgb": grey(2, 3, 3, SIDE, SIDE), "labels": labels}, predicted)
    assert picture.dtype == np.uint8 and picture.shape == (2 * (SIDE + GAP), 5 * (SIDE + GAP) - GAP, 3)
    assert all(is_plain(cell) for cell in cells(picture, 0))
    assert [is_plain(cell) for cell in cells(picture, 1)] == [True, True, True, True, False]


def test_only_the_samples_that_were_predicted_are_shown():
    batch = {"rgb": grey(6, 3, 3, SIDE, SIDE), "labels": torch.zeros(6, 3, SIDE, SIDE)}
    assert len(batch_picture(batch, torch.zeros(2, 2, SIDE, SIDE))) == 2 * (SIDE + GAP)
    assert len(batch_picture(batch, torch.zeros(6, 2, SIDE, SIDE), max_rows=3)) == 3 * (SIDE + GAP)


def test_ignored_pixels_stay_as_they_are():
    labels = torch.full((1, 3, SIDE, SIDE), 255)
    picture = batch_picture({"rgb": grey(1, 3, 3, SIDE, SIDE), "labels": labels}, torch.zeros(1, 2, SIDE, SIDE))
    assert all(is_plain(cell) for cell in cells(picture))


def test_corrections_show_the_given_mask_and_the_strokes_in_their_colours():
    current, positive, negative = (torch.zeros(1, SIDE, SIDE) for _ in range(3))
    current[0, :8], positive[0, 12, 2:6], negative[0, 2, 2:6] = 1, 1, 1
    batch = {
        "rgb": grey(1, 3, SIDE, SIDE),
        "labels": torch.zeros(1, SIDE, SIDE),
        "current_mask": current,
        "positive": positive,
        "negative": negative,
        "key": ["still"],
    }
    given, truth, answer = cells(batch_picture(batch, torch.zeros(1, 1, SIDE, SIDE)))
    assert (given[:8, 8:] == 128).all() and (given[8:, 8:] < 100).all()
    green, red = given[12, 3], given[2, 3]
    assert green.argmax() == 1 and red.argmax() == 0
    assert is_plain(truth) and is_plain(answer)


def test_fusion_shows_the_new_interaction_both_masks_truth_and_answer():
    batch = {
        "rgb": grey(1, 3, SIDE, SIDE),
        "rgb_interaction": grey(1, 3, SIDE, SIDE) / 2,
        "labels": torch.zeros(1, SIDE, SIDE),
        "labels_interaction": torch.zeros(1, SIDE, SIDE),
        "previous": torch.zeros(1, 2, SIDE, SIDE),
        "new": torch.zeros(1, 2, SIDE, SIDE),
        "previous_there": torch.ones(1, 2, SIDE, SIDE),
        "distances": torch.ones(1, 2),
        "selector": torch.ones(1, 2),
    }
    batch["new"][0, 1, :, 8:] = 0.5
    interaction, previous, new, truth, answer = cells(batch_picture(batch, torch.zeros(1, 1, SIDE, SIDE)))
    assert (interaction == 64).all() and (truth == 128).all() and (answer == 128).all()
    assert is_plain(previous) and is_plain(new[:, :8]) and not is_plain(new)
    # Object 2 is green, and half of the mask is half of the tint.
    assert new[0, 12].argmax() == 1
