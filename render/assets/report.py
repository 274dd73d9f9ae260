"""What a scan found, as tables for people and as a record for programs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from .pool import KINDS, AssetPool


def tables(pool: AssetPool, is_whole: bool = False) -> list[Any]:
    """Rich tables and lines: the assets (all of them, or the quarantined ones), counts by kind and split, licences."""
    from rich.table import Table

    found: list[Any] = []
    if is_whole:
        listing = Table("asset", "kind", "split", "faces", "parts", "size", "brings", "licence", title="usable")
        for asset in pool.assets:
            if not asset.reason:
                size = " x ".join(f"{side:.3g}" for side in asset.bounds)
                counts = (str(asset.faces or ""), str(asset.num_parts or ""))
                listing.add_row(
                    asset.name, asset.kind, pool.split(asset), *counts, size, ", ".join(_brings(asset)), asset.licence
                )
        found.append(listing)
    if pool.quarantined():
        broken = Table("asset", "kind", "reason", title="quarantined")
        for asset in pool.quarantined():
            broken.add_row(asset.name, asset.kind, asset.reason)
        found.append(broken)
    counts = Table("kind", "usable", "split", "quarantined", "licences", title="counts")
    for kind, row in _counts(pool).items():
        licences = ", ".join(f"{name} ({number})" for name, number in row["licences"].items())
        split = f"{row['train']} train, {row['val']} val" if row["val"] else "both"
        counts.add_row(kind, str(row["usable"]), split if row["usable"] else "", str(row["quarantined"]), licences)
    found.append(counts)
    return found


def as_record(pool: AssetPool) -> dict[str, Any]:
    """{"assets": [every field of an Asset, and its split], "counts": {kind: numbers and licences}, "fingerprint"}."""
    return {
        "assets": [dataclasses.asdict(asset) | {"split": pool.split(asset)} for asset in pool.assets],
        "counts": _counts(pool),
        "val_share": pool.val_share,
        "fingerprint": pool.fingerprint(),
    }


def _counts(pool: AssetPool) -> dict[str, dict[str, Any]]:
    counts = {}
    for kind in KINDS:
        usable = pool.usable(kind)
        splits = Counter(pool.split(asset) for asset in usable)
        counts[kind] = {
            "usable": len(usable),
            "train": splits["train"],
            "val": splits["val"],
            "quarantined": sum(asset.kind == kind and bool(asset.reason) for asset in pool.assets),
            "licences": dict(Counter(asset.licence for asset in usable).most_common()),
        }
    return counts


def _brings(asset: Any) -> list[str]:
    """What an asset brings beside its shape, in words."""
    brought = [name for name in ("textured", "rigged", "animated") if getattr(asset, name)]
    return brought + [kind for kind, _ in asset.maps]
