"""`vosforge-data`: check a corpus and look at it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check every byte of a corpus: hashes, counts, pictures, masks and passes against the metadata.

    Exit code 0 when all is well, 1 when something is wrong (one line for each fault), 2 when DIR holds no corpus.
    """

    dir: tyro.conf.Positional[str]
    """folder of the corpus, or its URL, e.g. s3://bucket/prefix"""
    show: int = 50
    """print at most this many faults"""


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


def run_verify(command: Verify) -> int:
    """Print the faults of a corpus and return the exit code."""
    from rich.console import Console
    from rich.progress import Progress

    from .corpus.reader import Corpus
    from .verify.corpus import verify

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("shards", total=None)
        problems = verify(command.dir, lambda done, total: progress.update(bar, completed=done, total=total))
    for problem in problems[: command.show]:
        print(problem)
    if problems:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {command.dir}")
        return 1
    corpus = Corpus.open(command.dir)
    frames = sum(clip.num_frames for clip in corpus.clips)
    passes = f", with {', '.join(corpus.passes)}" if corpus.passes else ""
    shards = len(corpus.index["shards"])
    print(f"{command.dir} is whole: {len(corpus.clips)} clips, {frames} frames, {shards} shards{passes}")
    return 0


def run_preview(command: Preview) -> int:
    """Write the picture or video and return the exit code."""
    from .corpus.reader import Corpus
    from .imaging.images import encode_jpeg, encode_png
    from .imaging.preview import contact_sheet, overlay_video
    from .storage.files import atomic_write

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


Command = Annotated[Verify, tyro.conf.subcommand("verify")] | Annotated[Preview, tyro.conf.subcommand("preview")]


def main(arguments: list[str] | None = None) -> None:
    """Entry point; the exit code is 2, with one line that says what to do, for a user's mistake."""
    command = tyro.cli(Command, prog="vosforge-data", description=__doc__, args=arguments)
    try:
        code = run_verify(command) if isinstance(command, Verify) else run_preview(command)
    except (ValueError, OSError) as error:
        print(f"vosforge-data: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
