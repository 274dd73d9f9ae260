"""Memory of a session on a long video: resident megabytes as frames go by, with toy networks.

Run: python bench/session_memory.py [--frames 10000] [--max-memory-frames 200]

The frames are made up on the fly, the networks are those of the tests, so that nothing but the session can grow. A
first frame is annotated and propagated through the video; then one in the middle is, backwards with fusion, forwards
without. `--max-memory-frames 100000` shows what a bank without bound does.
"""

import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.mivos_settings import MiVOSSettings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from toy_networks import BlockWorld, ToyFusion, ToyPropagation

MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The video's length and size in blocks of 16 pixels (15 x 27 is 240p), and the bound of the memory bank."""

    frames: int = 10_000
    rows: int = 15
    columns: int = 27
    max_memory_frames: int = 200
    memory_every: int = 5
    report_every: int = 1000


def main(settings: Settings) -> None:
    """Run the session and print a table."""
    torch.set_num_threads(1)
    world = BlockWorld(settings.frames, (1, 2), columns=settings.columns, rows=settings.rows)
    options = MiVOSSettings(max_memory_frames=settings.max_memory_frames, memory_every=settings.memory_every)
    print(
        f"{settings.frames} frames of {world.size[1]}x{world.size[0]}, 2 objects, bank of {options.max_memory_frames}"
    )
    print("| propagated from | frames set | resident | on disk | frames/s |")
    print("|---|---|---|---|---|")
    levels = []
    with tempfile.TemporaryDirectory() as folder:
        session = MiVOSSession(None, ToyPropagation(), ToyFusion(keep_calls=False), options, Path(folder) / "session")
        session.start(world, world.object_ids)
        for source in (0, settings.frames // 2):
            session.interact(source, {i: world.truth(source) == i for i in world.object_ids})
            started = time.perf_counter()
            for count, (t, ids) in enumerate(session.propagate()):
                if count and count % settings.report_every == 0:
                    if (ids != world.truth(t)).any():
                        raise SystemExit(f"frame {t} is wrong")
                    rate = settings.report_every / (time.perf_counter() - started)
                    levels.append(_resident_bytes() / MB)
                    disk = sum(path.stat().st_size for path in Path(folder).rglob("*.png")) / MB
                    print(f"| {source} | {count} | {levels[-1]:.0f} MB | {disk:.0f} MB | {rate:.0f} |", flush=True)
                    started = time.perf_counter()
    filled = settings.max_memory_frames * settings.memory_every // settings.report_every
    flat = levels[min(filled, len(levels) - 1) :]
    print(f"\nsince the bank is full: {min(flat):.0f} to {max(flat):.0f} MB; peak {_peak_bytes() / MB:.0f} MB")


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
