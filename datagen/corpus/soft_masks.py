"""Soft masks in a corpus: what a propagation network made of the true masks of a reference frame, in other frames.

The published layout (MiVOS, `generate_fusion.py`) has a file for each reference frame, object and frame; here they are
members of the tar of the pass "fusion". Labels are the ids of the clip, never positions in a list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SUFFIX = "soft.png"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A frame whose true masks of the objects `object_ids` were carried to the frames first..last, both included.

    There is no member for the frame itself: its masks are the true ones.
    """

    frame: int
    object_ids: tuple[int, ...]
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.frame <= self.last or not self.object_ids:
            raise ValueError(
                f"reference frame {self.frame} with the objects {list(self.object_ids)} and the frames {self.first} to "
                f"{self.last}: it must lie within its frames and have an object"
            )

    def frames(self) -> list[int]:
        """The frames that its masks were carried to, ascending."""
        return [t for t in range(self.first, self.last + 1) if t != self.frame]

    def as_json(self) -> dict[str, Any]:
        """What the metadata of the clip says of it."""
        return {"frame": self.frame, "object_ids": list(self.object_ids), "first": self.first, "last": self.last}


def references_of(metadata: Mapping[str, Any]) -> list[Reference]:
    """Return the references that the metadata of a clip lists; ValueError when they are not listed as they must be."""
    try:
        return [
            Reference(**{**entry, "object_ids": tuple(entry["object_ids"])})
            for entry in metadata["fusion"]["references"]
        ]
    except (KeyError, TypeError) as error:
        key = metadata.get("key")
        raise ValueError(f'the metadata of clip {key} lists no references in "fusion" ({error!r})') from error


def soft_mask_name(key: str, reference: int, object_id: int, t: int) -> str:
    """Return the member name of an object's mask in frame t, carried from frame `reference`."""
    return f"{key}.{reference:05d}.{object_id:05d}.{t:05d}.{SUFFIX}"


def split_soft_mask_name(name: str) -> tuple[int, int, int]:
    """Return (reference, object id, frame) of a name that `soft_mask_name` made."""
    _, reference, object_id, t, _, _ = name.split(".")
    return int(reference), int(object_id), int(t)


def soft_mask_members(key: str, references: Sequence[Reference]) -> Iterator[str]:
    """Yield the member names of a clip in tar order: by reference, object and frame."""
    for reference in references:
        for object_id in reference.object_ids:
            for t in reference.frames():
                yield soft_mask_name(key, reference.frame, object_id, t)


def expected_soft_masks(key: str, metadata: Mapping[str, Any]) -> list[str]:
    """Return the member names that the metadata of a clip demands; raises as `references_of`."""
    return list(soft_mask_members(key, references_of(metadata)))
