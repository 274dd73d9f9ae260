"""Loads weights in published formats into our networks, by tables of names; every key is accounted for.

DeepLabV3Plus-Pytorch (what S2M starts from) and Scribble-to-Mask, Mask-Propagation, and the fusion network of MiVOS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .fusion import FusionNetwork
from .input_channels import convert_input_channels
from .osvos import OSVOSNetwork, load_vgg_weights
from .propagation import PropagationNetwork
from .s2m import S2MNetwork
from .weights import FIRST_CONVOLUTION, FitProblems, LoadedWeights, is_torchvision_resnet, load_imagenet


@dataclass(frozen=True, kw_only=True)
class PublishedFormat:
    """A format of weights: the network that takes them, and its names.

    marks: keys that tell the format. renamed: prefixes of its names and of ours, the first that fits counts.
    """

    name: str
    network: type[nn.Module]
    marks: tuple[str, ...]
    renamed: Mapping[str, str]
    size: str = "full"


def _upsampling(theirs: str, stride: int) -> dict[str, str]:
    return {
        f"decoder.{theirs}.skip_conv1.": f"skip{stride}.conv.",
        f"decoder.{theirs}.skip_conv2.": f"skip{stride}.block.",
        f"decoder.{theirs}.out_conv.downsample.": f"up{stride}.block.shortcut.",
        f"decoder.{theirs}.out_conv.": f"up{stride}.block.",
    }


FORMATS: tuple[PublishedFormat, ...] = (
    PublishedFormat(
        name="DeepLabV3+",
        network=S2MNetwork,
        marks=("backbone.conv1.weight", "classifier.classifier.3.weight"),
        renamed={
            "backbone.": "encoder.",
            "classifier.project.": "low_level.",
            "classifier.aspp.convs.0.": "aspp.point.",
            "classifier.aspp.convs.1.": "aspp.atrous.0.",
            "classifier.aspp.convs.2.": "aspp.atrous.1.",
            "classifier.aspp.convs.3.": "aspp.atrous.2.",
            # The first of its layers, the mean, has no weights and no place in ours.
            "classifier.aspp.convs.4.1.": "aspp.pooled.0.",
            "classifier.aspp.convs.4.2.": "aspp.pooled.1.",
            "classifier.aspp.project.": "aspp.project.",
            "classifier.classifier.3.": "predict.",
            "classifier.classifier.": "decoder.",
        },
    ),
    PublishedFormat(
        name="Mask-Propagation",
        network=PropagationNetwork,
        marks=("mask_rgb_encoder.conv1.weight", "kv_m_f16.key_proj.weight"),
        renamed={
            "mask_rgb_encoder.": "memory_encoder.",
            "rgb_encoder.res2.": "query_encoder.layer1.",
            "rgb_encoder.": "query_encoder.",
            "kv_m_f16.key_proj.": "memory_head.key.",
            "kv_m_f16.val_proj.": "memory_head.value.",
            "kv_q_f16.key_proj.": "query_head.key.",
            "kv_q_f16.val_proj.": "query_head.value.",
            "decoder.compress.downsample.": "compress.shortcut.",
            "decoder.compress.": "compress.",
            **_upsampling("up_16_8", 8),
            **_upsampling("up_8_4", 4),
            "decoder.pred.": "predict.",
        },
    ),
    PublishedFormat(
        name="MiVOS fusion",
        network=FusionNetwork,
        marks=("conv1.0.weight", "final_conv.weight"),
        renamed={
            "conv1.0.": "conv.",
            "conv2.0.": "blocks.0.conv1.",
            "conv2.2.": "blocks.0.conv2.",
            "conv3.0.": "blocks.1.conv1.",
            "conv3.2.": "blocks.1.conv2.",
            "final_conv.": "predict.",
        },
    ),
)


def published_format(content: Mapping[str, Any]) -> PublishedFormat | None:
    """The format of a checkpoint or state dict, or None where it is none of them."""
    state = _state_of(content)
    return next((known for known in FORMATS if all(mark in state for mark in known.marks)), None)


def load_published(network: nn.Module, content: Mapping[str, Any]) -> LoadedWeights:
    """Copy weights of a published format into our network of that kind and the full size.

    Input channels are matched by name, see `convert_input_channels`: a DeepLabV3+ gets mask and scribbles, a memory
    encoder of one object the other masks, orthogonal as published. The last layer of a DeepLabV3+ of several classes
    starts anew, orthogonal with bias zero, as published.
    Raises ValueError naming the keys that are missing, unknown or of another shape; the network is then untouched.
    """
    known, state = published_format(content), _state_of(content)
    if known is None:
        names = ", ".join(each.name for each in FORMATS)
        raise ValueError(f"weights of no known format (keys {', '.join(list(state)[:3])}); known are {names}")
    if not isinstance(network, known.network):
        raise ValueError(
            f"{known.name} weights do not fit {type(network).__name__}; they fit {known.network.__name__} only"
        )
    own, problems = network.state_dict(), FitProblems()
    new_state: dict[str, Tensor] = {}
    converted: list[str] = []
    anew = _last_layer_anew(network, {_renamed(key, known): value for key, value in state.items()})
    for key, value in state.items():
        name = _renamed(key, known)
        if name not in own:
            problems.unknown.append(key)
        elif name not in anew:
            given = value
            if name.endswith(f"encoder.{FIRST_CONVOLUTION}"):
                given, said = convert_input_channels(value, own[name].shape[1])
                converted += [f"{name}: {said}"] if said else []
            if given.shape != own[name].shape:
                problems.note_shape(key, value, own[name])
            new_state[name] = given
    # Files of old versions lack the counters, and nothing reads them.
    counters = {name: own[name] for name in own if name.endswith("num_batches_tracked") and name not in new_state}
    problems.missing += [name for name in own if name not in new_state and name not in anew and name not in counters]
    problems.refuse(type(network).__name__, f"give {known.name} weights and the size '{known.size}'")
    if anew:
        network.initialise_prediction()
        new_state |= {name: network.state_dict()[name] for name in anew}
    network.load_state_dict({**counters, **new_state})
    loaded = tuple(name for name in new_state if name not in anew)
    return LoadedWeights(loaded=loaded, unused=(), initialised=(*anew, *counters), converted=tuple(converted))


def load_starting_weights(network: nn.Module, content: Mapping[str, Any]) -> str | None:
    """Start a network from a file that is no checkpoint of ours; None where the format is unknown.

    Takes ImageNet weights in torchvision's format and the published formats. Returns what was loaded, what was
    converted and what starts anew in words. Raises ValueError when the weights do not fit.
    """
    if is_torchvision_resnet(content):
        done = load_imagenet(network, content)
        words = [f"ImageNet weights into {' and '.join(done)}"]
        words += [f"{trunk}.{said}" for trunk, loaded in done.items() for said in loaded.converted]
        return "; ".join(words)
    if isinstance(network, OSVOSNetwork) and any(key.startswith("features.") for key in content):
        return f"ImageNet weights into {len(load_vgg_weights(network, content))} convolutions of the stages"
    known = published_format(content)
    if known is None:
        return None
    loaded = load_published(network, content)
    words = [f"{known.name} weights", *loaded.converted]
    if anew := [name for name in loaded.initialised if name.startswith("predict.")]:
        words.append(f"{' and '.join(anew)} start anew")
    return "; ".join(words)


def _last_layer_anew(network: nn.Module, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of the last layer where S2M is given the one of a network of several classes."""
    if isinstance(network, S2MNetwork) and state["predict.weight"].shape[0] != 1:
        return ("predict.weight", "predict.bias")
    return ()


def _state_of(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint, without the wrapper `model_state` and the prefix of data-parallel training."""
    state = content.get("model_state", content)
    if not isinstance(state, Mapping):
        return {}
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _renamed(key: str, known: PublishedFormat) -> str:
    for theirs, ours in known.renamed.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key
