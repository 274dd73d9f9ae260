"""Whether a value is of the kind that a field of a settings dataclass, or a parameter, is declared to be."""

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

_UNFIT = object()


def fitted(declared: Any, value: Any) -> Any:
    """Return the value as the declared kind: a whole number for a float as float, a single value as a tuple of one.

    ValueError, with the kind in words, when it is of another.
    """
    found = _fitted(declared, value)
    if found is _UNFIT:
        raise ValueError(f"{value!r} is a {type(value).__name__}, not {kind_in_words(declared)}")
    return found


def kind_in_words(declared: Any) -> str:
    """Return a declared kind such as `tuple[float, float]` in words: "a tuple of 2 floats"."""
    arguments = get_args(declared)
    if get_origin(declared) in (Union, UnionType):
        return " or ".join(kind_in_words(one) for one in arguments)
    if get_origin(declared) is Literal:
        return " or ".join(map(repr, arguments))
    if get_origin(declared) is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a tuple of {count}{arguments[0].__name__}s"
    return "None" if declared is type(None) else f"a {declared.__name__}"


def _fitted(declared: Any, value: Any) -> Any:
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return next((one for kind in arguments if (one := _fitted(kind, value)) is not _UNFIT), _UNFIT)
    if origin is Literal:
        return value if value in arguments else _UNFIT
    if origin is tuple:
        return _fitted_tuple(arguments, value)
    if declared is float and type(value) is int:
        return float(value)
    # Exactly the type for numbers, for True is an int too.
    return value if type(value) is declared or (isinstance(value, declared) and not isinstance(value, bool)) else _UNFIT


def _fitted_tuple(arguments: tuple[Any, ...], value: Any) -> Any:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    kinds = arguments[:1] * len(values) if arguments[-1] is Ellipsis else arguments
    if len(values) != len(kinds):
        return _UNFIT
    found = tuple(_fitted(kind, one) for kind, one in zip(kinds, values, strict=True))
    return _UNFIT if any(one is _UNFIT for one in found) else found
