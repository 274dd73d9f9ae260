import itertools
import re
from dataclasses import replace

import pytest
from vosforge.train.overrides import with_overrides
from vosforge.train.schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from vosforge.train.stages.propagation import PROPAGATION_RENDERED
from vosforge.train.stages.table import STAGES


@pytest.mark.parametrize(("step", "kept"), [(0, 1.0), (19_999, 1.0), (45_000, 0.575), (70_000, 0.15), (499_999, 0.15)])
def test_published_stage_keeps_the_published_fraction_of_pixels(step, kept):
    assert PROPAGATION_RENDERED.at(step, 500_000).kept_fraction == pytest.approx(kept)


def test_published_warm_up_of_300_000_steps_is_what_the_source_names():
    video = STAGES["propagation-video"]
    texts = re.findall(r"--set (\S+?)(?=[\s,;]|$)", video.sources["bootstrap"])
    kept = [with_overrides(video, texts).at(step, 300_000).kept_fraction for step in (19_999, 45_000, 70_000)]
    assert len(texts) == 2 and kept == pytest.approx([1, 0.575, 0.15], abs=1e-3)


def test_published_stage_decays_at_450_000():
    rates = [PROPAGATION_RENDERED.at(step, 500_000).learning_rate for step in (0, 449_999, 450_000, 499_999)]
    assert rates == pytest.approx([1e-5, 1e-5, 1e-6, 1e-6])


def test_published_stage_widens_the_jump_and_narrows_it_at_the_end():
    steps = (0, 49_999, 50_000, 100_000, 150_000, 200_000, 399_999, 400_000)
    assert [PROPAGATION_RENDERED.at(step, 500_000).max_jump for step in steps] == [5, 5, 10, 15, 20, 25, 25, 5]


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_shorter_run_goes_through_the_whole_programme(stage):
    long, short = stage.num_steps, stage.num_steps // 10
    for percent in range(0, 100, 5):
        a, b = stage.at(long * percent // 100, long), stage.at(short * percent // 100, short)
        assert a.max_jump == b.max_jump
        assert a.kept_fraction == pytest.approx(b.kept_fraction, abs=0.05)


def test_warmup_rises_to_the_peak_and_cosine_falls_to_the_floor():
    schedule = LearningRateSchedule(peak=1.0, warmup=0.1, decay="cosine", factor=0.01)
    rates = [schedule.at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 0.012


def test_curriculum_with_a_switch_point_missing_is_refused():
    with pytest.raises(ValueError, match="3 jumps need 2 switch points, not 1"):
        JumpCurriculum(jumps=(1, 2, 3), switch_at=(0.5,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": 0.2}, "start is 0.2 and end 0.2 of a bootstrap; it must be 0 <= start < end"),
        ({"start": -0.1}, "start is -0.1"),
        ({"kept": 0.0}, "kept is 0.0, the fraction of pixels must be above 0"),
        ({"kept": 1.5}, "kept is 1.5"),
    ],
)
def test_bootstrap_that_keeps_no_pixel_or_ends_before_it_starts_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        BootstrapSchedule(**{"start": 0.2, "end": 0.5, "kept": 0.3, **changes})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LearningRateSchedule(peak=1.0, decay_at=(250_000,)), "decay_at is .*; give ascending fractions"),
        (lambda: LearningRateSchedule(peak=1.0, decay_at=(-1.0,)), "decay_at is"),
        (lambda: LearningRateSchedule(peak=1.0, decay_at=(0.8, 0.4)), "decay_at is"),
        (lambda: LearningRateSchedule(peak=1.0, decay_at=(float("nan"),)), "decay_at is"),
        (lambda: LearningRateSchedule(peak=1.0, warmup=1000), "must be a fraction of the run"),
        (lambda: BootstrapSchedule(start=0.2, end=70_000, kept=0.3), "end 70000 .* fractions of the run"),
        (lambda: JumpCurriculum(jumps=(5, 10, 5), switch_at=(15_000, 30_000)), "switch_at is .* instead of steps"),
        (lambda: JumpCurriculum(jumps=(5, 10, 5), switch_at=(0.5, 0.5)), "switch_at is"),
        (lambda: JumpCurriculum(jumps=(), switch_at=()), r"jumps are \(\)"),
    ],
)
def test_positions_that_are_no_fractions_of_the_run_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_curriculum_with_a_jump_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"jumps are \(5, 0\), each must be at least 1 frame"):
        JumpCurriculum(jumps=(5, 0), switch_at=(0.5,))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("gradient_clip", -1.0, "gradient_clip is -1.0"),
        ("weight_decay", -1e-7, "weight_decay is -1e-07"),
        ("betas", (0.9, 1.0), "betas are"),
        ("micro_batch", 0, "micro_batch is 0"),
        ("train_batch_norm_until", 1.5, "train_batch_norm_until is 1.5"),
    ],
)
def test_numbers_that_train_the_wrong_way_are_refused(field, value, said):
    with pytest.raises(ValueError, match=said):
        replace(PROPAGATION_RENDERED, **{field: value})


def test_learning_rates_that_train_the_wrong_way_are_refused():
    for settings in ({"peak": -1.0}, {"peak": float("inf")}, {"peak": 1.0, "decay": "foo"}, {"peak": 1.0, "warmup": 2}):
        with pytest.raises(ValueError, match="of a learning rate"):
            LearningRateSchedule(**settings)


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_batch_is_whole_micro_batches(stage):
    assert stage.batch_size % stage.micro_batch == 0


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_every_number_of_a_stage_has_a_source(stage):
    unsourced = {"name", "summary", "size", "start_from", "network", "step", "needs_init", "sources"}
    without = {name for name in ("step_settings", "companion", "frozen") if not getattr(stage, name)}
    assert set(stage.__dataclass_fields__) - unsourced - without == set(stage.sources)


def test_sources_speak_of_the_numbers_of_their_own_stage():
    for stage in STAGES.values():
        frozen = stage.train_batch_norm_until == 0
        assert not (frozen and "statistics are learnt" in stage.sources["micro_batch"]), stage.name
    static = STAGES["propagation-static-mini"]
    assert static.batch_size != STAGES["propagation-static"].batch_size and "ours" in static.sources["batch_size"]
