"""--set NAME=VALUE: any number of a stage, by name, of the right kind."""

import pytest
from vosforge.train.cli import execute
from vosforge.train.commands.run import Run
from vosforge.train.overrides import with_overrides
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
        ("micro_batch=3", "batch_size is 8 and micro_batch 3"),
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
    assert "unexpected keyword argument 'colour'" in capsys.readouterr().err and not (tmp_path / "run").exists()
