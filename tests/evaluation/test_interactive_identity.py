"""What decides whether a finished session of the interactive benchmark is taken over."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.train.evaluation.interactive.command import Interactive, _on_machine
from vosforge.train.evaluation.interactive.job import Plan
from vosforge.train.evaluation.interactive.protocol import FixedClock, ProtocolSettings
from vosforge.train.evaluation.interactive.samples import Sample
from vosforge.train.evaluation.interactive.systems import System
from vosforge.train.evaluation.methods import InferenceSettings
from vosforge.train.evaluation.sequences import AnnotatedSequence

SYSTEM = System(label="difference", fusion="difference", top_k=50)
HASHES = {"s2m": "a", "propagation": "b", "fusion": "c"}
PLAN = Plan(
    protocol=ProtocolSettings(),
    clock=None,
    inference=InferenceSettings(),
    checkpoints={},
    checkpoint_hashes=HASHES,
    out=Path("out"),
)
SAMPLE = Sample(
    sequence="one",
    scribble_set=1,
    object_ids=(1, 2),
    frame=3,
    strokes=(Stroke(object_id=1, path=np.array([[0.1, 0.2], [0.3, 0.4]])),),
    source="robot",
    data_sha256="d",
)


def identity(plan=PLAN, system=SYSTEM, sample=SAMPLE, num_frames=9):
    def nothing(t):
        raise AssertionError("the data was looked at when the sample was made")

    names = tuple(f"{t:05d}" for t in range(num_frames))
    sequence = AnnotatedSequence(
        name="one", frame_names=names, read_frame=nothing, read_luma=nothing, read_labels=nothing
    )
    return plan.identity(system, sequence, sample)


def stroke(**changes):
    return replace(SAMPLE, strokes=(replace(SAMPLE.strokes[0], **changes),))


@pytest.mark.parametrize(
    "changed",
    [
        *({"plan": replace(PLAN, checkpoint_hashes=HASHES | {kind: "other"})} for kind in HASHES),
        *(
            {"plan": replace(PLAN, protocol=ProtocolSettings(**setting))}
            for setting in (
                {"num_interactions": 7},
                {"seconds_per_object": 20.0},
                {"metric": "J"},
                {"schedule": "three-frames"},
                {"strokes": "all"},
                {"seed": 1},
            )
        ),
        {"plan": replace(PLAN, clock=FixedClock())},
        {"plan": replace(PLAN, inference=InferenceSettings(memory_every=3))},
        {"plan": replace(PLAN, inference=InferenceSettings(short_side=240))},
        {"plan": replace(PLAN, machine="a GPU")},
        {"plan": replace(PLAN, num_workers=2)},
        {"system": replace(SYSTEM, fusion="learned")},
        {"system": replace(SYSTEM, top_k=20)},
        {"system": replace(SYSTEM, true_masks=True)},
        {"sample": replace(SAMPLE, object_ids=(1,))},
        {"sample": replace(SAMPLE, data_sha256="other")},
        {"sample": replace(SAMPLE, frame=4)},
        {"sample": stroke(object_id=2)},
        {"sample": stroke(path=np.array([[0.1, 0.2], [0.3, 0.5]]))},
        {"num_frames": 10},
    ],
    ids=str,
)
def test_a_session_of_something_else_is_another_one(changed):
    assert identity(**changed) != identity() == identity()


def test_what_decides_nothing_leaves_a_session_the_same():
    assert identity(replace(PLAN, protocol=ProtocolSettings(num_scribble_sets=1, threshold_seconds=30))) == identity()
    linear = System(label="linear", fusion="linear", top_k=50)
    retrained = replace(PLAN, checkpoint_hashes=HASHES | {"fusion": "other"})
    assert identity(retrained, linear) == identity(PLAN, linear), "it has no fusion network"
    fixed = replace(PLAN, clock=FixedClock())
    assert identity(replace(fixed, machine="a GPU", num_workers=4)) == identity(fixed), "no measured time"


def test_networks_may_run_on_the_gpus_of_other_machines():
    pytest.importorskip("torch")
    command = Interactive(root="tree", out=Path("out"), device="cuda", address="head:6379", workers=4)
    plan = _on_machine(PLAN, command, [SYSTEM])
    assert plan.inference.device == "cuda" and plan.machine != "cpu" and plan.num_workers == 4
