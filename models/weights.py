"""Loads ImageNet weights in torchvision's format into the trunks of our networks; every key is accounted for."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .input_channels import convert_input_channels
from .resnet import ResNetTrunk

# Of a whole ImageNet classifier, a trunk of three stages ends before these, one of four before the last.
UNUSED_PREFIXES = ("layer4.", "fc.")
FIRST_CONVOLUTION = "conv1.weight"


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """What a load did: parameters set, weights of the file left aside, parameters without a counterpart in the file.

    converted: in words, where input channels were added.
    """

    loaded: tuple[str, ...]
    unused: tuple[str, ...]
    initialised: tuple[str, ...]
    converted: tuple[str, ...] = ()


def is_torchvision_resnet(state: Mapping[str, object]) -> bool:
    """Whether a mapping looks like a torchvision ResNet state dict."""
    return FIRST_CONVOLUTION in state and "layer1.0.conv1.weight" in state


def load_trunk_weights(trunk: ResNetTrunk, state: Mapping[str, Tensor]) -> LoadedWeights:
    """Copy a torchvision ResNet state dict into a trunk.

    Input channels are matched by name, see `convert_input_channels`: those that the file lacks (masks, scribbles) get
    orthogonal weights, listed as converted. Convolution biases, which torchvision's ResNets lack, become zero, listed
    as initialised; squeeze-and-excitation, which they lack too, keeps what it has. `fc.*`, and `layer4.*` where the
    trunk has no fourth stage, are left aside.
    Raises ValueError naming the keys that are missing, unknown or of another shape, or the input channels that would be
    lost; the trunk is then untouched.
    """
    new_state, loaded = _fitted(trunk, state)
    trunk.load_state_dict(new_state)
    return loaded


def _fitted(trunk: ResNetTrunk, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], LoadedWeights]:
    """The state dict for a trunk, and what will be done with it."""
    own, convolutions = trunk.state_dict(), _convolutions(trunk)
    given, problems = dict(state), FitProblems()
    initialised, converted = [], []
    if FIRST_CONVOLUTION in given:
        given[FIRST_CONVOLUTION], said = convert_input_channels(
            given[FIRST_CONVOLUTION], trunk.input_names or trunk.conv1.in_channels
        )
        converted += [f"{FIRST_CONVOLUTION}: {said}"] if said else []
    new_state: dict[str, Tensor] = {}
    for key, value in own.items():
        if key in given:
            if given[key].shape != value.shape:
                problems.note_shape(key, state[key], value)
            new_state[key] = given[key]
        elif key.endswith("num_batches_tracked"):
            new_state[key] = value
        elif key.endswith(".bias") and key.removesuffix(".bias") in convolutions:
            new_state[key] = torch.zeros_like(value)
            initialised.append(key)
        elif ".excitation." in key:
            new_state[key] = value
            initialised.append(key)
        else:
            problems.missing.append(key)
    unused = [key for key in state if key not in own]
    problems.unknown += [key for key in unused if not key.startswith(UNUSED_PREFIXES)]
    problems.refuse("this trunk", "give the ResNet that the network size is built on")
    return new_state, LoadedWeights(
        loaded=tuple(key for key in own if key in state),
        unused=tuple(unused),
        initialised=tuple(initialised),
        converted=tuple(converted),
    )


def load_imagenet(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, LoadedWeights]:
    """Load ImageNet weights into every ResNet trunk of a network: both encoders of propagation, the encoder of S2M.

    Raises ValueError as `load_trunk_weights`, with all left as they were, and for a network without a trunk.
    """
    trunks = {name: part for name, part in network.named_modules() if isinstance(part, ResNetTrunk)}
    # The trunk that takes just a picture first: what does not fit is then told in the file's own terms.
    trunks = dict(sorted(trunks.items(), key=lambda item: item[1].conv1.in_channels))
    if not trunks:
        raise ValueError(
            f"{type(network).__name__} has no ResNet that ImageNet weights would fit; start it from scratch or from "
            "one of its checkpoints"
        )
    fitted = {name: _fitted(trunk, state) for name, trunk in trunks.items()}
    for name, (new_state, _) in fitted.items():
        trunks[name].load_state_dict(new_state)
    return {name: loaded for name, (_, loaded) in fitted.items()}


class FitProblems:
    """Collects what keeps a file's weights from fitting, so that one error names all of it."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.mismatched: list[str] = []
        self.unknown: list[str] = []

    def note_shape(self, key: str, given: Tensor, own: Tensor) -> None:
        """Note a weight of another shape."""
        self.mismatched.append(f"{key}: file {tuple(given.shape)}, network {tuple(own.shape)}")

    def refuse(self, target: str, way_out: str) -> None:
        """Raise ValueError if there were any problems, with the first three of each sort."""
        sorts = (("missing", self.missing), ("of another shape", self.mismatched), ("unknown", self.unknown))
        if any(keys for _, keys in sorts):
            detail = "; ".join(f"{len(keys)} {what} ({_first(keys)})" for what, keys in sorts if keys)
            raise ValueError(f"these weights do not fit {target}: {detail}; {way_out}")


def _convolutions(module: nn.Module) -> set[str]:
    return {name for name, child in module.named_modules() if isinstance(child, nn.Conv2d)}


def _first(keys: list[str], count: int = 3) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")
