"""The texts beside the shards: the dataset card README.md and the ledger assets.csv."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..corpus.reader import Corpus

ASSET_COLUMNS = ("asset", "kind", "status", "split", "reason", "sha256", "source", "licence")
_SHOWN_SIZES = 4
ASSET_STATES = ("used", "unused", "quarantined", "poisoned")


def assets_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the ledger as CSV text, sorted by kind and asset; ValueError for an unknown column or status."""
    output = io.StringIO()
    writer = csv.DictWriter(output, ASSET_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda row: (row.get("kind", ""), row.get("asset", ""))):
        unknown = sorted(set(row) - set(ASSET_COLUMNS))
        if unknown:
            raise ValueError(
                f"the asset ledger has no column {unknown[0]!r}; its columns are {', '.join(ASSET_COLUMNS)}"
            )
        if row.get("status") not in ASSET_STATES:
            raise ValueError(f"status is {row.get('status')!r}, it must be one of {', '.join(ASSET_STATES)}")
        writer.writerow(row)
    return output.getvalue()


def dataset_card(corpus: "Corpus") -> str:
    """Return the text of README.md for a corpus: what it is, how it was made, counts, shards, assets, licences."""
    index = corpus.index
    sections = [
        f"# {index['name']}",
        _summary(corpus),
        "![contact sheet](preview.jpg)" if corpus.clips else "",
        "## Counts\n\n" + _counts(corpus),
        "## How it was made\n\n" + _settings(index),
        "## Shards\n\n" + _shards(index),
        _passes(index),
        _missing(index),
        "## Assets and licences\n\n" + _assets(corpus),
        "## Format\n\n" + _FORMAT,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(corpus: "Corpus") -> str:
    sizes = Counter((clip.width, clip.height) for clip in corpus.clips)
    shown = ", ".join(f"{width}x{height}" for (width, height), _ in sizes.most_common(_SHOWN_SIZES))
    if len(sizes) > _SHOWN_SIZES:
        shown += f" and {len(sizes) - _SHOWN_SIZES} other sizes"
    frames = sum(clip.num_frames for clip in corpus.clips)
    return (
        f"{len(corpus.clips)} clips, {frames} frames{f' of {shown} pixels' if shown else ''}, with the masks of the "
        "objects: training data for video object segmentation."
    )


def _counts(corpus: "Corpus") -> str:
    rows = []
    for split in ("train", "val"):
        clips = corpus.split(split)
        objects, frames = sum(len(clip.object_ids) for clip in clips), sum(clip.num_frames for clip in clips)
        rows.append((split, len(clips), frames, objects, f"{objects / len(clips):.1f}" if clips else "-"))
    return _table(("split", "clips", "frames", "objects", "objects per clip"), rows)


def _settings(index: Mapping[str, Any]) -> str:
    rows = [(name, index[name]) for name in ("recipe", "seed", "num_clips", "clips_per_shard", "val_every")]
    rows.append(("code version", index["code_version"] or "not recorded"))
    rows += [(name, json.dumps(value)) for name, value in sorted(index["parameters"].items())]
    return _table(("setting", "value"), rows) + (
        "\n\nThe same settings, seed and assets give the same shards, whatever the number of workers. What happened on "
        "the way (rejections, failures, times, hosts) is in `journal/`."
    )


def _shards(index: Mapping[str, Any]) -> str:
    rows = [
        (shard["name"], shard["clips"], shard["frames"], f"{shard['bytes'] / 1e6:.1f}", f"`{shard['sha256'][:16]}`")
        for shard in index["shards"]
    ]
    table = _table(("shard", "clips", "frames", "MB", "SHA-256 starts with"), rows)
    return f"{table}\n\n`vosforge-data verify` compares every byte with `index.json`."


def _passes(index: Mapping[str, Any]) -> str:
    if not index.get("passes"):
        return ""
    rows = []
    for name, entry in index["passes"].items():
        records = [shard["passes"][name] for shard in index["shards"] if name in shard.get("passes", {})]
        size = f"{sum(record['bytes'] for record in records) / 1e6:.1f}"
        members = ", ".join(f"`{member}`" for member in entry["members"])
        scale = f"(count - {entry['zero']:g}) * {entry['scale']:.6g}" if entry["dtype"] != "float32" else "as stored"
        facts = [entry[field] for field in ("shape", "unit", "range", "invalid", "description")]
        rows.append((name, members, entry["dtype"], scale, *facts, size))
    columns = ("pass", "members", "stored as", "value", "shape", "unit", "range", "invalid", "what it is", "MB")
    return (
        "## Passes\n\nEach pass lies in tars of its own, `shards/clips-00000.<pass>.tar`, under the same keys and "
        f"frame numbers as the pictures.\n\n{_table(columns, rows)}"
    )


def _missing(index: Mapping[str, Any]) -> str:
    if not index["missing"]:
        return ""
    rows = [(entry["key"], entry["reason"]) for entry in index["missing"]]
    return (
        f"## Missing clips\n\n{len(rows)} of {index['num_clips']} clips could not be made. The command that made the "
        f"corpus tries them again.\n\n{_table(('clip', 'reason'), rows)}"
    )


def _assets(corpus: "Corpus") -> str:
    if corpus.store.size("assets.csv") is None:
        return "No ledger of assets was written for this corpus."
    rows = list(csv.DictReader(io.StringIO(corpus.store.read_bytes("assets.csv").decode(), newline="")))
    counts = Counter((row["kind"], row["status"], row["licence"] or "not stated") for row in rows)
    table = _table(
        ("kind", "status", "licence", "assets"), [(*group, number) for group, number in sorted(counts.items())]
    )
    return (
        f"{table}\n\n`assets.csv` lists each asset with its hash, source and licence, and why it was left out. The "
        "licences of the assets used apply to this corpus."
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


_FORMAT = """\
* `shards/*.tar`: plain tars that any webdataset reader streams. One sample is one clip: `<key>.00000.jpg` (picture)
  directly followed by `<key>.00000.png` (object ids of that frame, 8-bit palette: 0 background, 1 to 254 objects, 255
  ignore), and so on, then `<key>.json` (each object with its area and box per frame; for rendered clips the camera, for
  packed ones the original names). A frame without masks has no PNG; overlapping instances lie in
  `<key>.00000.instances.json` (COCO RLE) in its place.
* `shards/*.json`: byte offset and size of every member, for random access.
* `index.json`: settings, splits and every shard with its SHA-256; it was written last."""
