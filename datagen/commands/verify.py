"""`vosforge-data verify`: check every byte of a corpus."""

from dataclasses import dataclass

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


def run(command: Verify) -> int:
    """Print the faults of a corpus and return the exit code."""
    from rich.console import Console
    from rich.progress import Progress

    from ..corpus.reader import Corpus
    from ..verify.corpus import verify

    console = Console(stderr=True, markup=False)
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
