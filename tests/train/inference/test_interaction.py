"""Strokes and present masks become the inputs of a network, and its answers ids."""

import numpy as np
import pytest
import torch
from torch import nn
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.models.normalisation import NormaliseColours
from vosforge.models.s2m import SIZES, S2MNetwork
from vosforge.train.inference.geometry import FrameGeometry
from vosforge.train.inference.interaction import InteractionSettings, correct_ids

HEIGHT, WIDTH = 40, 56
PLAIN = InteractionSettings()


class Answers(nn.Module):
    """Keeps what it is given; its logits say that rows of the object's own strokes are the object."""

    def __init__(self):
        super().__init__()
        self.normalise = NormaliseColours()
        self.weight = nn.Parameter(torch.zeros(1))
        self.given = []

    def forward(self, rgb, mask, positive, negative):
        self.given.append((rgb, mask, positive, negative))
        return (positive.amax(dim=3, keepdim=True) * 20 - 10).expand_as(positive)


def line(object_id: int, row: float) -> Stroke:
    return Stroke(object_id=object_id, path=np.array([[0.2, row], [0.8, row]]))


def frame() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 120, np.uint8)


def test_own_strokes_are_positive_and_all_others_negative():
    network, strokes = Answers(), [line(7, 0.2), line(3, 0.5), line(0, 0.9)]
    current = np.zeros((HEIGHT, WIDTH), np.uint8)
    current[4:9, 10:20], current[20:30, 30:40] = 3, 7
    ids = correct_ids(network, frame(), current, strokes, (3, 7), PLAIN)
    (rgb, masks, positive, negative) = network.given[0]
    assert rgb.shape == (2, 3, 48, 64) and masks.shape == positive.shape == (2, 1, 48, 64)
    # 40x56 is padded by 4 on all sides.
    assert torch.equal(masks[:, 0, 4:44, 4:60].bool(), torch.from_numpy(np.stack([current == 3, current == 7])))
    assert positive.sum(dim=(1, 2, 3)).min() >= 3 * 30 and not (positive * negative).any()
    drawn = positive.sum(dim=0)
    assert torch.equal(positive[0] + negative[0], positive[1] + negative[1])
    assert (positive[0] + negative[0]).sum() > drawn.sum()  # the background's stroke is negative for both
    assert set(np.unique(ids)) == {0, 3, 7}
    assert (ids[round(0.5 * 39)] == 3).all() and (ids[round(0.2 * 39)] == 7).all() and not ids[30:].any()


def test_objects_go_through_the_network_in_passes_of_a_bounded_size():
    whole, split = Answers(), Answers()
    strokes, ids = [line(i, 0.1 + 0.2 * i) for i in range(1, 4)], (1, 2, 3)
    current = np.zeros((HEIGHT, WIDTH), np.uint8)
    one = correct_ids(whole, frame(), current, strokes, ids, PLAIN)
    other = correct_ids(split, frame(), current, strokes, ids, InteractionSettings(objects_per_pass=2))
    assert (one == other).all()
    assert [len(given[1]) for given in split.given] == [2, 1]


def test_another_input_size_keeps_the_width_of_strokes_and_gives_ids_of_the_frame():
    network = Answers()
    ids = correct_ids(
        network, frame(), np.zeros((HEIGHT, WIDTH), np.uint8), [line(1, 0.5)], (1,), InteractionSettings(short_side=80)
    )
    positive = network.given[0][2]
    assert positive.shape[-2:] == (80, 112) and positive[0, 0, :, 56].sum() == 3
    assert ids.shape == (HEIGHT, WIDTH) and (ids == 1).any()


def test_without_strokes_the_ids_come_back():
    current = np.random.default_rng(0).integers(0, 3, (HEIGHT, WIDTH)).astype(np.uint8)
    ids = correct_ids(Answers(), frame(), current, [], (1, 2), PLAIN)
    assert (ids == current).all() and ids is not current


def test_a_network_answers_on_frames_of_any_size():
    network = S2MNetwork(SIZES["tiny"]).train()
    ids = correct_ids(network, frame(), np.zeros((HEIGHT, WIDTH), np.uint8), [line(9, 0.5)], (9,), PLAIN)
    assert ids.shape == (HEIGHT, WIDTH) and set(np.unique(ids)) <= {0, 9}
    assert not network.training


def test_what_does_not_fit_is_named():
    current = np.zeros((HEIGHT, WIDTH), np.uint8)
    with pytest.raises(ValueError, match="rgb has shape"):
        correct_ids(Answers(), frame()[:-1], current, [line(1, 0.5)], (1,), PLAIN)
    with pytest.raises(ValueError, match="object 2; the objects are 1"):
        correct_ids(Answers(), frame(), current, [line(2, 0.5)], (1,), PLAIN)
    with pytest.raises(ValueError, match="stroke_width is 2"):
        InteractionSettings(stroke_width=2)
    with pytest.raises(ValueError, match="short_side is 0"):
        InteractionSettings(short_side=0)


@pytest.mark.parametrize(("size", "short_side"), [((40, 56), None), ((33, 70), None), ((60, 90), 32)])
def test_geometry_there_and_back_keeps_a_mask(size, short_side):
    mask = torch.zeros(1, 1, *size)
    mask[..., size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    geometry = FrameGeometry.of(*size, short_side)
    entered = geometry.enter(mask)
    assert entered.shape[-2] % 16 == entered.shape[-1] % 16 == 0
    back = geometry.leave(entered).round()
    assert (back != mask).float().mean() < (0.02 if short_side else 1e-9)


def test_a_picture_enters_with_a_border_that_the_network_sees_as_zero():
    mean = NormaliseColours().mean
    entered = FrameGeometry.of(HEIGHT, WIDTH, None).enter_picture(frame(), mean)
    assert entered.shape == (1, 3, 48, 64) and entered.dtype == torch.float32
    assert torch.allclose(entered[..., 4:44, 4:60], torch.tensor(120 / 255))
    assert torch.equal(entered[..., :4, :], mean.expand(-1, -1, 4, 64))
