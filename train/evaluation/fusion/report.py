"""The report of `vosforge-eval fusion` as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..report_page.page import write_page
from ..report_page.parts import Bars, Chart, EvaluationPage, Strip, Table
from .gain import LINEAR, PairScores
from .work import PairResult, main_method

NUM_STRIPS = 10
# Pairs differ in how many frames lie between them: their curves are averaged over shares of the way.
NUM_PLACES = 10


def write_fusion_report(
    path: Path,
    *,
    summary: Mapping[str, Mapping[str, Any]],
    results: Sequence[PairResult],
    facts: Mapping[str, str],
) -> Path:
    """Write the page and return its path; summary: of `summarise_pairs`."""
    pairs = [result.scores for result in results]
    main = main_method(summary)
    # Linear blending is what a network is measured against, so it stands beside it.
    order = [main, *(method for method in summary if method != main)]
    page = EvaluationPage(
        title="Fusion between two interactions",
        summary=(
            f"{len(pairs)} pairs of interactions: two frames are given their true masks, one after the other, and the "
            "frames between them are scored. J is the overlap of the regions, F the agreement of the boundaries."
        ),
        headline={f"J, {method}": f"{summary[method]['J']:.3f}" for method in dict.fromkeys([main, LINEAR])},
        facts=facts,
        tables=_tables(summary, pairs, order),
        curves=[_curve(pairs, order)],
        bars=[_bars(pairs, order, main)],
        strips=_strips(results, main),
    )
    return write_page(path, page)


def pair_mean(pair: PairScores, method: str) -> float:
    """J of a pair, the mean over its objects."""
    return float(np.mean([region for region, _ in pair.scores[method].values()]))


def _tables(summary: Mapping[str, Mapping[str, Any]], pairs: Sequence[PairScores], order: Sequence[str]) -> list[Table]:
    overall = Table(
        name="All objects of all pairs",
        columns=["method", "J", "F", "objects", "J above linear, %", "J below linear, %"],
        rows=[
            [
                method,
                row["J"],
                row["F"],
                row["objects"],
                round(100 * row["better_than_linear"]),
                round(100 * row["worse_than_linear"]),
            ]
            for method, row in summary.items()
        ],
        best={"J": "highest", "F": "highest"},
        note="Above and below linear: the share of the objects whose J a method raises and lowers.",
    )
    each = Table(
        name="J of each pair",
        columns=["sequence", "first", "second", "objects", *order],
        rows=[
            [pair.sequence, pair.first, pair.second, len(pair.scores[LINEAR])]
            + [pair_mean(pair, method) for method in order]
            for pair in pairs
        ],
    )
    return [overall, each]


def _curve(pairs: Sequence[PairScores], order: Sequence[str]) -> Chart:
    lines = {}
    for method in order:
        bins: list[list[float]] = [[] for _ in range(NUM_PLACES)]
        for pair in pairs:
            for t, region in pair.by_frame[method].items():
                share = abs(t - pair.first) / abs(pair.second - pair.first)
                bins[min(int(share * NUM_PLACES), NUM_PLACES - 1)].append(region)
        known = [(k, float(np.mean(values))) for k, values in enumerate(bins) if values]
        lines[method] = ([100 * (k + 0.5) / NUM_PLACES for k, _ in known], [value for _, value in known])
    return Chart(
        name="J between the two interactions",
        x_label="% of the way from the first interaction to the second",
        y_label="J",
        lines=lines,
        from_zero=True,
    )


def _bars(pairs: Sequence[PairScores], order: Sequence[str], main: str) -> Bars:
    means: dict[str, dict[str, float]] = {}
    for method in order:
        by_sequence: dict[str, list[float]] = {}
        for pair in pairs:
            by_sequence.setdefault(pair.sequence, []).append(pair_mean(pair, method))
        means[method] = {name: float(np.mean(values)) for name, values in by_sequence.items()}
    worst_first = sorted(means[main], key=means[main].__getitem__)
    values = {method: {name: found[name] for name in worst_first} for method, found in means.items()}
    return Bars(name="J of each sequence", values=values, top=1.0, note=f"Lowest J of {main} first.")


def _strips(results: Sequence[PairResult], main: str) -> list[Strip]:
    strips = []
    for result in sorted(results, key=lambda result: pair_mean(result.scores, main))[:NUM_STRIPS]:
        pair, t = result.scores, result.worst
        regions = ", ".join(f"{method} {found[t]:.2f}" for method, found in pair.by_frame.items())
        caption = f"frame {t} between {pair.first} and {pair.second}, the worst of {main}; J: {regions}"
        strips.append(Strip(name=pair.sequence, caption=caption, picture=result.picture("worst")))
    return strips
