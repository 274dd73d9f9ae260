"""The predictions of a run: the latest picture of each kind, and some of those before it."""

from collections.abc import Sequence
from html import escape

import numpy as np

from .embedded_pictures import read_picture
from .figures import picture_figure
from .run_record import TRAINING_PICTURES, Picture, RunRecord

NUM_EARLIER = 4
WIDE_FROM = 1000
_CAPTIONS = {
    TRAINING_PICTURES: "the step's own batch; one row a sample: what was given, then truth and prediction by turns",
    "held-out": "held-out samples, one a row: what was given, then truth and prediction by turns",
}
_VIDEO_CAPTION = "first mask given, predictions tinted, the truth outlined in white; J of the frame above it"


def predictions(record: RunRecord) -> str:
    """One part a kind of picture, held-out data before training batches; "" without pictures."""
    parts = []
    for name, pictures in record.pictures.items():
        latest, *earlier = spaced(pictures, 1 + NUM_EARLIER)
        drawn, width = _picture(name, latest)
        caption = escape(_CAPTIONS.get(name, _VIDEO_CAPTION))
        parts.append(
            f'<div class="{"wide" if width >= WIDE_FROM else "narrow"}"><h3>{escape(name)}</h3>'
            f'<p><small>{caption}</small></p><div class="scroll">{drawn}</div>'
        )
        if earlier:
            shown = "".join(_picture(name, one)[0] for one in earlier)
            steps = ", ".join(f"{one.step:,}" for one in earlier)
            parts.append(
                f'<details><summary>Earlier: steps {steps}</summary><div class="scroll">{shown}</div></details>'
            )
        parts.append("</div>\n")
    return f'<div class="pictures">{"".join(parts)}</div>\n' if parts else ""


def _picture(name: str, picture: Picture) -> tuple[str, int]:
    """The picture with its step above it, and its width in pixels."""
    try:
        rgb = read_picture(picture.path)
    except ValueError as error:
        return f'<p class="alarm">{escape(str(error))}</p>', 0
    caption = f"after step {picture.step:,}"
    return picture_figure(rgb, caption, f"{name} {caption}")


def spaced(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """At most `count` pictures, evenly spaced, the first and the last among them; latest first."""
    if not pictures:
        return []
    places = np.unique(np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int))
    return [pictures[i] for i in reversed(places.tolist())]
