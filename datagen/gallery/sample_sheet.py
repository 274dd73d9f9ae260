"""One sheet of samples of a kind, drawn from the clips of a corpus; a pure function of the corpus and the seed."""

import numpy as np

from ..corpus.reader import Corpus
from ..corpus.records import IGNORE_ID
from ..imaging.sheet import Row, draw_sheet

KINDS = ("triplets", "sequences", "scribbles", "robot", "clicks", "mask-errors")
_MIN_AREA = 400
_FRAME_TRIALS = 20


def sample_sheet(corpus: Corpus, kind: str, num_rows: int, seed: int, cell_width: int = 240) -> np.ndarray:
    """Return a sheet of `num_rows` samples, uint8 (H, W, 3), RGB; row r depends on (seed, r) and the corpus alone.

    kind: one of `KINDS`. ValueError for another kind, or for a corpus that has no clip for it.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, it must be one of {', '.join(KINDS)}")
    rngs = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(row,))) for row in range(num_rows)]
    rows = [_row(rng, corpus, kind, number) for number, rng in enumerate(rngs)]
    return draw_sheet(f"{corpus.index['name']}   {kind}", f"seed {seed}", rows, cell_width)


def _row(rng: np.random.Generator, corpus: Corpus, kind: str, number: int) -> Row:
    if kind == "triplets":
        return _triplet_row(rng, corpus, number)
    if kind == "sequences":
        return _sequence_row(rng, corpus, number)
    return _user_row(rng, corpus, kind, number)


def _triplet_row(rng: np.random.Generator, corpus: Corpus, number: int) -> Row:
    from ..samples.triplets import MIN_FRAMES
    from .sequences import triplet_row

    keys = [clip.key for clip in corpus.clips if corpus.num_annotated(clip.key) >= MIN_FRAMES]
    if not keys:
        raise ValueError(f"{corpus.root} has no clip of {MIN_FRAMES} annotated frames; give a corpus of videos")
    return triplet_row(rng, corpus, keys[int(rng.integers(len(keys)))], max_jump=5 * (1 + number % 5))


def _sequence_row(rng: np.random.Generator, corpus: Corpus, number: int) -> Row:
    from ..compositing.stills import CorpusStills
    from .sequences import SHOWN_SETTINGS, still_row

    stills = CorpusStills(corpus, "all")
    facts, settings = SHOWN_SETTINGS[number % len(SHOWN_SETTINGS)]
    return still_row(rng, stills, int(rng.integers(len(stills))), settings, facts)


def _user_row(rng: np.random.Generator, corpus: Corpus, kind: str, number: int) -> Row:
    from . import users

    draw = {
        "scribbles": users.scribble_cells,
        "robot": users.robot_cells,
        "clicks": users.click_cells,
        "mask-errors": users.mask_error_cells,
    }[kind]
    for _ in range(_FRAME_TRIALS):
        clip = corpus.clips[int(rng.integers(len(corpus.clips)))]
        frames = corpus.annotated_frames(clip.key)
        if not len(frames):
            continue
        t = int(frames[rng.integers(len(frames))])
        rgb, ids = corpus.read_frame(clip.key, t)
        areas = np.bincount(ids.ravel(), minlength=256)
        areas[[0, IGNORE_ID]] = 0
        usable = np.flatnonzero(areas >= _MIN_AREA)
        if len(usable):
            chosen = int(usable[rng.integers(len(usable))])
            others = [ids == other for other in np.flatnonzero(areas) if other != chosen]
            cells = draw(rng, rgb, ids == chosen, others)
            return Row(name=clip.key, facts=f"frame {t}, object {chosen}", cells=cells)
    raise ValueError(f"{corpus.root} has no object of {_MIN_AREA} pixels in {_FRAME_TRIALS} frames that were drawn")
