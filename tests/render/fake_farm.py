"""Render jobs whose clips are made by `fake_worker` in fractions of a second, with failures on demand."""

import dataclasses
import json
import sys
from pathlib import Path

from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.storage.store import open_store
from vosforge.render.assets.pool import Asset, AssetPool
from vosforge.render.jobs.corpus import RenderJob, render_corpus
from vosforge.render.recipes import TINY

SETTINGS = dataclasses.replace(TINY, num_frames=2)


def models(folder: Path, count: int = 7) -> AssetPool:
    """A pool of model files; nobody reads them."""
    folder.mkdir(exist_ok=True)
    assets = []
    for number in range(count):
        path = folder / f"{number}.obj"
        path.write_text("v 0 0 0\n")
        assets.append(Asset(name=f"models/{number}.obj", kind="model", path=str(path), sha256=str(number), faces=1))
    return AssetPool(assets=tuple(assets))


def fake_job(root, pool: AssetPool, **changes) -> RenderJob:
    """A job of six clips, two objects or three in each."""
    values = {"name": "fake", "seed": 4, "num_clips": 6, "settings": SETTINGS, "assets": pool, "val_every": 3}
    values |= {"clips_per_shard": 2, "clip_limit_seconds": 60.0, "asset_limit_seconds": 60.0, "worker": "fake_worker"}
    return RenderJob(root=str(root), **(values | changes))


def shard_bytes(root) -> dict[str, bytes]:
    """The tar of each shard of a corpus, a folder or a URL."""
    store = open_store(root)
    return {name: store.read_bytes(f"shards/{name}") for name in store.names("shards") if name.endswith(".tar")}


def events(root, kind: str) -> list[dict]:
    """The events of a kind in the journal of a corpus folder."""
    lines = (Path(root) / "journal/events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def living_workers(marker: str) -> list[int]:
    """Process ids whose command line or environment mentions `marker` and that run a worker module."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if marker in command and "worker" in command and state != "Z":
            found.append(int(process.name))
    return found


def main() -> int:
    """Make the corpus of `fake_job` in a process of its own: ROOT, the folder of the models, the executor."""
    root, folder, executor = sys.argv[1:]
    report = render_corpus(fake_job(root, models(Path(folder))), FarmSettings(executor=executor, num_workers=2))
    return 1 if report.missing else 0


if __name__ == "__main__":
    sys.exit(main())
