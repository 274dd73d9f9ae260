"""What the propagation network trains on: triplets of a clip, and sequences composited from still images."""

import numpy as np

from ..compositing.sequence import sample_sequence
from ..compositing.settings import SequenceSettings
from ..compositing.stills import StillSource
from ..imaging.images import overlay
from ..imaging.sheet import Cell, Row
from ..samples.triplets import ClipSource, TripletSettings, sample_triplet

SHOWN_SETTINGS = (
    ("as published", SequenceSettings()),
    ("spline in every frame", SequenceSettings(spline_probability=1.0)),
    ("two pasted objects, soft edges", SequenceSettings(num_pasted=(2, 2), feather_pixels=1.0)),
    ("another background", SequenceSettings(background_probability=1.0, num_still_objects=3)),
    ("steady motion, one pasted object", SequenceSettings(motion="steady", num_pasted=(1, 1))),
    ("blur and JPEG noise", SequenceSettings(blur_probability=1.0, jpeg_probability=1.0)),
)
"""What the rows of the sheet show, in turn."""


def triplet_row(rng: np.random.Generator, corpus: ClipSource, key: str, max_jump: int) -> Row:
    """Three augmented frames of a clip with the one or two objects that were chosen."""
    triplet = sample_triplet(rng, corpus, key, max_jump, TripletSettings())
    cells = [
        Cell(picture=overlay(rgb, labels), label=f"frame {t}")
        for rgb, labels, t in zip(triplet.rgb, triplet.labels, triplet.frames, strict=True)
    ]
    objects = ", ".join(str(object_id) for object_id in triplet.object_ids) or "none"
    return Row(name=key, facts=f"objects {objects}, jumps up to {max_jump}", cells=cells)


def still_row(
    rng: np.random.Generator, stills: StillSource, number: int, settings: SequenceSettings, facts: str = ""
) -> Row:
    """A still with its masks, fitted into a square, then the frames composited from it."""
    still_state = rng.bit_generator.state
    still = stills.read(rng, number)
    rng.bit_generator.state = still_state  # the sequence draws the same still again
    sequence = sample_sequence(rng, stills, number, settings)
    cells = [Cell(picture=_square(overlay(still.rgb, still.ids)), label="the still")]
    cells += [
        Cell(picture=overlay(rgb, labels), label=f"frame {t}")
        for t, (rgb, labels) in enumerate(zip(sequence.rgb, sequence.labels, strict=True))
    ]
    return Row(name=still.name, facts=facts, cells=cells)


def _square(rgb: np.ndarray) -> np.ndarray:
    """The picture in the middle of a grey square, as large as its longer side."""
    height, width = rgb.shape[:2]
    square = np.full((max(height, width), max(height, width), 3), 190, np.uint8)
    top, left = (square.shape[0] - height) // 2, (square.shape[1] - width) // 2
    square[top : top + height, left : left + width] = rgb
    return square
