"""One training sample of a correcting network: a mask with errors, and what a user draws to correct it.

After the published data of Scribble-to-Mask (Cheng et al., CVPR 2021); its paper starts half of the samples from an
empty mask, its code a third.
"""

from dataclasses import dataclass, field

import numpy as np

from ..mask_errors import MaskErrorSettings, perturb_mask, perturb_to_iou
from ..regions import require_masks, require_share
from .scribble_mixture import MixtureSettings, UserInput, simulate_scribbles


@dataclass(frozen=True, kw_only=True)
class CorrectionSettings:
    """Settings of the samples; the values of the published code.

    from_zero_probability: of an empty mask. other_probability: that another object of the picture, where one is
    given, takes part in a sample that has a mask. other_scribbles_probability: it then lends its scribbles as negative
    ones; otherwise its mask, perturbed to other_iou, is part of the mask to correct.
    """

    from_zero_probability: float = 0.33
    other_probability: float = 0.75
    other_scribbles_probability: float = 0.5
    other_iou: float = 0.6
    errors: MaskErrorSettings = field(default_factory=MaskErrorSettings)
    mixture: MixtureSettings = field(default_factory=MixtureSettings)

    def __post_init__(self) -> None:
        require_share(
            from_zero_probability=self.from_zero_probability,
            other_probability=self.other_probability,
            other_scribbles_probability=self.other_scribbles_probability,
            other_iou=self.other_iou,
        )


PUBLISHED = CorrectionSettings()


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrectionSample:
    """current_mask: bool (H, W), empty in the first round. user: the scribbles that correct it."""

    current_mask: np.ndarray
    user: UserInput


def sample_correction(
    rng: np.random.Generator,
    true_mask: np.ndarray,
    other_mask: np.ndarray | None = None,
    settings: CorrectionSettings = PUBLISHED,
    ignored: np.ndarray | None = None,
) -> CorrectionSample:
    """Draw a mask with errors and the user who corrects it.

    true_mask: bool (H, W), the object. other_mask: bool (H, W), another object of the same picture, or None.
    ignored: bool (H, W), pixels off the object of which nobody knows what they are, or None. The mask with errors may
    reach into them, because a mask that ends there would give the object's outline away; but the user corrects no
    error there, and no negative scribble lies on them.
    """
    require_masks(true_mask=true_mask)
    known = None if ignored is None else ~ignored | true_mask
    if rng.random() < settings.from_zero_probability:
        user = _on_known(simulate_scribbles(rng, true_mask, None, settings.mixture), known)
        return CorrectionSample(current_mask=np.zeros_like(true_mask), user=user)
    current_mask, extra = perturb_mask(rng, true_mask, settings.errors), None
    if other_mask is not None:
        require_masks(true_mask=true_mask, other_mask=other_mask)
        if rng.random() < settings.other_probability:
            if rng.random() < settings.other_scribbles_probability:
                extra = simulate_scribbles(rng, other_mask, None, settings.mixture)
            else:
                current_mask = current_mask | perturb_to_iou(rng, other_mask, settings.other_iou, settings.errors)
    seen = current_mask if known is None else current_mask & known
    user = simulate_scribbles(rng, true_mask, seen, settings.mixture)
    if extra is not None:
        # A stroke on another object says "not this one", except where it crosses the object itself.
        lent = extra.positive & ~true_mask
        kinds = user.kinds + ("other-object",) * int(lent.any())
        user = UserInput(positive=user.positive, negative=user.negative | lent, kinds=kinds)
    return CorrectionSample(current_mask=current_mask, user=_on_known(user, known))


def _on_known(user: UserInput, known: np.ndarray | None) -> UserInput:
    """Cut the negative scribbles to the pixels that are known; kinds () where nothing is left."""
    if known is None:
        return user
    negative = user.negative & known
    kinds = user.kinds if user.positive.any() or negative.any() else ()
    return UserInput(positive=user.positive, negative=negative, kinds=kinds)
