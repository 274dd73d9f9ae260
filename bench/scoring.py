"""How long J and F of one object in one frame take, against the official definitions written plainly.

Truth and prediction are 480p id masks: frame t and frame t + 3 of the same sequence of a folder of palette PNGs
(--masks, such as DAVIS/Annotations/480p), or else made up. Reading PNGs is not counted. All sides score the same
frames, take turns, and the smallest of the repeats counts, in process CPU time of one thread. Values are compared to
1e-9 before they are timed. --official FOLDER, with the package davis2017 of the published evaluation in it, times that
too.

    python bench/scoring.py [--masks DAVIS/Annotations/480p] [--official FOLDER] [--frames 20] [--repeats 5]
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from plain_scores import plain_measures
from vosforge.datagen.imaging.images import decode_ids
from vosforge.train.evaluation.metrics import measures

STEP = 3
FRAMES_PER_SEQUENCE = 2
Frame = tuple[str, np.ndarray, np.ndarray, list[int]]
"""Name, truth and prediction, uint8 ids (H, W), and the ids of the truth."""


def main() -> None:
    """Check the values, time all sides and print milliseconds for each object of a frame, and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=Path, help="folder with a folder of palette PNGs for each sequence")
    parser.add_argument("--official", type=Path, help="checkout of the published DAVIS 2017 evaluation")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    sides = {"ours": measures, "plain": plain_measures}
    if arguments.official:
        sides["official"] = official_measures(arguments.official)
    frames = list(itertools.islice(read_pairs(arguments.masks) if arguments.masks else made_up(), arguments.frames))
    num_objects = sum(len(ids) for *_, ids in frames)
    totals = dict.fromkeys(sides, 0.0)
    for frame in frames:
        check(frame, sides)
        for name, seconds in smallest_seconds(frame, sides, arguments.repeats).items():
            totals[name] += seconds
    print(f"{len(frames)} frames, {num_objects} objects in them, first {frames[0][1].shape[1]}x{frames[0][1].shape[0]}")
    for name, seconds in totals.items():
        ratio = f"ours is {seconds / totals['ours']:.1f}x as fast" if name != "ours" else ""
        print(f"{name:>10} {1000 * seconds / num_objects:7.3f} ms an object and frame   {ratio}")


def check(frame: Frame, sides: dict[str, Callable]) -> None:
    """Raise ValueError when two sides differ."""
    name, truth, prediction, ids = frame
    ours = measures(truth, prediction, ids)
    for side, measure in sides.items():
        found = measure(truth, prediction, ids)
        if not all(np.allclose(ours[i], found[i], rtol=0, atol=1e-9) for i in ids):
            raise ValueError(f"{name}: ours gives {ours}, {side} {found}")


def smallest_seconds(frame: Frame, sides: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Side -> CPU seconds for all objects of the frame."""
    _, truth, prediction, ids = frame
    smallest = dict.fromkeys(sides, float("inf"))
    for _ in range(repeats):
        for name, measure in sides.items():
            started = time.process_time()
            measure(truth, prediction, ids)
            smallest[name] = min(smallest[name], time.process_time() - started)
    return smallest


def official_measures(folder: Path) -> Callable[[np.ndarray, np.ndarray, list[int]], dict[int, tuple[float, float]]]:
    """The published functions as they are called by their own evaluation: the masks of an object over its frames."""
    if not (folder / "davis2017" / "metrics.py").is_file():
        sys.exit(f"--official {folder} has no davis2017/metrics.py; give a checkout of davis2017-evaluation")
    sys.path.insert(0, str(folder))
    from davis2017.metrics import db_eval_boundary, db_eval_iou

    def measure(truth: np.ndarray, prediction: np.ndarray, ids: list[int]) -> dict[int, tuple[float, float]]:
        found = {}
        for i in ids:
            masks = (truth == i)[None], (prediction == i)[None]
            found[i] = (float(db_eval_iou(*masks)[0]), float(db_eval_boundary(*masks)[0]))
        return found

    return measure


def read_pairs(folder: Path) -> Iterator[Frame]:
    """The first pairs of every sequence, evenly spaced."""
    for sequence in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = sorted(sequence.glob("*.png"))
        for first in np.linspace(0, len(paths) - STEP - 1, FRAMES_PER_SEQUENCE).astype(int):
            truth, prediction = (decode_ids(paths[k].read_bytes(), grey="binary") for k in (first, first + STEP))
            ids = [int(i) for i in np.unique(truth) if 0 < i < 255]
            if ids:
                yield f"{sequence.name}, {paths[first].stem}", truth, prediction, ids


def made_up() -> Iterator[Frame]:
    """Two objects of uneven outline of 854x480, the smaller in front, and their prediction a few pixels off."""
    rng = np.random.default_rng(0)
    for number in itertools.count():
        truth = np.zeros((480, 854), np.uint8)
        for i, share in ((1, 0.85), (2, 0.96)):
            noise = cv2.GaussianBlur(rng.standard_normal(truth.shape), (0, 0), 40)
            noise += 0.004 * cv2.GaussianBlur(rng.standard_normal(truth.shape), (0, 0), 3)
            truth[noise > np.quantile(noise, share)] = i
        prediction = np.roll(truth, rng.integers(-9, 10, 2), axis=(0, 1))
        yield f"made up {number}", truth, prediction, [1, 2]


if __name__ == "__main__":
    main()
