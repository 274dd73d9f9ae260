"""The quality gate: what is drawn again, and by which reason it is counted."""

import numpy as np
import pytest
from vosforge.render.checks import Reason, RejectedScene, check_counts, check_frame, check_visibility
from vosforge.render.recipes import BL30K

GATE = {"smallest_area": 16, "smallest_share": 0.5, "smallest_first_frame_area": 40}


def noise(low, high):
    return np.random.default_rng(0).integers(low, high, size=(8, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (noise(0, 4), Reason.BLACK_FRAME),
        (noise(252, 256), Reason.WHITE_FRAME),
        (np.full((8, 12, 3), 90, np.uint8), Reason.CONSTANT_FRAME),
    ],
)
def test_a_frame_without_a_picture_is_rejected(picture, reason):
    with pytest.raises(RejectedScene) as rejection:
        check_frame(picture, 3)
    assert rejection.value.reason == reason and "frame 3" in rejection.value.detail


def test_a_picture_passes():
    check_frame(noise(20, 220), 0)


def test_an_object_that_is_hardly_seen_is_rejected_by_name():
    with pytest.raises(RejectedScene, match=r"object unseen: object 2 \(cup\) is seen in 25% of the frames"):
        check_visibility([[90] * 4, [90, 0, 15, 0]], ["pear", "cup"], **GATE)


def test_an_object_may_enter_late():
    check_visibility([[90] * 4, [0, 0, 20, 16]], ["pear", "cup"], **GATE)


def test_a_first_frame_without_an_object_to_propagate_is_rejected():
    with pytest.raises(RejectedScene, match="empty first frame: the largest object covers 39 pixels") as rejection:
        check_visibility([[39, 90, 90, 90], [0, 0, 90, 90]], ["pear", "cup"], **GATE)
    assert rejection.value.reason == "empty first frame"
    check_visibility([[40, 90, 90, 90], [0, 0, 90, 90]], ["pear", "cup"], **GATE)


def test_a_clip_with_a_missing_mask_is_rejected():
    check_counts(4, 4, 4)
    for pictures, masks in ((4, 3), (3, 4), (5, 5)):
        with pytest.raises(RejectedScene, match="missing masks: 4 frames have"):
            check_counts(4, pictures, masks)


def test_a_recipe_brings_the_gates_numbers():
    check_visibility([[500, 500]], ["pear"], **BL30K.gate())
    with pytest.raises(RejectedScene):
        check_visibility([[BL30K.smallest_first_frame_area - 1, 500]], ["pear"], **BL30K.gate())


def test_reasons_are_short_classes_of_plain_text():
    rejection = RejectedScene(Reason.GROUND_TRUTH, "frame 2: ids warped by flow agree in 71 %")
    assert rejection.reason == "inconsistent ground truth" and type(rejection.reason) is str
    assert len({str(reason) for reason in Reason}) == len(Reason)
