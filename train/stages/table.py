"""All stages by name, in the order in which they are trained."""

from ..stage import Stage
from .fusion import FUSION_STAGES
from .propagation import PROPAGATION_STAGES
from .s2m import S2M_STAGES

STAGES: dict[str, Stage] = {stage.name: stage for stage in (*S2M_STAGES, *PROPAGATION_STAGES, *FUSION_STAGES)}


def stage_named(name: str) -> Stage:
    """Return the stage called `name`; ValueError lists the stages there are."""
    if name not in STAGES:
        raise ValueError(f"no stage '{name}'; choose one of {', '.join(STAGES)}")
    return STAGES[name]
