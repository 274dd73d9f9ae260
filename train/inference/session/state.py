"""Where a session stands: plain values, so that a step is undone by going back to the state before it."""

from collections.abc import Set
from dataclasses import dataclass, field, replace

from .draft import Draft
from .store import View


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A frame whose masks were committed and not yet carried through the video.

    before: the view in which it is as the last propagation left it; what changed since then is what the user did.
    """

    frame: int
    before: View


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """All that changes in a session.

    draft: the frame that is worked on. given: frames with committed masks, ascending. waiting: in the order in which
    they will be propagated. view: what of the store stands. half_done: the revision of a propagation of the first
    waiting frame that was closed half-way; it is seen until that is done anew.
    """

    draft: Draft | None = None
    given: tuple[int, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    view: View = field(default_factory=View)
    half_done: int | None = None

    @property
    def propagated(self) -> tuple[int, ...]:
        """The given frames that do not wait."""
        waiting = {item.frame for item in self.waiting}
        return tuple(t for t in self.given if t not in waiting)

    @property
    def base(self) -> View:
        """What the first waiting frame's propagation is based on: not on what an earlier one of it left half-done."""
        return self.view if self.half_done is None else replace(self.view, hidden=self.view.hidden | {self.half_done})

    @property
    def views(self) -> tuple[View, ...]:
        """All that this state may look at in the store."""
        return (self.view, self.base, *(item.before for item in self.waiting))

    def committed(self, frame: int) -> "SessionState":
        """The state after the masks of a frame were written in the next revision."""
        view = replace(self.view, revision=self.view.revision + 1)
        waiting = self.waiting
        if frame not in (item.frame for item in waiting):
            waiting = (*waiting, Waiting(frame=frame, before=self.view))
        return replace(self, draft=None, given=tuple(sorted({*self.given, frame})), waiting=waiting, view=view)

    def propagating(self) -> tuple["SessionState", View]:
        """The state while the first waiting frame is propagated into the next revision, and the view it is based on."""
        base = self.base
        revision = base.revision + 1
        return replace(self, view=replace(base, revision=revision), half_done=revision), base

    def without_hidden(self, revisions: Set[int]) -> "SessionState":
        """The state when some hidden revisions are gone from the store."""
        return replace(self, view=replace(self.view, hidden=self.view.hidden - revisions))

    def propagated_first(self) -> "SessionState":
        """The state when the first waiting frame is propagated to the end."""
        return replace(self, waiting=self.waiting[1:], half_done=None)
