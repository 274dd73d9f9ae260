"""What a score measures, as plain data: only scores of one measure are compared."""

from collections.abc import Mapping
from typing import Any


def same_measure(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two scores can be compared; what is not told, as in older checkpoints, is taken for the same.

    The place does not count: the same videos may lie elsewhere now.
    """
    return not one or not other or _without_place(one) == _without_place(other)


def in_words(measured: Mapping[str, Any]) -> str:
    """Such as "J&F on /data/six=val (0a1b2c3d), max_sequences 8": a digest in short, no limits that are None."""
    named = ("metric", "place", "split", "digest")
    where = f" on {measured['place']}={measured['split']} ({measured['digest'][:8]})" if "place" in measured else ""
    limits = [f"{name} {value}" for name, value in measured.items() if name not in named and value is not None]
    return ", ".join([f"{measured['metric']}{where}", *limits])


def _without_place(measured: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in measured.items() if name != "place"}
