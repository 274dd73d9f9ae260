"""`vosforge-data preview`: contact sheets and videos of a corpus."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Write a contact sheet of a corpus (.jpg, .png), or one clip with its masks as a video (.mp4)."""

    dir: tyro.conf.Positional[str]
    """folder of the corpus, or its URL, e.g. s3://bucket/prefix"""
    out: Path
    """file to write; its ending (.jpg, .png or .mp4) says what"""
    clip: str | None = None
    """key of one clip, e.g. bl30k-000123; without it a sheet shows many clips and a video the first one"""
    clips: int = 12
    """rows of the contact sheet, at most"""
    fps: float = 24.0
    """frames per second of the video"""
    pass_name: Annotated[
        Literal["depth", "normals", "flow", "coordinates", "amodal"] | None, tyro.conf.arg(name="pass")
    ] = None
    """show this pass in colours (flow: to the next frame) instead of the masks"""


def run(command: Preview) -> int:
    """Write the picture or video and return the exit code."""
    from ..corpus.reader import Corpus
    from ..imaging.images import encode_jpeg, encode_png
    from ..imaging.preview import contact_sheet, overlay_video
    from ..storage.files import atomic_write

    endings = (".jpg", ".jpeg", ".png", ".mp4")
    if command.out.suffix not in endings:
        raise ValueError(f"--out {command.out} must end with one of {', '.join(endings)}")
    if command.clips < 1 or not command.fps > 0:
        raise ValueError(f"--clips is {command.clips} and --fps {command.fps}; both must be above 0")
    corpus = Corpus.open(command.dir)
    pass_name = "flow_forward" if command.pass_name == "flow" else command.pass_name
    command.out.parent.mkdir(parents=True, exist_ok=True)
    if command.out.suffix == ".mp4":
        overlay_video(corpus, command.out, command.clip, command.fps, pass_name)
    else:
        keys = None if command.clip is None else [command.clip]
        sheet = contact_sheet(corpus, max_clips=command.clips, keys=keys, pass_name=pass_name)
        atomic_write(command.out, encode_png(sheet) if command.out.suffix == ".png" else encode_jpeg(sheet))
    print(command.out)
    return 0
