"""--set NAME=VALUE: any number of a stage, by name, of the right kind."""

import itertools
from dataclasses import replace

import pytest
from vosforge.train.cli import execute
from vosforge.train.commands.run import Run
from vosforge.train.overrides import with_overrides
from vosforge.train.sample_settings import dotted, names_set_by, sample_settings_of, whole_sample_settings
from vosforge.train.schedule import JumpCurriculum
from vosforge.train.show import stage_table
from vosforge.train.stages.table import STAGES, stage_named
from vosforge.train.step_settings import check_step_settings

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


def test_settings_that_hold_together_alone_are_taken_in_any_order():
    for texts in itertools.permutations(["curriculum.jumps=3,5", "curriculum.switch_at=0.5"]):
        assert with_overrides(RENDERED, texts).curriculum == JumpCurriculum(jumps=(3, 5), switch_at=(0.5,))
    for texts in itertools.permutations(["bootstrap.start=0.6", "bootstrap.end=0.9"]):
        changed = with_overrides(RENDERED, texts).bootstrap
        assert (changed.start, changed.end, changed.kept) == (0.6, 0.9, RENDERED.bootstrap.kept)
    users = ["sample_settings.users.hull=60", "sample_settings.users.margin=50"]
    for texts in itertools.permutations(users):
        assert sample_settings_of(with_overrides(STAGES["clicknet"], texts)).users.margin == 50
    with pytest.raises(ValueError, match=r"end=0\.6 --set bootstrap\.start=0\.9: start is 0\.9 and end 0\.6"):
        with_overrides(RENDERED, ["bootstrap.end=0.6", "bootstrap.start=0.9"])


def test_the_last_of_two_values_counts():
    assert with_overrides(RENDERED, ["weight_decay=1", "weight_decay=2"]).weight_decay == 2


def test_points_of_decay_are_refused_where_a_cosine_decays():
    texts = ["learning_rate.decay_at=0.5", "learning_rate.decay=step"]
    assert with_overrides(STAGES["s2m-mini"], texts).learning_rate.decay_at == (0.5,)
    with pytest.raises(ValueError, match=r"add --set learning_rate\.decay=step"):
        with_overrides(STAGES["s2m-mini"], texts[:1])


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_the_settings_of_every_stage_serve_its_step(stage):
    check_step_settings(stage)


@pytest.mark.parametrize(
    ("name", "texts", "message"),
    [
        ("propagation-rendered", "max_objects=0", "max_objects is 0, it must be from 1 to 2"),
        ("propagation-rendered", "max_objects=3", "max_objects is 3, it must be from 1 to 2"),
        ("propagation-rendered", "matching_weight=-1", "matching_weight is -1.0, it must be at least 0"),
        ("propagation-rendered", "matching_weight=0.2", "samples here know no matches .* set it to 0"),
        ("propagation-static-mini", "sample_settings.match_cell=8", "no matches of cells of 16 pixels"),
        ("propagation-static", "sample_settings.num_frames=2", "num_frames is 2; the step takes 3 frames"),
        ("propagation-static", "sample_settings.num_frames=5", "num_frames is 5; the step takes 3 frames"),
        ("fusion-rendered", "top_k=0", "top_k is 0; give a positive number, or None"),
        ("ipn-clips", "num_frames=9,4", "give .first, last. with 2 <= first <= last"),
        ("ipn-clips", "sample_settings.num_frames=5", "num_frames ends at 8, but samples have 5 frames"),
        ("ipn-clips", "num_frames=4,9", "num_frames ends at 9, but samples have 8 frames"),
        ("ipn-clips", "num_rounds=0,2", "num_rounds is"),
        ("ipn-clips", "longest_from=80", "longest_from is 80"),
        ("ipn-clips", "scale_weights=()", "scale_weights are"),
        ("ipn-clips", "scale_weights=1,1,1,1,1,1", "give 1 to 5 numbers"),
        ("ipn-clips", "roi_scale=0.5", "roi_scale: scale is 0.5"),
        ("atnet-a", "first_round_probability=2", "first_round_probability is 2"),
        ("atnet-a", "pixels_per_point=0,5", "pixels_per_point is"),
        ("atnet-a", "sample_settings.num_frames=2", "A-Net learns from single frames"),
        ("atnet-a", "frozen=annotation", "this stage trains annotation"),
        ("atnet-t", "local_weight=-1", "local_weight is -1"),
        ("atnet-t", "sample_settings.num_frames=1", "give 2 or more"),
        ("atnet-t", "frozen=transfer", "T-Net learns beside annotation as it is"),
        ("clicknet", "sigma=0", "sigma is 0"),
        ("clicknet-mask", "keep_first=2", "keep_first is 2"),
        ("clicknet-mask", "click_step=0", "step 0"),
        ("clicknet-mask", "correction_counts=-1", "correction_counts are"),
    ],
)
def test_step_settings_that_the_step_or_its_samples_cannot_serve_are_refused(name, texts, message):
    whole = texts if texts.startswith(("sample_settings", "frozen")) else f"step_settings.{texts}"
    with pytest.raises(ValueError, match=message):
        with_overrides(STAGES[name], [whole])


def test_show_lists_the_settings_of_the_step_that_the_stage_leaves_at_their_defaults():
    column = stage_table(RENDERED, "tiny").columns[1]
    assert any("max_objects 2" in cell and "matching_weight 0" in cell for cell in column.cells)


def test_settings_of_a_simulated_user_can_be_set_at_any_depth():
    texts = ["step_settings.pixels_per_point=20,500", "step_settings.deformation.scale=0.5,2"]
    settings = with_overrides(STAGES["atnet-a"], texts).step_settings
    assert settings["pixels_per_point"] == (20, 500) and settings["deformation"].scale == (0.5, 2.0)


def test_refused_step_setting_leaves_no_folder_and_the_corrected_command_runs(tiny_corpus, tmp_path, capsys):
    command = Run(
        stage="propagation-rendered-mini", data=(str(tiny_corpus),), out=tmp_path / "run", size="tiny", crop_size=32,
        batch_size=2, steps=1, device="cpu", picture_every=0, set=("step_settings.max_objects=0",),
    )  # fmt: skip
    assert execute(command) == 2
    assert "max_objects is 0" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert execute(replace(command, set=("step_settings.max_objects=1",))) == 0


def test_settings_of_a_stage_literal_are_checked_as_those_of_the_command_line():
    stage = STAGES["propagation-static"]
    for settings, message in (({"size": 64}, "crop_size"), ({"max_redraws": "many"}, "'many' is a str, not a int")):
        with pytest.raises(ValueError, match=message):
            sample_settings_of(replace(stage, sample_settings=settings))
