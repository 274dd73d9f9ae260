"""Other values for the numbers of a stage, by the names under which `show` prints them."""

import ast
import inspect
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

from .kinds import fitted, kind_in_words
from .sample_settings import names_of_settings, sample_settings_of, settings_class
from .stage import Stage

# The run's own options stand for these, or they are code.
_OPTIONS = {"size": "--size", "num_steps": "--steps", "batch_size": "--batch-size", "crop_size": "--crop-size"}
_NOT_NUMBERS = ("name", "summary", "start_from", "network", "data", "step", "companion", "sources")


def with_overrides(stage: Stage, settings: Sequence[str], crop_size: int | None = None) -> Stage:
    """Return the stage with the values of `NAME=VALUE` texts, NAME such as weight_decay or learning_rate.peak.

    VALUE is a number, a text, None, True, False, or a tuple of numbers such as 5,10,15. A name below sample_settings
    or step_settings may be one that the stage leaves at its default. crop_size: the run's, None for the stage's.
    ValueError for other names and for values of another kind or out of their range.
    """
    for text in settings:
        name, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"--set {text}: write NAME=VALUE, such as learning_rate.peak=1e-4")
        first, _, below = name.partition(".")
        if first in _OPTIONS:
            raise ValueError(f"--set {text}: {first} has an option of its own, {_OPTIONS[first]}")
        if first in _NOT_NUMBERS:
            raise ValueError(f"--set {text}: {first} is what makes the stage; choose another stage")
        if first == "step_settings":
            stage = _with_step_setting(stage, below, _parsed(value), text)
        elif first == "sample_settings":
            stage = _with_sample_setting(stage, below.split("."), _parsed(value), text)
        else:
            stage = _replaced(stage, name.split("."), _parsed(value), text)
    if any(text.startswith("sample_settings.") for text in settings):
        # After the last of them, for two may be right together alone.
        sample_settings_of(stage, crop_size)
    return stage


def _with_step_setting(stage: Stage, name: str, value: Any, text: str) -> Stage:
    defaults = {
        one.name: one.default
        for one in inspect.signature(stage.step).parameters.values()
        if one.default is not inspect.Parameter.empty
    }
    if name not in defaults:
        among = f"choose one of {', '.join(defaults)}" if defaults else "it has none"
        raise ValueError(f"--set {text}: the step of stage {stage.name} has no setting '{name}'; {among}")
    own = stage.step_settings.get(name, defaults[name])
    found = _fitting(get_type_hints(stage.step)[name], own, value, text)
    return replace(stage, step_settings={**stage.step_settings, name: found})


def _with_sample_setting(stage: Stage, names: Sequence[str], value: Any, text: str) -> Stage:
    kind, crop_name = settings_class(stage.data)
    name, known = names[0], names_of_settings(stage.data)
    if name == crop_name:
        raise ValueError(f"--set {text}: the side of the crop has an option of its own, --crop-size")
    if name not in known:
        raise ValueError(f"--set {text}: no '{name}' in {kind.__name__}; choose one of {', '.join(known)}")
    own = stage.sample_settings.get(name, getattr(kind(), name))
    found = _new_value(get_type_hints(kind)[name], own, names, value, text)
    return replace(stage, sample_settings={**stage.sample_settings, name: found})


def _replaced(target: Any, names: Sequence[str], value: Any, text: str) -> Any:
    """Return the dataclass with the field of the first name replaced, or what lies in it by the names below."""
    name = names[0]
    known = [field.name for field in fields(target) if field.name not in _NOT_NUMBERS] if is_dataclass(target) else []
    if name not in known:
        among = f"; choose one of {', '.join(known)}" if known else ", which has no parts"
        raise ValueError(f"--set {text}: no '{name}' in {type(target).__name__}{among}")
    new = _new_value(get_type_hints(type(target))[name], getattr(target, name), names, value, text)
    try:
        return replace(target, **{name: new})
    except ValueError as error:
        raise ValueError(f"--set {text}: {error}") from error


def _new_value(declared: Any, own: Any, names: Sequence[str], value: Any, text: str) -> Any:
    name, below = names[0], names[1:]
    if below:
        return _replaced(own, below, value, text)
    if is_dataclass(own):
        parts = ", ".join(f"{name}.{field.name}" for field in fields(own))
        raise ValueError(f"--set {text}: {name} has parts, set one of them: {parts}")
    return _fitting(declared, own, value, text)


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
