"""The number-of-clicks protocol: where clicks go, what a method is given, and the numbers that come of it."""

import numpy as np
import pytest
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.train.evaluation.clicks.methods import grabcut_clicks
from vosforge.train.evaluation.clicks.objects import ClickObject
from vosforge.train.evaluation.clicks.protocol import STRATEGIES, ClickRun, ClicksSettings, click_until_good
from vosforge.train.evaluation.clicks.scores import clicks_to, iou_curve, summarise_runs


def square(ignored_columns: int = 0) -> ClickObject:
    """A square of 10 x 10 pixels at (10, 20) of a frame of 40 x 60; its last columns may be ignored."""
    truth, ignored = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    truth[10:20, 20:30] = True
    if ignored_columns:
        ignored[:, 30 - ignored_columns : 30] = True
    rgb = np.where(truth[..., None], np.uint8(200), np.uint8(40)).repeat(3, axis=2)
    return ClickObject(picture="square", object_id=1, rgb=rgb, truth=truth & ~ignored, ignored=ignored)


def answers(*masks):
    """A method that gives these masks one after the other, whatever the clicks, and what it was given."""
    seen = []

    def method(rgb, start, clicks):
        seen.append((start.copy(), list(clicks)))
        return masks[min(len(seen), len(masks)) - 1]

    return method, seen


def upper_rows(one: ClickObject, num_rows: int) -> np.ndarray:
    """The first rows of the square: IoU num_rows / 10."""
    mask = one.truth.copy()
    mask[10 + num_rows :] = False
    return mask


def run_of(*ious: float) -> ClickRun:
    clicks = tuple(Click(x=1.5, y=1.5, positive=True) for _ in ious)
    return ClickRun(picture="p", object_id=1, area=9, clicks=clicks, ious=ious, seconds=(0.5,) * len(ious))


def test_the_first_click_lies_in_the_middle_and_a_perfect_answer_ends_the_clicks():
    one = square()
    method, _ = answers(one.truth)
    run = click_until_good(method, one, "farthest-point", ClicksSettings())
    assert run.ious == (1.0,) and len(run.seconds) == 1
    assert run.clicks == (Click(x=24.5, y=14.5, positive=True),)
    assert (run.masks[1] == one.truth).all()


def test_the_clicks_to_85_and_90_percent_are_counted_from_one():
    one = square()
    method, _ = answers(upper_rows(one, 5), upper_rows(one, 9), one.truth)
    run = click_until_good(method, one, "farthest-point", ClicksSettings(targets=(0.85, 0.95)))
    assert run.ious == (0.5, 0.9, 1.0)
    assert clicks_to(run, 0.85, 20) == (2, True) and clicks_to(run, 0.95, 20) == (3, True)
    assert clicks_to(run, 0.9, 20) == (2, True), "exactly the target counts as reached"


def test_an_object_that_never_gets_there_counts_the_most_clicks_and_as_a_failure():
    one = square()
    method, _ = answers(upper_rows(one, 5))
    run = click_until_good(method, one, "farthest-point", ClicksSettings(max_clicks=7))
    assert len(run.clicks) == 7 and clicks_to(run, 0.85, 7) == (7, False)
    assert sorted(run.masks) == [1, 3, 7]


def test_a_click_lies_on_the_deeper_error_and_a_missing_part_is_clicked_as_object():
    one = square()
    too_much = one.truth.copy()
    too_much[10:40, 31:60] = True
    method, seen = answers(upper_rows(one, 4), too_much)
    click_until_good(method, one, "farthest-point", ClicksSettings(max_clicks=3))
    first, second, third = seen[2][1]
    assert first.positive and second.positive and not third.positive
    assert second.y > 14 and third.x > 31


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_click_lies_on_a_wrong_pixel_that_was_not_clicked_and_counts(strategy):
    one = square(ignored_columns=4)
    wrong = np.zeros_like(one.truth)
    wrong[12:30, 5:24] = True
    method, seen = answers(wrong)
    run = click_until_good(method, one, strategy, ClicksSettings())
    assert len({click.pixel for click in run.clicks}) == len(run.clicks) == 20
    for (start, _), click in zip(seen, run.clicks, strict=True):
        assert start[click.pixel] != one.truth[click.pixel] and not one.ignored[click.pixel]
        assert click.positive == one.truth[click.pixel]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_method_that_never_answers_is_clicked_once_on_every_wrong_pixel(strategy):
    one = square()
    few = np.zeros_like(one.truth)
    few[10, 20:25] = True
    few_pixels = ClickObject(**{**vars(one), "truth": few})
    run = click_until_good(answers(np.zeros_like(few))[0], few_pixels, strategy, ClicksSettings())
    assert sorted(click.pixel for click in run.clicks) == [(10, x) for x in range(20, 25)]


def test_random_clicks_follow_the_seed_and_the_name_of_the_object():
    one = square()
    method, _ = answers(np.zeros_like(one.truth))

    def clicks(seed: int, strategy: str = "random"):
        return click_until_good(method, one, strategy, ClicksSettings(seed=seed)).clicks

    assert clicks(1) == clicks(1) != clicks(2)
    assert clicks(1, "farthest-point") == clicks(2, "farthest-point")


def test_ignored_pixels_change_nothing():
    one = square(ignored_columns=4)
    inverted = np.where(one.ignored, ~one.truth, one.truth)
    method, _ = answers(inverted)
    assert click_until_good(method, one, "farthest-point", ClicksSettings()).ious == (1.0,)


