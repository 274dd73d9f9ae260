"""The command `vosforge-eval interactive`: systems play the DAVIS interactive benchmark against a robot."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..command_options import PropagationOptions, SequenceOptions, check_input_file, check_numbers

if TYPE_CHECKING:
    from rich.console import Console

    from ..sequences import SequenceSet
    from .job import Plan
    from .records import SampleRecord
    from .samples import Sample
    from .systems import System

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Interactive(SequenceOptions, PropagationOptions):
    """Play the DAVIS interactive benchmark: a robot scribbles on the worst frame, each system answers, time counts.

    Finished sessions are kept: the same command goes on where it stopped.
    """

    root: str
    """DAVIS tree (2016 or 2017; first scribbles from its Scribbles folder), YouTube-VOS tree, or the folder or URL of a
    corpus."""
    out: Path
    """Folder for report.html, results.json, and a folder for each system."""
    s2m: Path | None = None
    """Checkpoint of a Scribble-to-Mask network."""
    propagation: Path | None = None
    """Checkpoint of a propagation network."""
    fusion: Path | None = None
    """Checkpoint of a fusion network."""
    ipn: Path | None = None
    """Checkpoint of interaction and propagation networks (Oh et al.)."""
    atnet: Path | None = None
    """Checkpoint of ATNet (Heo et al.)."""
    clicknet: Path | None = None
    """Checkpoint of a click network (Benard and Gygli)."""
    osvos: Path | None = None
    """Checkpoint of OSVOS's parent network, beside the click network."""
    systems: str = "auto"
    """Comma-separated: difference, learned, linear, none, oracle, each also as difference-k20 or -kall for the memory
    cells read; ipn, atnet, wild, each also as ipn-oracle; without networks copy and flow (GrabCut, its mask copied or
    carried by optical flow), oracle-copy, oracle-flow; paper: all rows of MiVOS' tables; auto: what the checkpoints
    allow, and copy."""
    tuning_iterations: int = 500
    """Updates by which OSVOS learns a video, for every object and each time that a frame was corrected."""
    interactions: int = 8
    """Rounds of scribbles in a session."""
    scribble_sets: int = 3
    """Sessions of each sequence, every one with other first scribbles."""
    schedule: Literal["every-round", "three-frames"] = "every-round"
    """Propagate after every round, or only after three rounds on one frame, as MiVOS was evaluated."""
    strokes: Literal["last", "all"] = "last"
    """What a round is given beside the present mask: its own strokes, as published, or all since the propagation."""
    metric: Literal["J", "F", "J_AND_F"] = "J_AND_F"
    """What the curve shows and what makes a frame the worst."""
    clock: Literal["wall", "fixed"] = "wall"
    """Measured time, as the benchmark has it; or the published times of each step, so that results repeat anywhere."""
    seconds_per_object: float = 30
    """What an interaction may take for each object; 0 sets no limit."""
    top_k: int = 50
    """Memory cells each query cell reads, for systems whose name does not say; 0 reads all."""
    seed: int = 0
    """Seed of the robot, and of the first scribbles where the tree has none."""
    overwrite: bool = False
    """Play again what OUT already holds."""
    keep_masks: bool = False
    """Also write the masks after the last round, OUT/SYSTEM/masks/SET/SEQUENCE/00000.png, as `masks` scores them."""
    pictures: int = 3
    """How many of the worst sessions of each system the report shows."""

    def run(self) -> None:
        from ..terminal import console

        evaluate_interactive(self, console())


def evaluate_interactive(command: Interactive, console: Console) -> dict[str, dict[str, Any]]:
    """Play all sessions, write the results and the report, print the table; return the results by system.

    Raises EvaluationError for what the user can mend.
    """
    from ....datagen.storage.files import atomic_write_json
    from ..output_folder import check_output_folder, hold_output_folder, remove_partial_folders
    from .job import masks_of
    from .page import write_report
    from .results import results_table, system_results, write_system
    from .systems import check_systems, parse_systems

    check_output_folder(command.out, command="interactive")
    plan = _plan(command)
    systems = parse_systems(command.systems, list(plan.checkpoints), command.top_k or None)
    plan = _on_machine(plan, command, systems)
    check_systems(systems, plan.checkpoints, plan.inference)
    found = command.open_sequences(from_first=False, sparse=True)
    with hold_output_folder(command.out, "interactive"):
        for system in systems:
            for folder in masks_of(command.out, system.label).glob("*"):
                remove_partial_folders(folder)
        samples = _samples(found, plan, console)
        records = _play(command, plan, systems, found, samples, console)

        results = {label: system_results(played, plan.protocol) for label, played in records.items()}
        for label, played in records.items():
            write_system(command.out / label, label, played, plan.protocol)
        from_files = sum(sample.source == "file" for sample in samples)
        dataset = {
            "root": str(found.root),
            "kind": found.kind,
            "split": found.split,
            "num_sequences": len(found.sequences),
            "num_sessions": len(samples),
            "first_scribbles_from_files": from_files,
        }
        settings = {
            "protocol": asdict(plan.protocol),
            "clock": asdict(plan.clock) if plan.clock else "wall",
            "memory_every": command.memory_every,
            "short_side": command.short_side,
            "device": plan.inference.device,
            "machine": plan.machine,
            "num_workers": plan.num_workers,
            "checkpoints_sha256": dict(plan.checkpoint_hashes),
        }
        atomic_write_json(
            command.out / "results.json",
            {"schema": RESULTS_SCHEMA, "dataset": dataset, "settings": settings, "systems": results},
        )
        write_report(command.out, results, records, plan.protocol, _facts(command, plan, dataset), command.pictures)
        title = f"{found.root}, {found.split}: {len(found.sequences)} sequences, {len(samples)} sessions"
        console.print(results_table(results, plan.protocol, title))
        console.print(f"results in {command.out}: report.html, results.json", highlight=False, soft_wrap=True)
        return results


