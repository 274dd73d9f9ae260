"""What a step answers: one prediction, or several with an update of the weights after each."""

from collections.abc import Iterator, Mapping, Sequence

from .stage import StepResult


def results_of(answer: StepResult | Iterator[StepResult]) -> Iterator[StepResult]:
    """Yield the results of a step: its only one, or those of a generator."""
    if isinstance(answer, StepResult):
        yield answer
    else:
        yield from answer


def mean_metrics(several: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the predictions that have it; names in the order in which they appear."""
    names = dict.fromkeys(name for metrics in several for name in metrics)
    found = {name: [metrics[name] for metrics in several if name in metrics] for name in names}
    return {name: sum(values) / len(values) for name, values in found.items()}
