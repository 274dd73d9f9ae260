"""The settings of a stage's step: the stage's own values over the step's defaults, and whether samples serve them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from ..datagen.simulation.scribbles.annotated_input import AnnotatedInputSettings
from .sample_settings import sample_settings_of
from .stage import Stage
from .stages.atnet_steps import annotation_step, check_annotation, check_transfer, transfer_step
from .stages.click_net import check_clicks, corrective_clicks_step, first_clicks_step
from .stages.fusion import check_fusion, fusion_step
from .stages.ipn_rounds import check_rounds, ipn_step
from .stages.propagation import check_propagation, propagation_step

_CHECKS: dict[Callable, Callable[[Stage, Any, Mapping[str, Any]], None]] = {
    propagation_step: check_propagation,
    fusion_step: check_fusion,
    ipn_step: check_rounds,
    annotation_step: check_annotation,
    transfer_step: check_transfer,
    first_clicks_step: check_clicks,
    corrective_clicks_step: check_clicks,
}
_DATACLASSES = {annotation_step: AnnotatedInputSettings, transfer_step: AnnotatedInputSettings}
"""Steps that take the fields of a dataclass as further settings."""


def step_defaults(stage: Stage) -> dict[str, Any]:
    """Return the settings that the stage's step has, with their defaults."""
    parameters = inspect.signature(stage.step).parameters.values()
    found = {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}
    further = _DATACLASSES.get(stage.step)
    return found if further is None else found | {one.name: getattr(further(), one.name) for one in fields(further)}


def whole_step_settings(stage: Stage) -> dict[str, Any]:
    """Return all settings of the stage's step, its own values over the step's defaults."""
    return {**step_defaults(stage), **stage.step_settings}


def declared_step_settings(stage: Stage) -> dict[str, Any]:
    """Return the declared kinds of the step's settings, by name."""
    further = _DATACLASSES.get(stage.step)
    return get_type_hints(stage.step) | ({} if further is None else get_type_hints(further))


def check_step_settings(stage: Stage, crop_size: int | None = None) -> None:
    """Raise ValueError for step settings out of their range, or that the stage's samples cannot serve.

    crop_size: the run's, None for the stage's.
    """
    check = _CHECKS.get(stage.step)
    if check is None:
        return
    samples = sample_settings_of(stage, crop_size)
    try:
        check(stage, samples, whole_step_settings(stage))
    except ValueError as error:
        raise ValueError(f"step of stage {stage.name}: {error}") from error
