"""Reading: triplets against the pure decode limit, by random access and by whole clips, and opening a large corpus.

A corpus of many clips is made out of a few rendered ones: the shards of the large one are names for the same few files,
so it takes no room, and the clips are repeated under new keys.

Run: python bench/reading.py [--corpus DIR] [--clips 10000] [--frames 160]
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from PIL import Image
from vosforge.datagen.corpus.clip_table import table_of, table_row
from vosforge.datagen.corpus.description import CorpusDescription
from vosforge.datagen.corpus.fetched import FetchedClip
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.records import clip_key, ids_name, image_name, metadata_name
from vosforge.datagen.corpus.stream import stream_clips
from vosforge.datagen.samples.order import EpochOrder
from vosforge.datagen.samples.triplets import draw_frames, read_triplet
from vosforge.datagen.writing.parts import commit_part
from vosforge.datagen.writing.writer import CorpusWriter

WIDTH, HEIGHT, MAX_JUMP, CLIPS_PER_SHARD, SMALL_CLIPS = 768, 512, 25, 8, 2
OPEN = """
import sys, time
start = time.perf_counter()
cpu = time.process_time()
from vosforge.datagen.corpus.reader import Corpus
imported, imported_cpu = time.perf_counter() - start, time.process_time() - cpu
corpus = Corpus.open(sys.argv[1])
print(len(corpus.clips), time.perf_counter() - start, time.process_time() - cpu, imported_cpu)
if sys.argv[2] == "all":
    start = time.process_time()
    for clip in corpus.clips:
        corpus.annotated_frames(clip.key)
    print(time.process_time() - start)
# Not ru_maxrss, which a process inherits from the one that started it.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure; the smallest process CPU time of the repeated turns counts."""

    corpus: Path | None = None
    """A corpus of rendered clips to take frames from; without it two short clips are rendered."""
    clips: int = 10_000
    frames: int = 160
    triplets: int = 24
    repeats: int = 9
    samples_per_clip: int = 4


def main(settings: Settings) -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    folder = Path(tempfile.mkdtemp(prefix="vosforge-bench-"))
    try:
        small = write_small(folder / "small", source_frames(settings, folder), settings)
        large = repeat_clips(small, folder / "large", settings)
        print_speed(Corpus.open(small), Corpus.open(large), settings)
        print_opening(large, settings)
    finally:
        shutil.rmtree(folder)


def source_frames(settings: Settings, folder: Path) -> list[tuple[bytes, bytes]]:
    """Return some rendered frames, (JPEG, palette PNG)."""
    if settings.corpus is None:
        render = ["vosforge-render", "run", "--recipe", "bl30k", "--clips", "2", "--frames", "4", "--seed", "1"]
        render += ["--size", f"{WIDTH}x{HEIGHT}", "--workers", "1", "--out", str(folder / "rendered")]
        subprocess.run([str(Path(sys.executable).parent / render[0]), *render[1:]], check=True, stdout=sys.stderr)
    corpus = Corpus.open(settings.corpus or folder / "rendered")
    places = [(clip.key, t) for clip in corpus.clips[:4] for t in corpus.annotated_frames(clip.key)[:8].tolist()]
    return [(corpus.read_jpeg(key, t), corpus.read_ids_png(key, t)) for key, t in places]


def write_small(root: Path, frames: list[tuple[bytes, bytes]], settings: Settings) -> Path:
    """Write a corpus of a few long clips that repeat the frames."""
    height, width = decode_plain(*frames[0])[1].shape
    description = CorpusDescription(name="bench", recipe="repeated", seed=0, num_clips=SMALL_CLIPS)
    writer = CorpusWriter(root, description)
    for index in range(SMALL_CLIPS):
        key, members = writer.key(index), []
        for t in range(settings.frames):
            jpeg, png = frames[(t + index) % len(frames)]
            members += [(image_name(key, t), jpeg), (ids_name(key, t), png)]
        size = {"num_frames": settings.frames, "width": width, "height": height}
        metadata = {"key": key, "index": index, **size, "objects": [{"id": n} for n in range(1, 6)]}
        commit_part(root, key, index, [*members, (metadata_name(key), json.dumps(metadata).encode())], {})
    writer.assemble_ready()
    writer.finish()
    return root


