"""OSVOS (Caelles et al., CVPR 2017): VGG-16 whose stages are scored at every scale; it learns one object of one video.

B batch, C channels, H W pixels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from .encoder_input import channels_last
from .normalisation import NormaliseColours
from .precision import at_least_float32


@dataclass(frozen=True, kw_only=True)
class OSVOSSize:
    """Widths of an OSVOS network.

    convolutions: 3x3 convolutions of each of the five stages; channels: of each stage. side_channels: of what each
    stage from the second on gives to the fusion.
    """

    name: str
    convolutions: tuple[int, ...]
    channels: tuple[int, ...]
    side_channels: int


SIZES: dict[str, OSVOSSize] = {
    size.name: size
    for size in (
        OSVOSSize(name="full", convolutions=(2, 2, 3, 3, 3), channels=(64, 128, 256, 512, 512), side_channels=16),
        OSVOSSize(name="small", convolutions=(1, 2, 2, 2, 2), channels=(16, 32, 64, 96, 96), side_channels=16),
        OSVOSSize(name="tiny", convolutions=(1, 1, 1, 1, 1), channels=(4, 6, 8, 8, 8), side_channels=4),
    )
}


class OSVOSNetwork(nn.Module):
    """Tells foreground from background in a picture, as learnt from pictures of the same video.

    Stages and their order are those of VGG-16, so that its ImageNet weights load (`load_vgg_weights`). The published
    up-sampling layers are deconvolutions with fixed bilinear weights: here it is bilinear interpolation, which has no
    parameters. Colours enter as RGB with ImageNet's mean and deviation (published: BGR less its mean).
    """

    def __init__(self, size: OSVOSSize) -> None:
        super().__init__()
        self.size = size
        self.normalise = NormaliseColours()
        stages, in_channels = [], 3
        for count, channels in zip(size.convolutions, size.channels, strict=True):
            layers = []
            for _ in range(count):
                layers += [nn.Conv2d(in_channels, channels, 3, 1, 1), nn.ReLU(inplace=True)]
                in_channels = channels
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.side = nn.ModuleList(nn.Conv2d(channels, size.side_channels, 3, 1, 1) for channels in size.channels[1:])
        self.score = nn.ModuleList(nn.Conv2d(size.side_channels, 1, 1) for _ in size.channels[1:])
        self.fuse = nn.Conv2d(len(self.side) * size.side_channels, 1, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # No normalisation anywhere: fan_in keeps the variance from stage to stage.
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                nn.init.zeros_(module.bias)
        for module in (*self.score, self.fuse):
            nn.init.normal_(module.weight, std=0.01)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, 1, H, W) at least float32: of the sides, for deep supervision, and last the answer.

        rgb (B, 3, H, W) in [0, 1]; H and W are free.
        """
        x = channels_last(self.normalise(rgb))
        # Sides are fused before they are enlarged: the same, as both are linear, with one channel instead of sixteen.
        shares = self.fuse.weight.chunk(len(self.side), dim=1)
        scores, fused = [], []
        for index, stage in enumerate(self.stages):
            x = stage(x if index == 0 else self.pool(x))
            if index:
                side = self.side[index - 1](x)
                scores.append(_enlarged(self.score[index - 1](side), rgb))
                fused.append(_enlarged(F.conv2d(side, shares[index - 1]), rgb))
        return (*scores, sum(fused) + self.fuse.bias.view(1, 1, 1, 1))

    def optimiser_factors(self) -> Iterator[tuple[nn.Parameter, float, float]]:
        """Yield each parameter with its shares of learning rate and weight decay, as published: scores learn at 0.1,
        fusion at 0.01, biases at twice the rate of their weights and without decay.
        """
        own = {id(p): 0.1 for p in self.score.parameters()} | {id(p): 0.01 for p in self.fuse.parameters()}
        for name, parameter in self.named_parameters():
            is_bias = name.endswith(".bias")
            yield parameter, own.get(id(parameter), 1.0) * (2.0 if is_bias else 1.0), 0.0 if is_bias else 1.0


def load_vgg_weights(network: OSVOSNetwork, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Copy the convolutions of a torchvision VGG of the same stages (`features.*`) into the stages; return their names.

    The classifier is left aside. ValueError, with the network untouched, when the convolutions do not fit.
    """
    own = [f"stages.{i}.{j}" for i, stage in enumerate(network.stages) for j in range(0, len(stage), 2)]
    convolutions = [key for key in state if key.startswith("features.") and key.endswith(".weight")]
    numbers = sorted(int(key.split(".")[1]) for key in convolutions)
    if len(numbers) != len(own):
        raise ValueError(
            f"these weights have {len(numbers)} convolutions in 'features', this network {len(own)}; give those of "
            "torchvision's VGG-16 without batch norm"
        )
    new = network.state_dict()
    for name, number in zip(own, numbers, strict=True):
        for part in ("weight", "bias"):
            given = state.get(f"features.{number}.{part}")
            if given is None or given.shape != new[f"{name}.{part}"].shape:
                found = "is missing" if given is None else f"is {tuple(given.shape)}"
                raise ValueError(
                    f"features.{number}.{part} {found}, the network's {name}.{part} is "
                    f"{tuple(new[f'{name}.{part}'].shape)}; give the VGG that the network size is built on"
                )
            new[f"{name}.{part}"] = given
    network.load_state_dict(new)
    return tuple(own)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(at_least_float32(x), size=like.shape[-2:], mode="bilinear", align_corners=False)
