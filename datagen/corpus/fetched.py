"""One clip of a corpus, whole in memory: fetched by one read, decoded frame by frame when asked."""

import numpy as np

from .reader import Corpus


class FetchedClip:
    """Serves `sample_triplet` in the place of the corpus, for one clip whose bytes were read at once.

    A clip lies in one piece in its shard, so clips in any order cost no more bytes than whole shards; in an object
    store each is one range request. Raises as `Corpus` does; damaged bytes are found when their frame is read.
    """

    def __init__(self, corpus: Corpus, key: str) -> None:
        self.key, self._corpus = key, corpus
        self._content, self._start = corpus.read_clip(key), corpus.place(key).offset

    def annotated_frames(self, key: str) -> np.ndarray:
        """Return the numbers of the frames that have ids, ascending, int (A,)."""
        return self._corpus.annotated_frames(self._own(key))

    def read_frame(self, key: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rgb uint8 (H, W, 3) and ids uint8 (H, W) of frame t; see `Corpus.read_frame`."""
        return self._corpus.decode_frame(self._own(key), t, self._content, self._start)

    def _own(self, key: str) -> str:
        if key != self.key:
            raise ValueError(f"this is clip {self.key}, not {key}")
        return key
