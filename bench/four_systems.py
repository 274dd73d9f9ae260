"""The four systems, each trained for the same time with several seeds, then played and clicked side by side.

Run: python bench/four_systems.py --data out/real=4 --data out/plus=4 --data out/wide \
         --fusion-clips out/real --fusion-clips out/plus --root out/real --root DAVIS --out out/compare

Each system is trained for about 40 minutes of one CPU core with each seed, in bfloat16 (`bench/training.py --threads 1
--precision bf16` gives the seconds of a step), or with `--short` for about 16, MiVOS's making of fusion data included.
The seed is that of training and of the robot. Everything resumes: the same command again goes on where it stopped.
Hours of work, so it is not in `make bench`.
Folders: OUT/seed1/STAGE, OUT/seed1/interactive-ROOT, OUT/seed1/clicks-ROOT, OUT/seed1/logs.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro


@dataclass(frozen=True)
class Training:
    """One run: its stage, its steps and those of `--short`, whose weights it starts from, and whose stay beside it."""

    stage: str
    steps: int
    short_steps: int
    init: str | None = None
    companion: str | None = None


SHORT_CROP = 128
PROPAGATION, CLICKNET = "propagation-rendered-mini", "clicknet-mini"
PROGRAMMES = {
    "ipn": (Training("ipn-stills-mini", 1700, 561), Training("ipn-clips-mini", 530, 175, init="ipn-stills-mini")),
    "atnet": (Training("atnet-a-mini", 2000, 880), Training("atnet-t-mini", 590, 260, init="atnet-a-mini")),
    "mivos": (
        Training("s2m-mini", 1600, 528),
        Training("propagation-static-mini", 700, 231),
        Training(PROPAGATION, 600, 198, init="propagation-static-mini"),
        Training("fusion-rendered-mini", 800, 264, companion=PROPAGATION),
    ),
    "wild": (
        Training(CLICKNET, 2000, 1480),
        Training("clicknet-mask-mini", 1300, 965, init=CLICKNET, companion=CLICKNET),
        Training("osvos-parent-mini", 1950, 1450),
    ),
}
CHECKPOINTS = {
    "s2m": "s2m-mini",
    "propagation": PROPAGATION,
    "fusion": "fusion-rendered-mini",
    "ipn": "ipn-clips-mini",
    "atnet": "atnet-t-mini",
    "clicknet": "clicknet-mask-mini",
    "osvos": "osvos-parent-mini",
}
"""Option of `vosforge-eval interactive` -> the stage whose last checkpoint it is given."""
PLAYED = {"difference": "MiVOS", "ipn": "IPN", "atnet": "ATNet", "wild": "Click network and OSVOS"}
UNTRAINED = {"flow": "GrabCut, carried by DIS flow", "copy": "GrabCut, copied"}
"""Played and, as GrabCut's clicks, measured with the first seed alone: nothing in them is learnt."""
CLICKED = {"mivos": "MiVOS (S2M)", "ipn": "IPN", "atnet": "ATNet", "wild": "Click network", "grabcut": "GrabCut"}
CLICK_STRATEGY = "farthest-point"
ROWS_OF = {"interactive": "systems", "clicks": "methods"}
"""Command -> the key of its rows in results.json."""
CLICK_STAGES = {"mivos": "s2m", "ipn": "ipn", "atnet": "atnet", "wild": "clicknet"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is trained on, and where it is measured."""

    data: tyro.conf.UseAppendAction[tuple[str, ...]]
    """Corpora of clips, as `vosforge-train run --data` takes them."""
    fusion_clips: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """Corpora whose clips give the fusion data."""
    root: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """DAVIS tree, or a corpus of which the val split is measured."""
    out: Path
    seeds: tuple[int, ...] = (1, 2, 3)
    short: bool = False
    """Train less, on crops of 128 pixels instead of the stages' own 160 or 192."""
    lanes: int = 2
    """Commands at once, a thread each."""
    short_side: int = 192
    """Pixels of the networks' input in the evaluation."""
    scribble_sets: int = 1
    """Sessions of each sequence in `interactive`."""
    tuning_iterations: int = 100
    """Updates of OSVOS for each object and round, where 500 are published."""
    frames_per_sequence: int = 4
    """Frames of each sequence in `clicks`."""


def main(settings: Settings) -> None:
    """Train all systems with each seed, evaluate them, and print the tables."""
    jobs: list[Future[None]] = []
    behind: list[tuple[Any, ...]] = []
    with ThreadPoolExecutor(settings.lanes) as pool:
        for seed in settings.seeds:
            training = [pool.submit(train_system, settings, seed, system) for system in PROGRAMMES]
            # A seed is evaluated after the next seed's training has begun, so that no lane waits for it.
            jobs += [*training, *(pool.submit(evaluate, *one) for one in behind)]
            places = [(root, command) for command in ROWS_OF for root in settings.root]
            behind = [(settings, seed, root, command, training) for root, command in places]
        jobs += [pool.submit(evaluate, *one) for one in behind]
        done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    for job in done:
        job.result()
    for root in settings.root:
        print(f"\n{root.name}, {len(settings.seeds)} seeds\n")
        print_table(settings, root, "interactive", PLAYED | UNTRAINED, interactive_columns)
        print()
        print_table(settings, root, "clicks", CLICKED, clicks_columns)


def train_system(settings: Settings, seed: int, system: str) -> None:
    """Run the stages of a system, one after the other."""
    folder = settings.out / f"seed{seed}"
    for training in PROGRAMMES[system]:
        data = [part for corpus in settings.data for part in ("--data", corpus)]
        if training.stage.startswith("fusion"):
            data = [part for corpus in make_fusion_data(settings, seed) for part in ("--data", str(corpus))]
        steps = training.short_steps if settings.short else training.steps
        command = ["run", training.stage, *data, "--steps", str(steps), "--seed", str(seed)]
        command += ["--crop-size", str(SHORT_CROP)] if settings.short else []
        command += ["--precision", "bf16", "--num-workers", "1", "--out", str(folder / training.stage)]
        for option, stage in (("--init", training.init), ("--companion", training.companion)):
            command += [option, str(last_checkpoint(folder, stage))] if stage else []
        call("vosforge.train.cli", command, folder / "logs" / f"{training.stage}.log", threads=1)


def make_fusion_data(settings: Settings, seed: int) -> list[Path]:
    """Carry masks over the clips with the seed's propagation network; return the corpora."""
    folder = settings.out / f"seed{seed}"
    made = []
    for clips in settings.fusion_clips:
        made.append(folder / f"fusion_{clips.name}")
        command = ["fusion-data", "--checkpoint", str(last_checkpoint(folder, PROPAGATION)), "--data", str(clips)]
        command += ["--name", f"fusion-{clips.name}", "--out", str(made[-1]), "--separation", "12"]
        command += ["--memory-every", "20", "--reach", "24", "--short-side", "160", "--workers", "1"]
        call("vosforge.train.cli", command, folder / "logs" / f"{made[-1].name}.log", threads=1)
    return made


def evaluate(settings: Settings, seed: int, root: Path, command: str, training: Sequence[Future[None]]) -> None:
    """Play or click one place with the networks of a seed, when their training has ended."""
    for job in training:
        job.result()
    folder = settings.out / f"seed{seed}"
    name = f"{command}-{root.name}"
    checkpoints = {option: str(last_checkpoint(folder, stage)) for option, stage in CHECKPOINTS.items()}
    arguments = [command, "--root", str(root), "--short-side", str(settings.short_side), "--seed", str(seed)]
    first = seed == settings.seeds[0]
    if command == "interactive":
        systems = PLAYED | UNTRAINED if first else PLAYED
        arguments += ["--systems", ",".join(systems), "--scribble-sets", str(settings.scribble_sets)]
        arguments += [part for option, path in checkpoints.items() for part in (f"--{option}", path)]
        arguments += ["--tuning-iterations", str(settings.tuning_iterations)]
    else:
        arguments += ["--strategies", CLICK_STRATEGY, "--frames-per-sequence", str(settings.frames_per_sequence)]
        arguments += [] if first else ["--no-grabcut"]
        for label, option in CLICK_STAGES.items():
            arguments += ["--checkpoint", f"{label}={checkpoints[option]}"]
    arguments += ["--out", str(folder / name)]
    call("vosforge.train.evaluation.cli", arguments, folder / "logs" / f"{name}.log", threads=1)


def call(module: str, arguments: Sequence[str], log: Path, threads: int | None = None) -> None:
    """Run a command of vosforge, its output into `log`; SystemExit with what it said where it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    print(f"{log.parent.parent.name}: {' '.join(arguments[:2])}; {log}", flush=True)
    with log.open("a") as file:
        command = [sys.executable, "-m", module, *arguments]
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment).returncode
    if code:
        said = "\n".join(log.read_text().splitlines()[-5:])
        raise SystemExit(f"{' '.join(arguments)}\nended with {code}; the end of {log}:\n{said}")


def last_checkpoint(folder: Path, stage: str) -> Path:
    return folder / stage / "checkpoints" / "last.pt"


def interactive_columns(found: dict[str, Any], label: str) -> dict[str, float]:
    """Column -> value of one system in one `results.json`."""
    system = found["systems"][label]
    # The curve begins at time 0 and keeps its last value to the end of the time given.
    rounds = system["by_metric"]["J_AND_F"]["curve"]["J_AND_F"][1:-1]
    columns = {f"J&F after {number}": rounds[number - 1] for number in (1, 3, 8)}
    columns["J after 8"] = system["by_metric"]["J"]["curve"]["J"][-1]
    return columns | {"AUC": system["auc"], "s a round": system["seconds_per_round"]}


def clicks_columns(found: dict[str, Any], label: str) -> dict[str, float]:
    """Column -> value of one method in one `results.json`."""
    scores = found["methods"][label]["strategies"][CLICK_STRATEGY]
    columns = {name: scores[name] for name in ("NoC@85", "NoC@90", "NoF@90")}
    columns |= {f"IoU@{number}": scores["mIoU"][number - 1] for number in (1, 5, 20)}
    return columns | {"s a click": scores["seconds_per_click"]}


def print_table(
    settings: Settings,
    root: Path,
    command: str,
    rows: dict[str, str],
    columns_of: Callable[[dict[str, Any], str], dict[str, float]],
) -> None:
    """Print mean and standard deviation over the seeds (of a sample; none for one seed) as a Markdown table."""
    files = [settings.out / f"seed{seed}" / f"{command}-{root.name}" / "results.json" for seed in settings.seeds]
    results = [json.loads(file.read_text()) for file in files]
    for number, (label, title) in enumerate(rows.items()):
        columns = [columns_of(found, label) for found in results if label in found[ROWS_OF[command]]]
        if not number:
            print(f"| {command} | {' | '.join(columns[0])} |\n|{'---|' * (1 + len(columns[0]))}")
        print(f"| {title} | {' | '.join(spread([one[name] for one in columns]) for name in columns[0])} |")


def spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return f"{mean} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else mean


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
