"""The one error of an evaluation that its user can mend."""


class EvaluationError(ValueError):
    """Something given to an evaluation cannot be used; the message names it and says what to do."""
