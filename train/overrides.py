"""Other values for the numbers of a stage, by the names under which `show` prints them."""

import ast
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple, get_type_hints

from .kinds import fitted, kind_in_words
from .sample_settings import names_of_settings, sample_settings_of, settings_class
from .stage import Stage
from .step_settings import check_step_settings, declared_step_settings, step_defaults

# The run's own options stand for these, or they are code.
_OPTIONS = {"size": "--size", "num_steps": "--steps", "batch_size": "--batch-size", "crop_size": "--crop-size"}
_NOT_NUMBERS = ("name", "summary", "start_from", "network", "data", "step", "companion", "needs_init", "sources")


def with_overrides(stage: Stage, settings: Sequence[str], crop_size: int | None = None) -> Stage:
    """Return the stage with the values of `NAME=VALUE` texts, NAME such as weight_decay or learning_rate.peak.

    VALUE is a number, a text, None, True, False, or a tuple of numbers such as 5,10,15. A name below sample_settings
    or step_settings may be one that the stage leaves at its default. crop_size: the run's, None for the stage's.
    ValueError for other names and for values of another kind or out of their range.
    """
    changes = [_change(text) for text in settings]
    own = [change for change in changes if change.names[0] not in ("sample_settings", "step_settings")]
    stage = _replaced(stage, own) if own else stage
    stage = _with_step_settings(stage, _below(changes, "step_settings"))
    stage = _with_sample_settings(stage, _below(changes, "sample_settings"))
    if changes:
        # After the last of them, for two may be right together alone.
        sample_settings_of(stage, crop_size)
        check_step_settings(stage, crop_size)
    unused = next((one.text for one in own if one.names == ("learning_rate", "decay_at")), None)
    if unused is not None and stage.learning_rate.decay == "cosine":
        raise ValueError(f"--set {unused}: a cosine decays throughout; add --set learning_rate.decay=step")
    return stage


class _Change(NamedTuple):
    """A value for what the dotted names lead to, and the text that asks for it."""

    names: tuple[str, ...]
    value: Any
    text: str


def _change(text: str) -> _Change:
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--set {text}: write NAME=VALUE, such as learning_rate.peak=1e-4")
    first, _, below = name.partition(".")
    if first in _OPTIONS:
        raise ValueError(f"--set {text}: {first} has an option of its own, {_OPTIONS[first]}")
    if first in _NOT_NUMBERS:
        raise ValueError(f"--set {text}: {first} is what makes the stage; choose another stage")
    of_settings = first in ("sample_settings", "step_settings")
    names = (first, *below.split(".")) if of_settings else tuple(name.split("."))
    return _Change(names=names, value=_parsed(value), text=text)


def _below(changes: Sequence[_Change], first: str) -> list[_Change]:
    """Return the changes under a name, by the names below it."""
    return [change._replace(names=change.names[1:]) for change in changes if change.names[0] == first]


def _first_names(changes: Sequence[_Change]) -> dict[str, str]:
    """Return each first name with the text that has it first."""
    return {change.names[0]: change.text for change in reversed(changes)}


def _with_step_settings(stage: Stage, changes: Sequence[_Change]) -> Stage:
    defaults, found = step_defaults(stage), {}
    for name, text in _first_names(changes).items():
        if name not in defaults:
            among = f"choose one of {', '.join(defaults)}" if defaults else "it has none"
            raise ValueError(f"--set {text}: the step of stage {stage.name} has no setting '{name}'; {among}")
        own = stage.step_settings.get(name, defaults[name])
        found[name] = _new_value(name, declared_step_settings(stage)[name], own, _below(changes, name))
    return replace(stage, step_settings={**stage.step_settings, **found})


def _with_sample_settings(stage: Stage, changes: Sequence[_Change]) -> Stage:
    kind, crop_name = settings_class(stage.data)
    known, found = names_of_settings(stage.data), {}
    for name, text in _first_names(changes).items():
        if name == crop_name:
            raise ValueError(f"--set {text}: the side of the crop has an option of its own, --crop-size")
        if name not in known:
            raise ValueError(f"--set {text}: no '{name}' in {kind.__name__}; choose one of {', '.join(known)}")
        own = stage.sample_settings.get(name, getattr(kind(), name))
        found[name] = _new_value(name, get_type_hints(kind)[name], own, _below(changes, name))
    return replace(stage, sample_settings={**stage.sample_settings, **found})


def _replaced(target: Any, changes: Sequence[_Change]) -> Any:
    """Return the dataclass with all fields replaced at once that the changes name, or what lies in them below."""
    known = [field.name for field in fields(target) if field.name not in _NOT_NUMBERS] if is_dataclass(target) else []
    found = {}
    for name, text in _first_names(changes).items():
        if name not in known:
            among = f"; choose one of {', '.join(known)}" if known else ", which has no parts"
            raise ValueError(f"--set {text}: no '{name}' in {type(target).__name__}{among}")
        declared = get_type_hints(type(target))[name]
        found[name] = _new_value(name, declared, getattr(target, name), _below(changes, name))
    try:
        return replace(target, **found)
    except ValueError as error:
        raise ValueError(f"--set {' --set '.join(change.text for change in changes)}: {error}") from error


def _new_value(name: str, declared: Any, own: Any, changes: Sequence[_Change]) -> Any:
    """Return the new value of a field; changes: those of it, by the names below it."""
    below, whole = ([one for one in changes if bool(one.names) is wanted] for wanted in (True, False))
    if whole and is_dataclass(own):
        parts = ", ".join(f"{name}.{field.name}" for field in fields(own))
        raise ValueError(f"--set {whole[0].text}: {name} has parts, set one of them: {parts}")
    if below:
        return _replaced(own, below)
    return [_fitting(declared, own, one.value, one.text) for one in whole][-1]


def _parsed(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _fitting(declared: Any, own: Any, value: Any, text: str) -> Any:
    """Return the value as the declared kind; ValueError when it is of another."""
    try:
        return fitted(declared, value)
    except ValueError as error:
        raise ValueError(
            f"--set {text}: it is {own!r}, {kind_in_words(declared)}, in the stage, and {value!r} is a "
            f"{type(value).__name__}; give one of its kind"
        ) from error
