"""Segments an object of a frame from clicks with the click network: its answer, a dense CRF, and what the user said.

After Benard and Gygli (2017). H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...datagen.simulation.clicks.click_maps import DEXTR_SIGMA, disc_maps
from ...datagen.simulation.clicks.clicks import Click
from ...datagen.simulation.robot.strokes import Stroke
from ...models.click_net import ClickNetwork
from ..click_inputs import click_channels
from ..networks import as_trained
from .dense_crf import DenseCRFSettings, refine_mask
from .geometry import FrameGeometry


@dataclass(frozen=True, kw_only=True)
class ClickNetSettings:
    """How clicks become a mask.

    short_side: of the network's input in pixels, None for the frame's own. sigma: of a click's Gaussian in pixels of
    that input, None for that of the training. crf: None for none. clamp_radius: pixels of the frame around a click that
    are as the user said (the paper: the pixels that the user marked), 0 for the click's own pixel, None for nothing.
    stroke_spacing: pixels of the input between the clicks that a stroke is taken for.
    """

    short_side: int | None = None
    sigma: float | None = None
    crf: DenseCRFSettings | None = None
    clamp_radius: float | None = 2.0
    stroke_spacing: float = 20.0

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < 1:
            raise ValueError(f"short_side is {self.short_side}; give a positive number, or None")
        for name in ("sigma", "stroke_spacing"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}; give a number of pixels above 0")
        if self.clamp_radius is not None and self.clamp_radius < 0:
            raise ValueError(f"clamp_radius is {self.clamp_radius}; give 0 pixels or more, or None")


def probability_of_clicks(
    network: ClickNetwork,
    rgb: np.ndarray,
    current: np.ndarray,
    clicks: Sequence[Click],
    settings: ClickNetSettings,
    *,
    scale: float | None = None,
) -> np.ndarray:
    """The probability of the object that clicks speak of, float32 (H, W).

    rgb: uint8 (H, W, 3). current: bool (H, W), its mask so far, empty where there is none. clicks: in the order in
    which they were made; a later one overrules an earlier one. scale: of the network's input to the picture, for a part
    of a frame; None goes by `short_side`. The network runs where it is, and is left in evaluation mode. ValueError when
    the sizes differ.
    """
    if rgb.shape != (*current.shape, 3):
        raise ValueError(f"rgb has shape {rgb.shape}, the mask {current.shape}; they must be of one frame")
    whole = FrameGeometry.of(*current.shape, settings.short_side)
    geometry = whole if scale is None else FrameGeometry.scaled(*current.shape, scale)
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        picture = geometry.enter_picture(rgb, network.normalise.mean)
        mask = geometry.enter(torch.from_numpy(current).to(device)[None, None].float()).round()
        logits = network(picture, mask, _maps(network, clicks, geometry, settings).to(device))
        probability = geometry.leave(logits.sigmoid())[0, 0].cpu().numpy()
    if settings.crf is not None:
        probability = _refined(probability, rgb, settings.crf)
    return clamped(probability, clicks, settings.clamp_radius)


def clamped(probability: np.ndarray, clicks: Sequence[Click], radius: float | None) -> np.ndarray:
    """Return the probabilities, float32 (H, W), with 1 around positive clicks and 0 around negative ones.

    radius: in pixels, 0 for the click's own pixel, None for no change.
    """
    probability = np.array(probability, np.float32)
    if radius is None:
        return probability
    for click in clicks:
        # At least the pixel under the click, whose middle is nearer than this.
        said = disc_maps([replace(click, positive=True)], *probability.shape, radius=max(radius, 0.75))[0]
        probability[said] = float(click.positive)
    return probability


def clicks_on_stroke(stroke: Stroke, height: int, width: int, spacing: float, positive: bool) -> tuple[Click, ...]:
    """The clicks that a stroke is taken for: its first point, and one for every `spacing` pixels along it."""
    points = np.asarray(stroke.path, float) * [width - 1, height - 1] + 0.5
    if not len(points):
        return ()
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.arange(0.0, along[-1] + 1e-9, spacing)
    x, y = (np.interp(places, along, points[:, axis]) for axis in (0, 1))
    return tuple(Click(x=float(a), y=float(b), positive=positive) for a, b in zip(x, y, strict=True))


def _refined(probability: np.ndarray, rgb: np.ndarray, crf: DenseCRFSettings) -> np.ndarray:
    """Take a probability through the CRF, as it was trained: beside 1 - p of the background, as odds of each.

    Soft aggregation of one object, which the loss sees, makes p^2 / (p^2 + (1 - p)^2) of p.
    """
    refined = refine_mask(probability**2 / (probability**2 + (1 - probability) ** 2), rgb, crf)
    return np.sqrt(refined) / (np.sqrt(refined) + np.sqrt(1 - refined))


def _maps(
    network: ClickNetwork, clicks: Sequence[Click], geometry: FrameGeometry, settings: ClickNetSettings
) -> Tensor:
    kind, scale = network.size.click_maps, geometry.inner[0] / geometry.size[0]
    scaled = [Click(x=click.x * scale, y=click.y * scale, positive=click.positive) for click in clicks]
    sigma = as_trained(network, "sigma", DEXTR_SIGMA, settings.sigma)
    drawn = click_channels(scaled, *geometry.inner, kind, sigma)
    # Far from every click: no Gaussian, and the largest distance.
    return F.pad(torch.from_numpy(drawn)[None], geometry.padding, value=float(kind == "distance"))
