"""Methods without a network do what their names say."""

import numpy as np
from davis_tree import truth, write_tree
from vosforge.train.evaluation.baselines import copy_first_mask, dis_flow
from vosforge.train.evaluation.metrics import region_similarity
from vosforge.train.evaluation.sequences import AnnotatedSequence, open_sequences


def still(num_frames: int, luma: np.ndarray) -> AnnotatedSequence:
    return AnnotatedSequence(
        name="still",
        frame_names=tuple(map(str, range(num_frames))),
        read_frame=lambda t: np.repeat(luma[..., None], 3, axis=2),
        read_luma=lambda t: luma,
        read_labels=lambda t: np.zeros_like(luma),
    )


def test_copy_repeats_the_first_mask(tmp_path):
    sequence = open_sequences(write_tree(tmp_path, {"one": 1})).sequences[0]
    masks = list(copy_first_mask(sequence, {0: truth(0)}))
    assert len(masks) == sequence.num_frames
    assert all(np.array_equal(mask, truth(0)) for mask in masks)


def test_flow_keeps_masks_of_a_still_picture_and_their_ids():
    luma = np.random.default_rng(1).integers(0, 256, (48, 64)).astype(np.uint8)
    first = np.zeros((48, 64), np.uint8)
    first[5:20, 5:20] = 3
    first[5:20, 20:40] = 200
    for mask in dis_flow(still(4, luma), {0: first}):
        np.testing.assert_array_equal(mask, first)


def test_flow_follows_a_moving_picture_better_than_a_copy():
    wide = np.random.default_rng(2).integers(0, 256, (24, 40)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    pictures = [np.ascontiguousarray(wide[:, 20 - 2 * t : 140 - 2 * t]) for t in range(6)]
    first = np.zeros(pictures[0].shape, np.uint8)
    first[30:60, 40:70] = 1
    sequence = AnnotatedSequence(
        name="slide",
        frame_names=tuple(map(str, range(6))),
        read_frame=lambda t: np.repeat(pictures[t][..., None], 3, axis=2),
        read_luma=lambda t: pictures[t],
        read_labels=lambda t: np.roll(first, 2 * t, axis=1),
    )
    last = list(dis_flow(sequence, {0: first}))[-1]
    assert region_similarity(sequence.read_truth(5) > 0, last > 0) > 0.9
    assert region_similarity(sequence.read_truth(5) > 0, first > 0) < 0.6