def repeat_clips(small: Path, root: Path, settings: Settings) -> Path:
    """Make an index and manifests of many clips, all of which lie in the one tar of the small corpus."""
    index = json.loads((small / "index.json").read_text())
    manifest = json.loads((small / "shards/clips-00000.json").read_text())
    (root / "shards").mkdir(parents=True)
    shards = []
    for number in range(-(-settings.clips // CLIPS_PER_SHARD)):
        tar, first = f"clips-{number:05d}.tar", number * CLIPS_PER_SHARD
        os.link(small / "shards/clips-00000.tar", root / "shards" / tar)
        clips = []
        for clip_index in range(first, min(first + CLIPS_PER_SHARD, settings.clips)):
            source = manifest["clips"][clip_index % SMALL_CLIPS]
            key = clip_key("bench", clip_index)
            members = [[name.replace(source["key"], key), *place] for name, *place in source["members"]]
            clips.append({**source, "key": key, "index": clip_index, "members": members})
        text = json.dumps({**manifest, "tar": tar, "clips": clips}, indent=1)
        (root / "shards" / f"clips-{number:05d}.json").write_text(text)
        counts = {"clips": len(clips), "frames": len(clips) * settings.frames}
        table = table_of([table_row(clip) for clip in clips])
        shards.append({**index["shards"][0], "name": tar, **counts, "table": table})
    index["splits"] = {"train": [clip_key("bench", n) for n in range(settings.clips)], "val": []}
    index |= {"num_clips": settings.clips, "shards": shards}
    (root / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    return root


def decode_plain(jpeg: bytes, png: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The plain decoders, out of memory: OpenCV for the picture and Pillow for the ids."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    with Image.open(io.BytesIO(png)) as image:
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.array(image)


def print_speed(small: Corpus, large: Corpus, settings: Settings) -> None:
    """Decode the same triplets out of memory, by random access in the large corpus, and out of whole clips."""
    order = EpochOrder([len(large.clips)], [1.0], seed=0)
    keys = [large.clips[order.place(number).item].key for number in range(settings.triplets)]
    stored = []
    for number, key in enumerate(keys):
        frames = draw_frames(np.random.default_rng(number), settings.frames, MAX_JUMP)
        stored.append([(large.read_jpeg(key, t), large.read_ids_png(key, t)) for t in frames])

    def limit() -> list:
        return [[decode_plain(*frame) for frame in triplet] for triplet in stored]

    def random_access() -> list:
        decoded = []
        for number in range(settings.triplets):
            key = large.clips[order.place(number).item].key
            decoded.append(read_triplet(np.random.default_rng(number), large, key, MAX_JUMP)[1])
        return decoded

    def whole_clips() -> None:
        for number in range(settings.triplets):
            if number % settings.samples_per_clip == 0:
                clip = FetchedClip(small, small.clips[number // settings.samples_per_clip % SMALL_CLIPS].key)
            read_triplet(np.random.default_rng(number), clip, clip.key, MAX_JUMP)

    for ours, expected in zip(random_access(), limit(), strict=True):
        for (rgb, ids), (plain_rgb, plain_ids) in zip(ours, expected, strict=True):
            if not (np.array_equal(rgb, plain_rgb) and np.array_equal(ids, plain_ids)):
                raise RuntimeError("the reader gives other frames than the plain decoders")
    del ours, expected
    seconds = least_seconds([limit, random_access, whole_clips], settings.repeats)
    fetching = least_seconds(
        [lambda: fetch_all(small), lambda: list(stream_clips(small.root, "all"))], settings.repeats
    )
    sizes = [sum(len(part) for frame in triplet for part in frame) / 3 for triplet in stored]
    clip = large.clips[0]
    print(f"{clip.width}x{clip.height}, {np.mean(sizes) / 1000:.0f} kB a frame, one core, decoded triplets a second:")
    names = ("pure decode limit", "random access", f"whole clips, {settings.samples_per_clip} triplets each")
    for name, value in zip(names, seconds, strict=True):
        print(f"  {name}: {settings.triplets / value:.1f}, {seconds[0] / value:.3f} of the limit")
    for name, value in zip(("one read", "through webdataset"), fetching, strict=True):
        print(f"  a whole clip by {name}, not decoded: {1000 * value / len(small.clips):.1f} ms")


def fetch_all(corpus: Corpus) -> None:
    """Read every clip of a corpus by one read each."""
    for clip in corpus.clips:
        FetchedClip(corpus, clip.key)


def least_seconds(functions: list[Callable[[], object]], repeats: int) -> list[float]:
    """Smallest process CPU time of each function, all of them in turn."""
    least = [np.inf] * len(functions)
    for _ in range(repeats):
        for number, function in enumerate(functions):
            start = time.process_time()
            result = function()
            least[number] = min(least[number], time.process_time() - start)
            del result
    return least


def print_opening(root: Path, settings: Settings) -> None:
    """Open the large corpus in fresh processes."""
    index_bytes = (root / "index.json").stat().st_size
    for also in ("index", "all"):
        runs = []
        for _ in range(3 if also == "index" else 1):
            command = [sys.executable, "-c", OPEN, str(root), also]
            runs.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        best = min(runs, key=lambda run: float(run[2]))
        clips, wall, cpu, imports, megabytes = int(best[0]), *map(float, best[1:4]), int(best[-1]) / 1024
        if also == "index":
            print(
                f"opening {clips} clips of {settings.frames} frames ({index_bytes / 1e6:.1f} MB of index.json): "
                f"{wall:.2f} s, {cpu:.2f} s of CPU (imports {imports:.2f} s of it), {megabytes:.0f} MB resident"
            )
        else:
            print(f"  and all manifests after that: {float(best[4]):.1f} s of CPU, {megabytes:.0f} MB resident")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
