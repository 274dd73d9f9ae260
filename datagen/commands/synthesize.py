"""`vosforge-data synthesize`: pretraining sequences from stills into a corpus; the same command resumes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .farm_options import FarmOptions
from .farm_run import run_clips

if TYPE_CHECKING:
    from ..compositing.settings import SequenceSettings
    from ..compositing.stills import StillSource

Repeated = tyro.conf.UseAppendAction


@dataclass(frozen=True, kw_only=True)
class Synthesize(FarmOptions):
    """Synthesize short sequences from stills with masks into a corpus; the same command resumes it.

    Each still becomes frames under different affine and spline warps, with the ranges of Mask-Propagation unless told
    otherwise. Exit code 0 when every clip is there, 1 when some are missing (each is named with its reason), 2 for a
    mistake.
    """

    stills: Annotated[list[str], Repeated]
    """folder of pictures and masks (X.jpg beside X.png, or folders such as Image and Mask), or a corpus (one frame of
    each clip); DIR=N repeats it N times; may be repeated"""
    count: int
    """number of sequences"""
    out: str
    """corpus folder, or a URL such as s3://bucket/prefix"""
    frames: int = 3
    """frames of a sequence"""
    size: int = 384
    """side of the square frames in pixels"""
    pasted: tuple[int, int] = (0, 0)
    """least and most objects pasted from other stills, each with a motion of its own"""
    background_probability: float | None = None
    """probability that the background is another still or picture; 1 with --backgrounds, else 0"""
    backgrounds: Path | None = None
    """folder of pictures for backgrounds, without masks; the stills when left out"""
    motion: Literal["independent", "steady"] = "independent"
    """independent draws each frame for itself, steady moves evenly from the first frame to the last"""
    edges: Literal["soft", "hard"] = "soft"
    """how objects are laid over what is behind them"""
    blur_probability: float = 0.0
    """probability that a sequence is blurred"""
    jpeg_probability: float = 0.0
    """probability that a sequence has the noise of JPEG compression"""
    min_visible_area: float = 0.0
    """pixels of a 384x384 frame that an object must show in the first frame; drawn again until one does"""
    setting: Annotated[list[str], Repeated] = field(default_factory=list)
    """NAME=VALUE sets anything else of SequenceSettings, ranges as LOW,HIGH, e.g. still_scale=0.5,2.0,
    spline_probability=0.5, still_jitter.hue=0.1; may be repeated"""
    split: Literal["train", "val", "all"] = "train"
    """clips of a corpus given with --stills"""
    seed: int = 0
    """seed of the corpus: the same seed, settings and stills give the same bytes"""
    name: str = "stills"
    """prefix of the clip keys"""
    clips_per_shard: int = 1000
    """clips in one shard"""
    val_every: int = 0
    """every n-th clip belongs to the val split; 0 for none; only where every still is shown once"""


def run(command: Synthesize) -> int:
    """Synthesize a corpus; returns 0 when every clip is there, 1 when some are missing."""

    from ..compositing.still_folder import Backgrounds
    from ..compositing.stills import StillMixture
    from ..compositing.synthesis import SynthesisJob, synthesize_corpus

    for option, value, least in (
        ("--count", command.count, 1),
        ("--clips-per-shard", command.clips_per_shard, 1),
        ("--val-every", command.val_every, 0),
        ("--seed", command.seed, 0),
    ):
        if value < least:
            raise ValueError(f"{option} {value}: must be at least {least}")
    settings = read_settings(command)
    farm = command.farm()
    job = SynthesisJob(
        root=command.out,
        stills=StillMixture([open_stills(text, command.split) for text in command.stills]),
        num_clips=command.count,
        settings=settings,
        backgrounds=None if command.backgrounds is None else Backgrounds(command.backgrounds),
        seed=command.seed,
        name=command.name,
        clips_per_shard=command.clips_per_shard,
        val_every=command.val_every,
        origin=" ".join(command.stills),
    )
    return run_clips(
        lambda on_begin, on_clip: synthesize_corpus(job, farm, on_begin=on_begin, on_clip=on_clip),
        "synthesizing",
        "sequences made",
        "mend or replace those stills",
    )


def open_stills(text: str, split: Literal["train", "val", "all"]) -> tuple[StillSource, int]:
    """Return the stills of one --stills DIR or DIR=N, and N; a folder with an index.json, or a URL, is a corpus."""
    from ..compositing.still_folder import StillFolder
    from ..compositing.stills import CorpusStills
    from ..corpus.reader import Corpus

    place, sign, repeats = text.rpartition("=")
    if not sign or not repeats.isdecimal():
        place, repeats = text, "1"
    if int(repeats) < 1:
        raise ValueError(f"--stills {text}: the number of repeats must be at least 1")
    if "://" in place or (Path(place) / "index.json").is_file():
        return CorpusStills(Corpus.open(place), split), int(repeats)
    return StillFolder(place), int(repeats)


def read_settings(command: Synthesize) -> SequenceSettings:
    """Return the settings of the options; ValueError names an option or a setting that is wrong."""
    from ..compositing.settings import SequenceSettings

    background = command.background_probability
    named = {
        "num_frames": command.frames,
        "size": command.size,
        "num_pasted": command.pasted,
        "background_probability": float(command.backgrounds is not None) if background is None else background,
        "motion": command.motion,
        "edges": command.edges,
        "blur_probability": command.blur_probability,
        "jpeg_probability": command.jpeg_probability,
        "min_visible_area": command.min_visible_area,
    }
    settings = SequenceSettings(**named)
    others = [entry.name for entry in dataclasses.fields(SequenceSettings) if entry.name not in named]
    for text in command.setting:
        path, _, value = text.partition("=")
        name, _, part = path.strip().replace("-", "_").partition(".")
        if name not in others:
            raise ValueError(f"--setting {text}: there is no such setting; choose from {', '.join(others)}")
        current = getattr(settings, name)
        if part:
            if not dataclasses.is_dataclass(current) or part not in {
                entry.name for entry in dataclasses.fields(current)
            }:
                raise ValueError(f"--setting {text}: {name} has no part {part!r}")
            new = dataclasses.replace(current, **{part: _convert(text, value, getattr(current, part))})
        else:
            new = _convert(text, value, current)
        settings = dataclasses.replace(settings, **{name: new})
    return settings


def _convert(text: str, value: str, current: Any) -> Any:
    """The value in the type of the current one."""
    try:
        if isinstance(current, tuple):
            parts = [type(current[0])(part) for part in value.split(",")]
            if len(parts) == len(current):
                return tuple(parts)
        elif isinstance(current, int | float):
            return type(current)(value)
        elif isinstance(current, str):
            return value
    except ValueError:
        pass
    like = ",".join(map(str, current)) if isinstance(current, tuple) else current
    if dataclasses.is_dataclass(current):
        like = f"one of its parts, e.g. {text.partition('=')[0]}.hue=0.1"
    raise ValueError(f"--setting {text}: give a value such as {like}")
