"""The one error of an evaluation that its user can mend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class EvaluationError(ValueError):
    """Something given to an evaluation cannot be used; the message names it and says what to do."""


@contextlib.contextmanager
def as_evaluation_errors() -> Iterator[None]:
    """Raise a ValueError of the block, as settings and readers of files raise it, as EvaluationError of its words."""
    try:
        yield
    except EvaluationError:
        raise
    except ValueError as error:
        raise EvaluationError(str(error)) from error
