"""Still images as a part of a mixture: each sample is a sequence composed on the fly, in the process of the loader."""

import numpy as np

from ..compositing.sequence import StillSequence, sample_sequence
from ..compositing.settings import SequenceSettings
from ..compositing.stills import StillSource
from ..corpus.shards import DamagedFile
from .parts import Draw


class StillPart:
    """Stills of a source, as sequences with the frames and labels of a triplet.

    Items are the stills; see `SequenceSettings` for what is drawn. backgrounds: pictures to lay objects over, where the
    settings ask for it. The curriculum of the jump does not touch them.
    """

    def __init__(
        self,
        source: StillSource,
        *,
        settings: SequenceSettings,
        weight: float = 1.0,
        backgrounds: StillSource | None = None,
    ) -> None:
        self.source, self.settings, self.weight, self.backgrounds = source, settings, weight, backgrounds
        self.crop_size, self.num_frames = settings.size, settings.num_frames

    def __len__(self) -> int:
        return len(self.source)

    def sample(self, rng: np.random.Generator, item: int, max_jump: int) -> StillSequence:
        """Compose a sequence of a still; DamagedFile names a still that cannot be read."""
        try:
            return sample_sequence(rng, self.source, item, self.settings, self.backgrounds)
        except (ValueError, FileNotFoundError) as error:
            raise DamagedFile(str(error), self.source.name(item)) from error

    def fetch(self, item: int) -> Draw:
        """Return `sample` for one still; reading it again costs no more than keeping it."""
        return lambda rng, max_jump: self.sample(rng, item, max_jump)