def _plan(command: Interactive) -> Plan:
    from ....datagen.storage.files import sha256_of_file
    from ..errors import as_evaluation_errors
    from .job import Plan
    from .protocol import FixedClock, ProtocolSettings

    kinds = ("s2m", "propagation", "fusion", "ipn", "atnet", "clicknet", "osvos")
    paths = {kind: getattr(command, kind) for kind in kinds}
    # Absolute: workers may run in another folder.
    checkpoints = {kind: path.absolute() for kind, path in paths.items() if path is not None}
    for kind, path in checkpoints.items():
        check_input_file(path, f"--{kind}")
    check_numbers(("--pictures", command.pictures, 0), ("--tuning-iterations", command.tuning_iterations, 0))
    with as_evaluation_errors():
        protocol = ProtocolSettings(
            num_interactions=command.interactions,
            num_scribble_sets=command.scribble_sets,
            seconds_per_object=command.seconds_per_object or None,
            metric=command.metric,
            schedule=command.schedule,
            strokes=command.strokes,
            seed=command.seed,
        )
    return Plan(
        protocol=protocol,
        clock=FixedClock() if command.clock == "fixed" else None,
        inference=command.inference(command.device),
        checkpoints=checkpoints,
        checkpoint_hashes={kind: sha256_of_file(path) for kind, path in checkpoints.items()},
        tuning_iterations=command.tuning_iterations,
        out=command.out.absolute(),
        overwrite=command.overwrite,
        keep_masks=command.keep_masks,
    )


def _samples(found: SequenceSet, plan: Plan, console: Console) -> list[Sample]:
    from rich.progress import track

    from .samples import samples_of

    davis = found.kind.startswith("davis")
    scribbles_root = Path(found.root) / "Scribbles" if davis else None
    return [
        sample
        for sequence in track(found.sequences, "first scribbles", console=console)
        for sample in samples_of(sequence, plan.protocol, scribbles_root, found.kind == "davis-2016")
    ]


def _play(
    command: Interactive,
    plan: Plan,
    systems: list[System],
    found: SequenceSet,
    samples: list[Sample],
    console: Console,
) -> dict[str, list[SampleRecord]]:
    from ..jobs import Task, map_tasks
    from .job import finished_session, run_session

    by_name = {sequence.name: sequence for sequence in found.sequences}
    tasks = [
        Task(
            f"{system.label}, {sample.sequence} {sample.scribble_set}",
            (system, by_name[sample.sequence], sample),
            by_name[sample.sequence].num_frames * plan.protocol.num_interactions,
        )
        for system in systems
        for sample in samples
    ]
    # What cannot be taken over is refused before hours of playing.
    for task in tasks:
        finished_session(plan, *task.payload)
    played = map_tasks(
        run_session, tasks, command.farm(plan.inference.device), shared=plan, doing="sessions", console=console
    )
    return {system.label: played[k * len(samples) : (k + 1) * len(samples)] for k, system in enumerate(systems)}


def _on_machine(plan: Plan, command: Interactive, systems: list[System]) -> Plan:
    """The plan with where its sessions run; torch is not imported when none has a network."""
    machine = device = command.chosen_device(any(system.has_networks for system in systems))
    if device == "cuda":
        import torch

        machine = torch.cuda.get_device_name() if torch.cuda.is_available() else "cuda of other nodes"
    return replace(plan, inference=replace(plan.inference, device=device), machine=machine, num_workers=command.workers)


def _facts(command: Interactive, plan: Plan, dataset: dict[str, Any]) -> dict[str, str]:
    protocol = plan.protocol
    limit = protocol.seconds_per_object
    schedules = {
        "every-round": "propagation after every round, then the worst frame of all",
        "three-frames": "three rounds on a frame, then propagation (MiVOS)",
    }
    from_files = dataset["first_scribbles_from_files"]
    return {
        "data": f"{dataset['root']}, {dataset['split']}: {dataset['num_sequences']} sequences",
        "sessions": f"{dataset['num_sessions']}, {protocol.num_scribble_sets} of each sequence",
        "first scribbles": f"{from_files} from files, {dataset['num_sessions'] - from_files} by the robot",
        "rounds": f"{protocol.num_interactions}; {schedules[protocol.schedule]}",
        "clock": (
            f"measured time; networks on {plan.machine}, sessions at once: {plan.num_workers}"
            if plan.clock is None
            else "published times of each step, no measured time"
        ),
        "time limit": "none" if limit is None else f"{limit:g} s an object and round",
        "checkpoints": ", ".join(f"{kind}: {path.name}" for kind, path in plan.checkpoints.items()) or "none",
        "network input": f"memory every {command.memory_every} frames, short side {command.short_side or 'as it is'}",
    }
