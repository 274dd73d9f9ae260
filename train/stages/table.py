"""All stages by name, in the order in which they are trained."""

from ..stage import Stage
from .atnet import ATNET_STAGES
from .click_net import CLICKNET_STAGES
from .fusion import FUSION_STAGES
from .ipn import IPN_STAGES
from .osvos import OSVOS_STAGES
from .propagation import PROPAGATION_STAGES
from .propagation_mini import PROPAGATION_MINI_STAGES
from .s2m import S2M_STAGES

_MIVOS = (*S2M_STAGES, *PROPAGATION_STAGES, *PROPAGATION_MINI_STAGES, *FUSION_STAGES)
_ALL = (*_MIVOS, *IPN_STAGES, *ATNET_STAGES, *CLICKNET_STAGES, *OSVOS_STAGES)

STAGES: dict[str, Stage] = {stage.name: stage for stage in _ALL}


def stage_named(name: str) -> Stage:
    """Return the stage called `name`; ValueError lists the stages there are."""
    if name not in STAGES:
        raise ValueError(f"no stage '{name}'; choose one of {', '.join(STAGES)}")
    return STAGES[name]
