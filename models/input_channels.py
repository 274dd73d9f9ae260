"""Input channels of the encoders by name, and first convolutions converted from one set of channels to another."""

import torch
from torch import Tensor, nn

RGB = ("red", "green", "blue")
# Every set of channels that an encoder takes, in order; the numbers of channels tell them apart.
# 3: a picture (query encoder, ImageNet); 4: one object's memory (published static stage); 5: memory beside other
# objects; 6: scribble-to-mask.
INPUT_CHANNELS: dict[int, tuple[str, ...]] = {
    len(names): names
    for names in (
        RGB,
        (*RGB, "mask"),
        (*RGB, "mask", "other_masks"),
        (*RGB, "mask", "positive_scribble", "negative_scribble"),
    )
}


def convert_input_channels(weight: Tensor, target: int | tuple[str, ...]) -> tuple[Tensor, str]:
    """Make a first convolution's weight (C, n, k, k) fit other inputs, channel by channel of the same name.

    target: the names of the channels, or a number of them that stands for the names in `INPUT_CHANNELS`. New channels
    get orthogonal weights, as published for masks. Returns the weight and what was done in words, "" where the channels
    are the same already.
    Raises ValueError for a number of channels that no encoder takes, and for channels that would be lost.
    """
    names = target if isinstance(target, tuple) else _names_of(target)
    # Weights with as many channels as named ones of their own are taken for those: the number tells no more.
    given = weight.shape[1]
    source = names if given == len(names) else _names_of(given)
    lost = [name for name in source if name not in names]
    if lost:
        raise ValueError(
            f"weights for {given} input channels ({', '.join(source)}) do not fit {len(names)} "
            f"({', '.join(names)}): {' and '.join(lost)} would be lost; give weights for "
            f"{' or '.join(str(count) for count in _fitting(names))} channels"
        )
    if source == names:
        return weight, ""
    added = [name for name in names if name not in source]
    new = torch.empty(weight.shape[0], len(added), *weight.shape[2:])
    nn.init.orthogonal_(new)
    new = new.to(weight.device, weight.dtype)
    columns = [new[:, added.index(name)] if name in added else weight[:, source.index(name)] for name in names]
    return torch.stack(columns, dim=1), f"{given} to {len(names)} input channels: {', '.join(added)} new"


def _names_of(number: int) -> tuple[str, ...]:
    if number not in INPUT_CHANNELS:
        known = "; ".join(f"{count}: {', '.join(names)}" for count, names in INPUT_CHANNELS.items())
        raise ValueError(f"no encoder takes {number} input channels; known are {known}")
    return INPUT_CHANNELS[number]


def _fitting(target: tuple[str, ...]) -> list[int]:
    return [count for count, names in INPUT_CHANNELS.items() if set(names) <= set(target)]
