"""Loads torchvision-format ResNet weights into the trunks of our networks; every key is accounted for."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .propagation import PropagationNetwork
from .resnet import ResNetTrunk

# Of a whole ImageNet classifier, the trunk ends before these.
UNUSED_PREFIXES = ("layer4.", "fc.")


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """What a load did: parameters set, weights of the file left aside, parameters that kept their initialisation."""

    loaded: tuple[str, ...]
    unused: tuple[str, ...]
    initialised: tuple[str, ...]


def is_torchvision_resnet(state: Mapping[str, object]) -> bool:
    """Whether a mapping looks like a torchvision ResNet state dict."""
    return "conv1.weight" in state and "layer1.0.conv1.weight" in state


def load_trunk_weights(trunk: ResNetTrunk, state: Mapping[str, Tensor]) -> LoadedWeights:
    """Copy a torchvision ResNet state dict into a trunk.

    Input channels beyond the file's three (masks of the memory encoder) get orthogonal weights, and convolution biases,
    which torchvision's ResNets lack, become zero; both are listed as initialised. `layer4.*` and `fc.*` are left aside.
    Raises ValueError naming the keys that are missing, unknown or of another shape; the trunk is then untouched.
    """
    own = trunk.state_dict()
    missing, mismatched, initialised = [], [], []
    new_state: dict[str, Tensor] = {}
    for key, value in own.items():
        if key in state:
            given = state[key]
            if key == "conv1.weight" and given.shape[1] < value.shape[1] and given.shape[0] == value.shape[0]:
                extra = torch.zeros(value.shape[0], value.shape[1] - given.shape[1], *value.shape[2:])
                nn.init.orthogonal_(extra)
                given = torch.cat([given.float(), extra], dim=1)
                initialised.append(f"conv1.weight[:, {state[key].shape[1]}:]")
            if given.shape != value.shape:
                mismatched.append(f"{key}: file {tuple(given.shape)}, network {tuple(value.shape)}")
            new_state[key] = given
        elif key.endswith("num_batches_tracked"):
            new_state[key] = value
        elif key.endswith(".bias") and key.removesuffix(".bias") in _convolutions(trunk):
            new_state[key] = torch.zeros_like(value)
            initialised.append(key)
        else:
            missing.append(key)
    unused = [key for key in state if key not in own]
    unknown = [key for key in unused if not key.startswith(UNUSED_PREFIXES)]
    if missing or mismatched or unknown:
        problems = [("missing", missing), ("of another shape", mismatched), ("unknown", unknown)]
        detail = "; ".join(f"{len(keys)} {what} ({_first(keys)})" for what, keys in problems if keys)
        raise ValueError(
            f"these weights do not fit this trunk: {detail}; give the ResNet that the network size is built on"
        )
    trunk.load_state_dict(new_state)
    return LoadedWeights(
        loaded=tuple(key for key in own if key in state), unused=tuple(unused), initialised=tuple(initialised)
    )


def load_imagenet(network: PropagationNetwork, state: Mapping[str, Tensor]) -> dict[str, LoadedWeights]:
    """Load ImageNet weights into both encoders; ValueError as `load_trunk_weights`, with both left as they were."""
    return {name: load_trunk_weights(getattr(network, name), state) for name in ("query_encoder", "memory_encoder")}


def _convolutions(module: nn.Module) -> set[str]:
    return {name for name, child in module.named_modules() if isinstance(child, nn.Conv2d)}


def _first(keys: list[str], count: int = 3) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")
