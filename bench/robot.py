"""How many frames of strokes the DAVIS robot draws in a second, against the official method written plainly.

The frame is 480p with two ids: a true object and a prediction of it that is off, from masks of DAVIS where there are
any (--davis ROOT, the first and the tenth frame of each sequence) or else made up. Sides take turns on each frame and
the smallest of the repeats counts, in process CPU time of one thread. Before timing, the strokes of the medial axis are
compared with the peer's under equal generators.

    python bench/robot.py [--davis shared/data/davis] [--repeats 5] [--frames 6]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from plain_robot import plain_strokes
from vosforge.datagen.simulation.robot.robot import S2M_ROBOT, RobotSettings, robot_strokes

SIDES = {
    "medial axis": RobotSettings(),
    "thinning": RobotSettings(method="thinning"),
    "thinning, all pixels": RobotSettings(method="thinning", reduction=1),
    "S2M's": S2M_ROBOT,
}
IDS = [0, 1]


def main() -> None:
    """Check the strokes, time all sides and print frames a second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--davis", type=Path, help="root of DAVIS, with Annotations/480p")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pairs = davis_pairs(arguments.davis) if arguments.davis else made_up_pairs()
    seconds = []
    for name, true_ids, predicted_ids in list(pairs)[: arguments.frames]:
        largest, num_strokes = check(true_ids, predicted_ids)
        works = [lambda ids=(true_ids, predicted_ids): plain_strokes(np.random.default_rng(0), *ids, IDS)]
        works += [
            lambda ids=(true_ids, predicted_ids), robot=robot: robot_strokes(np.random.default_rng(0), *ids, IDS, robot)
            for robot in SIDES.values()
        ]
        seconds.append(smallest_cpu_seconds(works, arguments.repeats))
        row = " ".join(f"{1000 * value:7.1f}" for value in seconds[-1])
        print(f"{name:>24}: {num_strokes:3d} strokes, farthest {largest:.0e} px; ms: {row}", flush=True)
    peer, *ours = np.mean(seconds, axis=0)
    print(f"{'official method, plain':>24} {1 / peer:8.1f} frames/s")
    for name, value in zip(SIDES, ours, strict=True):
        print(f"{name:>24} {1 / value:8.1f} frames/s   {peer / value:5.1f}x")


def check(true_ids: np.ndarray, predicted_ids: np.ndarray) -> tuple[float, int]:
    """Return the largest distance in pixels between both sides' strokes, and how many there are."""
    expected = plain_strokes(np.random.default_rng(0), true_ids, predicted_ids, IDS)
    strokes = robot_strokes(np.random.default_rng(0), true_ids, predicted_ids, IDS)
    if [object_id for object_id, _ in expected] != [stroke.object_id for stroke in strokes]:
        raise SystemExit("the strokes of both sides differ in number or ids: the comparison is void")
    size = true_ids.shape[::-1]
    largest = max((np.abs(path - s.path).max() * max(size) for (_, path), s in zip(expected, strokes, strict=True)))
    if largest > 1e-3:
        raise SystemExit(f"strokes differ by {largest} px: the comparison is void")
    return largest, len(strokes)


def davis_pairs(root: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each sequence's first mask, predicted as empty, and its tenth, predicted as the first."""
    for folder in sorted((root / "Annotations" / "480p").iterdir()):
        first, tenth = ((np.array(Image.open(path).convert("L")) > 127) for path in sorted(folder.iterdir())[0:10:9])
        yield f"{folder.name} 10 from 1", tenth.astype(np.uint8), first.astype(np.uint8)
        yield f"{folder.name} 1 from none", first.astype(np.uint8), np.zeros(first.shape, np.uint8)


def made_up_pairs() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Wobbly discs of some size, and a shifted copy of each as prediction."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
        waves = sum(rng.uniform(0, 0.3) / k * np.sin(k * angle + rng.uniform(0, 7)) for k in range(2, 9))
        radius = rng.uniform(80, 180) * (1 + waves)
        outline = np.stack([427 + radius * np.cos(angle), 240 + radius * np.sin(angle)], axis=1).round().astype(int)
        ids = cv2.fillPoly(np.zeros((480, 854), np.uint8), [outline], 1)
        yield f"disc {seed}", ids, np.roll(ids, rng.integers(-30, 31, 2), (0, 1))


def smallest_cpu_seconds(works: list[Callable[[], object]], num_repeats: int) -> list[float]:
    """CPU seconds of each piece of work, the smallest of the repeats, which go round the pieces."""
    rows = []
    for _ in range(num_repeats):
        rows.append([])
        for work in works:
            start = time.process_time()
            work()
            rows[-1].append(time.process_time() - start)
    return np.min(rows, axis=0).tolist()


if __name__ == "__main__":
    main()
