"""The asset ledger: every file with its licence and verdict, and every procedural asset that was used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pool import Asset, AssetPool


def ledger_rows(pool: AssetPool, used: Iterable[str]) -> list[dict[str, str]]:
    """Rows of assets.csv: {"asset", "kind", "status", "split", "reason", "sha256", "source", "licence"}.

    used: names of assets that clips show. status: used, unused, quarantined (broken, with the reason) or poisoned
    (passed over because it brought Blender down too often). split: train, val or both.
    """
    used = set(used)
    rows = [_row(pool, asset, used) for asset in pool.assets]
    for name in sorted(name for name in used if name.startswith("procedural/")):
        rows.append(
            {
                "asset": name,
                "kind": name.split("/")[1],
                "status": "used",
                "split": "",
                "reason": "",
                "sha256": "",
                "source": "vosforge procedural set",
                "licence": "Apache-2.0",
            }
        )
    return rows


def _row(pool: AssetPool, asset: Asset, used: set[str]) -> dict[str, str]:
    if asset.reason:
        status = "quarantined"
    elif asset.name in used:
        status = "used"
    else:
        status = "poisoned" if asset.name in pool.poisoned else "unused"
    return {
        "asset": asset.name,
        "kind": asset.kind,
        "status": status,
        "split": "" if asset.reason else pool.split(asset),
        "reason": asset.reason,
        "sha256": asset.sha256,
        "source": asset.source,
        "licence": asset.licence,
    }
