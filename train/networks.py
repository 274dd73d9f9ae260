"""The kinds of networks that are trained, each with its named sizes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..models.atnet import SIZES as ATNET_SIZES
from ..models.atnet import ATNetwork
from ..models.click_net import SIZES as CLICKNET_SIZES
from ..models.click_net import ClickNetwork
from ..models.fusion import SIZES as FUSION_SIZES
from ..models.fusion import FusionNetwork
from ..models.ipn import SIZES as IPN_SIZES
from ..models.ipn import IPNNetwork
from ..models.osvos import SIZES as OSVOS_SIZES
from ..models.osvos import OSVOSNetwork
from ..models.propagation import SIZES as PROPAGATION_SIZES
from ..models.propagation import PropagationNetwork
from ..models.s2m import SIZES as S2M_SIZES
from ..models.s2m import S2MNetwork


@dataclass(frozen=True, kw_only=True)
class NetworkKind:
    """A kind of network: `build` makes one of a size, which the network then holds as `size`.

    sizes: name -> a frozen dataclass of one type, whose field `name` is that name.
    """

    name: str
    sizes: Mapping[str, Any]
    build: Callable[[Any], nn.Module]

    def size_named(self, name: str) -> Any:
        """Return the size called `name`; ValueError lists the sizes there are."""
        if name not in self.sizes:
            raise ValueError(f"no network size '{name}'; choose one of {', '.join(self.sizes)}")
        return self.sizes[name]

    def named(self, name: str) -> nn.Module:
        """Return a freshly initialised network of a named size."""
        return self.build(self.size_named(name))


PROPAGATION = NetworkKind(name="propagation", sizes=PROPAGATION_SIZES, build=PropagationNetwork)
S2M = NetworkKind(name="s2m", sizes=S2M_SIZES, build=S2MNetwork)
FUSION = NetworkKind(name="fusion", sizes=FUSION_SIZES, build=FusionNetwork)
IPN = NetworkKind(name="ipn", sizes=IPN_SIZES, build=IPNNetwork)
ATNET = NetworkKind(name="atnet", sizes=ATNET_SIZES, build=ATNetwork)
CLICKNET = NetworkKind(name="clicknet", sizes=CLICKNET_SIZES, build=ClickNetwork)
OSVOS = NetworkKind(name="osvos", sizes=OSVOS_SIZES, build=OSVOSNetwork)
_ALL = (PROPAGATION, S2M, FUSION, IPN, ATNET, CLICKNET, OSVOS)
KINDS: dict[str, NetworkKind] = {kind.name: kind for kind in _ALL}


def as_trained(network: nn.Module | None, name: str, default: Any, asked: Any = None) -> Any:
    """The setting of a stage's step that a loaded network was trained with, or the default where nobody says.

    asked: what is wanted instead, None for nothing.
    """
    return getattr(network, "trained_with", {}).get(name, default) if asked is None else asked


def kind_of(network: nn.Module) -> NetworkKind:
    """Return the kind of a network, by the type of its size."""
    for kind in KINDS.values():
        if type(network.size) is type(next(iter(kind.sizes.values()))):
            return kind
    raise ValueError(f"{type(network).__name__} is none of the networks that are trained: {', '.join(KINDS)}")
