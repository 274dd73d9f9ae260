"""--set NAME=VALUE: any number of a stage, by name, of the right kind."""

from dataclasses import replace

import pytest
from vosforge.train.cli import execute
from vosforge.train.commands.run import Run
from vosforge.train.overrides import with_overrides
from vosforge.train.sample_settings import dotted, names_set_by, sample_settings_of, whole_sample_settings
from vosforge.train.stages.table import STAGES, stage_named

RENDERED = stage_named("propagation-rendered")


def test_numbers_are_replaced_at_any_depth_and_the_others_stay():
    stage = with_overrides(
        RENDERED,
        ["learning_rate.peak=2e-5", "weight_decay=0", "gradient_clip=5", "curriculum.jumps=5,10,15,20,25,6",
         "learning_rate.decay=cosine", "sample_settings.area_scale=0.5,1.0", "train_batch_norm_until=1"],
    )  # fmt: skip
    assert stage.learning_rate.peak == 2e-5 and stage.learning_rate.decay == "cosine"
    assert stage.learning_rate.decay_at == RENDERED.learning_rate.decay_at
    assert stage.weight_decay == 0.0 and isinstance(stage.weight_decay, float)
    assert stage.gradient_clip == 5 and stage.curriculum.jumps[-1] == 6
    assert stage.sample_settings["area_scale"] == (0.5, 1.0) and stage.train_batch_norm_until == 1.0
    assert with_overrides(RENDERED, []) == RENDERED


def test_where_paper_and_code_differ_the_other_one_is_a_setting():
    assert with_overrides(STAGES["s2m"], ["sample_settings.from_zero_probability=0.5"]).sample_settings == {
        **STAGES["s2m"].sample_settings,
        "from_zero_probability": 0.5,
    }
    assert with_overrides(STAGES["fusion-rendered"], ["step_settings.top_k=50"]).step_settings == {"top_k": 50}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight_decay", "write NAME=VALUE"),
        ("colour=1", "no 'colour' in Stage; choose one of"),
        ("learning_rate=1e-4", "learning_rate has parts, set one of them: learning_rate.peak"),
        ("learning_rate.slope=1", "no 'slope' in LearningRateSchedule; choose one of peak, warmup"),
        ("weight_decay.peak=1", "no 'peak' in float, which has no parts"),
        ("weight_decay=much", "it is .*, a float, in the stage, and 'much' is a str"),
        ("num_steps=5", "num_steps has an option of its own, --steps"),
        ("network=s2m", "network is what makes the stage"),
        ("step_settings.colour=1", "has no setting 'colour'; choose one of max_objects"),
        ("curriculum.jumps=5,10", "2 jumps need 1 switch points"),
        ("micro_batch=0", "micro_batch is 0"),
    ],
)
def test_other_names_and_values_are_refused_with_the_way_out(text, message):
    with pytest.raises(ValueError, match=message):
        with_overrides(RENDERED, [text])


def test_unknown_sample_setting_is_one_line_on_the_command_line(tiny_corpus, tmp_path, capsys):
    command = Run(
        stage="propagation-rendered-mini", data=(str(tiny_corpus),), out=tmp_path / "run", size="tiny",
        set=("sample_settings.colour=1",),
    )  # fmt: skip
    assert execute(command) == 2
    assert "no 'colour' in TripletSettings; choose one of area_scale" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_every_number_that_show_lists_can_be_set_also_in_what_the_stage_leaves_at_its_default():
    for name in ("s2m", "propagation-static", "propagation-rendered", "fusion-rendered"):
        stage = stage_named(name)
        before = dict(dotted(whole_sample_settings(stage)))
        for path, value in before.items():
            assert (
                dict(dotted(whole_sample_settings(with_overrides(stage, [f"sample_settings.{path}={value}"]))))
                == before
            )
    changed = with_overrides(
        STAGES["s2m"], ["sample_settings.jitter.brightness=0.2", "sample_settings.errors.max_rounds=9"]
    )
    settings = sample_settings_of(changed)
    assert (settings.jitter.brightness, settings.jitter.contrast, settings.errors.max_rounds) == (0.2, 0.03, 9)
    assert names_set_by(changed) - names_set_by(STAGES["s2m"]) == {"jitter.brightness", "errors.max_rounds"}


def test_area_of_a_float_field_that_the_stage_gives_as_a_whole_number_takes_a_fraction():
    changed = with_overrides(STAGES["s2m"], ["sample_settings.min_object_area=100.5"])
    assert sample_settings_of(changed).min_object_area == 100.5


def test_two_settings_that_are_right_together_alone_are_taken_with_the_crop_of_the_run():
    stage = STAGES["s2m-mini"]
    assert sample_settings_of(with_overrides(stage, ["sample_settings.short_side=480"], 480), 480).short_side == 480
    with pytest.raises(ValueError, match="short_side is 128, it must be at least crop_size, 192"):
        with_overrides(stage, ["sample_settings.short_side=128"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_settings.spline_probability=abc", "it is 0.33, a float, in the stage, and 'abc' is a str"),
        ("sample_settings.spline_probability=2", "spline_probability is 2.0, it must be from 0 to 1"),
        ("sample_settings.still_scale=2", "a tuple of 2 floats, in the stage, and 2 is a int"),
        ("sample_settings.motion=fast", "'independent' or 'steady', in the stage, and 'fast' is a str"),
        ("sample_settings.max_redraws=many", "a int, in the stage, and 'many' is a str"),
        ("sample_settings.max_redraws=1.5", "a int, in the stage, and 1.5 is a float"),
        ("sample_settings.size=64", "the crop has an option of its own, --crop-size"),
        ("sample_settings.still_jitter=0.1", "set one of them: still_jitter.brightness"),
        ("sample_settings.still_jitter.gamma=0.1", "no 'gamma' in JitterRange; choose one of brightness"),
        ("sample_settings", "write NAME=VALUE"),
        ("sample_settings=1", "choose one of num_frames"),
        ("step_settings.max_objects=two", "it is 1, a int, in the stage, and 'two' is a str"),
        ("weight_decay=None", "a float, in the stage, and None is a NoneType"),
        ("gradient_clip=much", "it is None, a float or None, in the stage"),
    ],
)
def test_values_of_another_kind_are_refused_at_any_depth(text, message):
    with pytest.raises(ValueError, match=message):
        with_overrides(STAGES["propagation-static"], [text])


def test_settings_of_a_stage_literal_are_checked_as_those_of_the_command_line():
    stage = STAGES["propagation-static"]
    for settings, message in (({"size": 64}, "crop_size"), ({"max_redraws": "many"}, "'many' is a str, not a int")):
        with pytest.raises(ValueError, match=message):
            sample_settings_of(replace(stage, sample_settings=settings))
