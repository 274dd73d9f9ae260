"""Other values for the numbers of a stage, by the names under which `show` prints them."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from .stage import Stage

# The run's own options stand for these, or they are code.
_OPTIONS = {"size": "--size", "num_steps": "--steps", "batch_size": "--batch-size", "crop_size": "--crop-size"}
_NOT_NUMBERS = ("name", "summary", "start_from", "network", "data", "step", "companion", "sources")


def with_overrides(stage: Stage, settings: Sequence[str]) -> Stage:
    """Return the stage with the values of `NAME=VALUE` texts, NAME such as weight_decay or learning_rate.peak.

    VALUE is a number, a text, None, True, False, or a tuple of numbers such as 5,10,15. A name below sample_settings
    may be one that the stage leaves at its default. ValueError for other names and for values of another kind.
    """
    for text in settings:
        name, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"--set {text}: write NAME=VALUE, such as learning_rate.peak=1e-4")
        first = name.partition(".")[0]
        if first in _OPTIONS:
            raise ValueError(f"--set {text}: {first} has an option of its own, {_OPTIONS[first]}")
        if first in _NOT_NUMBERS:
            raise ValueError(f"--set {text}: {first} is what makes the stage; choose another stage")
        if first == "step_settings":
            _check_of_step(stage, name.partition(".")[2], text)
        stage = _replaced(stage, name.split("."), _parsed(value), text)
    return stage


def _check_of_step(stage: Stage, name: str, text: str) -> None:
    parameters = inspect.signature(stage.step).parameters.values()
    known = [one.name for one in parameters if one.default is not inspect.Parameter.empty]
    if name not in known:
        among = f"choose one of {', '.join(known)}" if known else "it has none"
        raise ValueError(f"--set {text}: the step of stage {stage.name} has no setting '{name}'; {among}")


def _replaced(target: Any, names: Sequence[str], value: Any, text: str) -> Any:
    name, below = names[0], names[1:]
    if isinstance(target, Mapping):
        own = target.get(name)
        return {**target, name: _replaced(own, below, value, text) if below else _fitting(own, value, text)}
    known = [field.name for field in fields(target) if field.name not in _NOT_NUMBERS] if is_dataclass(target) else []
    if name not in known:
        among = f"; choose one of {', '.join(known)}" if known else ", which has no parts"
        raise ValueError(f"--set {text}: no '{name}' in {type(target).__name__}{among}")
    own = getattr(target, name)
    if not below and (is_dataclass(own) or isinstance(own, Mapping)):
        parts = list(own) if isinstance(own, Mapping) else [field.name for field in fields(own)]
        raise ValueError(f"--set {text}: {name} has parts, set one of them: {', '.join(f'{name}.{p}' for p in parts)}")
    try:
        return replace(target, **{name: _replaced(own, below, value, text) if below else _fitting(own, value, text)})
    except ValueError as error:
        raise error if str(error).startswith("--set") else ValueError(f"--set {text}: {error}") from error


def _parsed(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _fitting(own: Any, value: Any, text: str) -> Any:
    """Return the value as the kind of the one that it replaces; ValueError when it is of another."""
    if own is None or value is None:
        return value
    if isinstance(own, tuple) and not isinstance(value, tuple):
        value = (value,)
    if isinstance(own, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(own):
        raise ValueError(
            f"--set {text}: it is {own!r}, a {type(own).__name__}, in the stage, and {value!r} is a "
            f"{type(value).__name__}; give one of its kind"
        )
    return value