@pytest.mark.parametrize(
    ("start", "clicks", "started_from", "num_given"),
    [
        ("present", "all", [0, 50, 90], [1, 2, 3]),
        ("present", "last", [0, 50, 90], [1, 1, 1]),
        ("empty", "all", [0, 0, 0], [1, 2, 3]),
    ],
)
def test_a_method_is_given_its_last_mask_or_none_and_all_clicks_or_the_last(start, clicks, started_from, num_given):
    one = square()
    method, seen = answers(upper_rows(one, 5), upper_rows(one, 9), one.truth)
    click_until_good(method, one, "farthest-point", ClicksSettings(targets=(1.0,), start=start, clicks=clicks))
    assert [int(mask.sum()) for mask, _ in seen] == started_from
    assert [len(given) for _, given in seen] == num_given


def test_all_clicks_go_on_after_the_target_until_nothing_is_wrong():
    one = square()
    masks = upper_rows(one, 9), upper_rows(one, 9), one.truth
    assert click_until_good(answers(*masks)[0], one, "farthest-point", ClicksSettings()).ious == (0.9,)
    run = click_until_good(answers(*masks)[0], one, "farthest-point", ClicksSettings(all_clicks=True))
    assert run.ious == (0.9, 0.9, 1.0)


def test_means_failures_curve_and_histogram_of_three_objects():
    runs = [run_of(0.5, 0.88, 0.91), run_of(0.95), run_of(0.2, 0.3, 0.4, 0.86)]
    summary = summarise_runs(runs, ClicksSettings(max_clicks=4))
    assert summary["num_objects"] == 3 and summary["seconds_per_click"] == 0.5
    assert summary["NoC@85"] == pytest.approx((2 + 1 + 4) / 3) and summary["NoF@85"] == 0
    assert summary["NoC@90"] == pytest.approx((3 + 1 + 4) / 3) and summary["NoF@90"] == 1
    assert summary["histogram@85"] == [1, 1, 0, 1] and summary["histogram@90"] == [1, 0, 1, 0]
    assert summary["mIoU"] == pytest.approx([(0.5 + 0.95 + 0.2) / 3, (0.88 + 0.95 + 0.3) / 3,
                                             (0.91 + 0.95 + 0.4) / 3, (0.91 + 0.95 + 0.86) / 3])  # fmt: skip
    assert iou_curve(runs[1], 4).tolist() == [0.95] * 4


def test_grabcut_cuts_a_bright_square_out_of_one_click():
    one = square()
    noise = np.random.default_rng(0).integers(0, 9, one.rgb.shape).astype(np.uint8)
    noisy = ClickObject(**{**vars(one), "rgb": one.rgb + noise})

    def method(rgb, start, clicks):
        return grabcut_clicks(rgb, start, clicks, click_radius=2)

    run = click_until_good(method, noisy, "farthest-point", ClicksSettings())
    assert run.ious[-1] > 0.9 and len(run.clicks) <= 3


def test_pixels_under_clicks_are_sure_for_grabcut():
    one = square()
    clicks = [Click(x=24.5, y=14.5, positive=True), Click(x=5.5, y=5.5, positive=False)]
    mask = grabcut_clicks(one.rgb, np.zeros_like(one.truth), clicks, click_radius=3)
    assert mask[14, 24] and not mask[5, 5]


def three_colours() -> ClickObject:
    """An object of a red, a green and a blue block; beside it is a smaller red one."""
    rgb, truth = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), bool)
    for k in range(3):
        rgb[16:32, 16 * k : 16 * k + 16, k] = 255
    truth[16:32, :48] = True
    rgb[36:44, 52:60, 0] = 255
    return ClickObject(picture="blocks", object_id=1, rgb=rgb, truth=truth, ignored=np.zeros_like(truth))


@pytest.mark.parametrize(("clicks", "start"), [("last", "present"), ("all", "empty")])
def test_s2m_answers_clicks_as_a_session_does(clicks, start):
    """One that commits after every click, and one that never does."""
    pytest.importorskip("torch")
    from toy_networks import ToyPropagation, ToyS2M
    from vosforge.train.evaluation.clicks.methods import s2m_clicks
    from vosforge.train.inference.interaction import InteractionSettings
    from vosforge.train.inference.session.frames import ArrayFrames
    from vosforge.train.inference.session.mivos import MiVOSSession
    from vosforge.train.inference.session.mivos_settings import MiVOSSettings
    from vosforge.train.inference.session.protocol import Clicks

    one, answers = three_colours(), []
    method = s2m_clicks(ToyS2M(), InteractionSettings())

    def kept(*given):
        answers.append(method(*given))
        return answers[-1]

    settings = ClicksSettings(max_clicks=4, start=start, clicks=clicks, all_clicks=True)
    run = click_until_good(kept, one, "farthest-point", settings)
    assert len(run.clicks) == 4 and len({mask.tobytes() for mask in answers}) >= 3
    with MiVOSSession(ToyS2M(), ToyPropagation(), None, MiVOSSettings(fusion="none")) as session:
        session.start(ArrayFrames(one.rgb[None]), [1])
        for click, answer in zip(run.clicks, answers, strict=True):
            side = "positive" if click.positive else "negative"
            ids = session.interact(0, {1: Clicks(**{side: ((click.x, click.y),)})})
            assert np.array_equal(ids == 1, answer)
            if clicks == "last":
                session.commit()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"targets": ()}, "targets are"),
        ({"targets": (85.0,)}, "shares of 1"),
        ({"max_clicks": 0}, "max_clicks is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"start": "none"}, "'present' or 'empty'"),
        ({"clicks": "some"}, "'all' or 'last'"),
        ({"start": "empty", "clicks": "last"}, "forgets all"),
    ],
)
def test_settings_out_of_range_are_named_by_clicks(changes, words):
    with pytest.raises(ValueError, match=words):
        ClicksSettings(**changes)
