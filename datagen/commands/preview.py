"""`vosforge-data preview`: contact sheets and videos of a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Write a sheet of pictures (.jpg, .png), or one clip with its masks as a video (.mp4).

    --kind chooses what the sheet shows: the clips of the corpus, or samples drawn from it as a network would see them.
    """

    dir: tyro.conf.Positional[str]
    """folder of the corpus, or its URL, e.g. s3://bucket/prefix"""
    out: Path
    """file to write; its ending (.jpg, .png or .mp4) says what"""
    clip: str | None = None
    """key of one clip, e.g. bl30k-000123; without it a sheet shows many clips and a video the first one"""
    kind: Literal["clips", "triplets", "sequences", "scribbles", "robot", "clicks", "mask-errors"] = "clips"
    """clips; triplets of a clip; sequences composited from single frames; scribbles by type; robot strokes; clicks;
    masks with errors"""
    seed: int = 0
    """seed of the samples; row r depends on the seed and r alone"""
    clips: int = 12
    """rows of the sheet, at most"""
    fps: float = 24.0
    """frames per second of the video"""
    pass_name: Annotated[
        Literal["depth", "normals", "flow", "coordinates", "amodal"] | None, tyro.conf.arg(name="pass")
    ] = None
    """show this pass in colours (flow: to the next frame) instead of the masks"""


def run(command: Preview) -> int:
    """Write the picture or video and return the exit code."""
    from ..corpus.reader import Corpus
    from ..gallery.sample_sheet import sample_sheet
    from ..imaging.preview import contact_sheet, overlay_video

    endings = (".jpg", ".jpeg", ".png", ".mp4")
    if command.out.suffix not in endings:
        raise ValueError(f"--out {command.out} must end with one of {', '.join(endings)}")
    if command.clips < 1 or not command.fps > 0:
        raise ValueError(f"--clips is {command.clips} and --fps {command.fps}; both must be above 0")
    is_video, samples = command.out.suffix == ".mp4", command.kind != "clips"
    if samples and (is_video or command.clip or command.pass_name):
        raise ValueError(f"--kind {command.kind} draws a sheet of samples; leave out --clip, --pass and .mp4")
    corpus = Corpus.open(command.dir)
    pass_name = "flow_forward" if command.pass_name == "flow" else command.pass_name
    command.out.parent.mkdir(parents=True, exist_ok=True)
    if is_video:
        overlay_video(corpus, command.out, command.clip, command.fps, pass_name)
    elif samples:
        _write(command.out, sample_sheet(corpus, command.kind, command.clips, command.seed))
    else:
        keys = None if command.clip is None else [command.clip]
        _write(command.out, contact_sheet(corpus, max_clips=command.clips, keys=keys, pass_name=pass_name))
    print(command.out)
    return 0


def _write(path: Path, sheet: np.ndarray) -> None:
    from ..imaging.images import encode_jpeg, encode_png
    from ..storage.files import atomic_write

    atomic_write(path, encode_png(sheet) if path.suffix == ".png" else encode_jpeg(sheet))
