"""A user's work on one video, whatever the system that answers: what all sessions share.

The system's engine answers on a frame until its masks are committed, and carries them over the video. T frames, N
objects, H W pixels.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ..geometry import Region
from . import session_file
from .draft import Draft, certain, check_inputs
from .folder_lock import hold_folder
from .frames import FrameSource
from .module_times import ModuleTime
from .protocol import Input
from .session_settings import SessionSettings
from .state import SessionState
from .store import ResultStore, unseen_revisions
from .video_engine import Footage, VideoEngine


class VideoSession:
    """A user's work on one video; see `protocol.Session`.

    make_engine: gives the system's networks at work on a video.
    folder: where the masks are kept, see `ResultStore`, from which `resume` goes on; without one, a temporary folder
    that goes with the session (`close`, or `with`). From `start` or `resume` until then no other session, of this
    process or another, can be opened in it.
    """

    def __init__(
        self,
        settings: SessionSettings,
        make_engine: Callable[[Footage], VideoEngine],
        folder: Path | None = None,
    ) -> None:
        self.settings = settings
        self._make_engine = make_engine
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory | None = None
        self._lock: BinaryIO | None = None
        self._engine: VideoEngine | None = None
        self._running: Iterator[tuple[int, np.ndarray]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session, and let others open its folder; masks in a temporary folder are gone."""
        self._leave_video()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _leave_video(self) -> None:
        self._interrupt()
        self._engine = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def start(self, frames: FrameSource, object_ids: Sequence[int]) -> None:
        """Begin with a video, see `protocol.Session`.

        ValueError for ids that no palette picture holds, for a folder that holds a session already, and for one in
        which another is open; a session that is under way then goes on.
        """
        ids = tuple(int(value) for value in object_ids)
        if not ids or len(set(ids)) < len(ids) or not all(0 < value < IGNORE_ID for value in ids):
            raise ValueError(f"object_ids are {list(object_ids)}; give different ids from 1 to {IGNORE_ID - 1}")
        video = session_file.video_facts(frames)
        with self._holding_folder():
            folder = self._folder
            if folder is not None and (folder / session_file.NAME).exists():
                raise ValueError(
                    f"{folder} holds a session already; call resume to go on with it, or give another folder"
                )
            self._leave_video()
            if folder is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="vosforge-session-")
                folder = Path(self._temporary.name)
            self._begin(folder, frames, video, ids, SessionState())

    def resume(self, frames: FrameSource) -> None:
        """Go on with the session in the folder, on the same video, from its last committed or propagated masks.

        A propagation that was killed is as one closed half-way. What was drawn and not committed is gone, and steps
        before cannot be undone. ValueError where there is no session, one of another system or on another video, or
        one that is open.
        """
        if self._folder is None:
            raise ValueError("this session has no folder to resume from; open it with one")
        session_file.check_exists(self._folder)
        video = session_file.video_facts(frames)
        with self._holding_folder():
            state, ids = session_file.load_state(self._folder, self._system, video)
            self._leave_video()
            self._begin(self._folder, frames, video, ids, state)

    @property
    def _system(self) -> str:
        return type(self).__name__.removesuffix("Session")

    @contextlib.contextmanager
    def _holding_folder(self) -> Iterator[None]:
        """Hold the folder from here on; when the block fails, no longer than before."""
        if self._folder is None or self._lock is not None:
            yield
            return
        self._lock = hold_folder(self._folder)
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _begin(
        self,
        folder: Path,
        frames: FrameSource,
        video: Mapping[str, Any],
        ids: tuple[int, ...],
        state: SessionState,
    ) -> None:
        self.num_frames, self.object_ids, self._size, self._video = frames.num_frames, ids, frames.size, video
        self._store = ResultStore(folder, frames.size, len(ids))
        self._store.find(newest=state.view.revision)
        engine = self._make_engine(Footage(frames=frames, object_ids=ids, store=self._store))
        engine.find(newest=state.view.revision)
        self._steps: list[SessionState] = []
        self._saved: SessionState | None = None
        self._stand_at(state)
        self._forget_unseen(engine)
        # Last, for from now on the session has a video.
        self._engine = engine

    @property
    def module_times(self) -> Mapping[str, ModuleTime]:
        """Time since the start in each of the system's networks, by name."""
        self._check_started()
        return dict(self._engine.clock.times)

    @property
    def given_frames(self) -> tuple[int, ...]:
        """The frames whose masks were committed, ascending."""
        self._check_started()
        return self._state.given

    @property
    def num_steps(self) -> int:
        """How many steps can be undone."""
        self._check_started()
        return len(self._steps)

    @property
    def num_waiting_frames(self) -> int:
        """How many frames a propagation of what is committed gives out."""
        self._check_started()
        state = self._state
        passes = (self._engine.passes(item.frame, state.given, (), self.num_frames) for item in state.waiting)
        return sum(1 + sum(len(one.frames) for one in all_of_it) for all_of_it in passes)

    def masks(self, t: int) -> np.ndarray:
        """The ids of frame t as they stand, uint8 (H, W), 0 for background."""
        self._check_frame(t)
        draft = self._state.draft
        return draft.ids.copy() if draft is not None and draft.frame == t else self._store.ids(t, self._state.view)

    def soft_masks(self, t: int) -> np.ndarray:
        """The probabilities of the objects in frame t as they stand, uint8 (N, H, W), 255 for 1."""
        self._check_frame(t)
        draft = self._state.draft
        if draft is not None and draft.frame == t:
            return certain(draft.ids, self.object_ids)
        return self._store.soft(t, self._state.view)

    def interact(self, frame: int, inputs: Mapping[int, Input], region: Region | None = None) -> np.ndarray:
        """Take inputs on a frame, see `protocol.Session`; ValueError for inputs that do not fit."""
        self._check_frame(frame)
        check_inputs(inputs, self.object_ids, self._size)
        if region is not None:
            region.check_within(*self._size)
        with self._step():
            draft = self._state.draft
            if draft is None or draft.frame != frame:
                self._commit_draft()
                ids = self.masks(frame)
                draft = Draft(frame=frame, before=self._state.view, base=ids, ids=ids)
            draft = draft.with_inputs(inputs, region, self._engine.correct, self.settings.region_margin)
            self._state = replace(self._state, draft=draft)
        return draft.ids.copy()

    def commit(self) -> None:
        """Let the masks of the frame stand, see `protocol.Session`; nothing where no frame is worked on."""
        self._check_started()
        if self._state.draft is not None:
            with self._step():
                self._commit_draft()

    def propagate(self) -> Iterator[tuple[int, np.ndarray]]:
        """Commit and propagate, see `protocol.Session`; ValueError before the first input.

        Each frame that waits is propagated by itself, in the order of commits: first it is yielded, then what lies
        ahead of it, then what lies behind. Any call that changes the session closes the iterator.
        """
        self._check_started()
        if self._state.draft is None and not self._state.given:
            raise ValueError("there is nothing to propagate; interact with a frame first")
        self._interrupt()
        if self._state.draft is not None or self._state.waiting:
            with self._step():
                self._commit_draft()
        self._running = self._propagated()
        return self._running

    def undo(self) -> None:
        """Take the last call back that changed something; ValueError when there is none (see `undo_depth`)."""
        self._check_started()
        if not self._steps:
            raise ValueError("there is nothing to undo")
        self._interrupt()
        self._go_back(self._steps[-1])
        self._steps.pop()

    def _propagated(self) -> Iterator[tuple[int, np.ndarray]]:
        while self._state.waiting:
            item, given, propagated = self._state.waiting[0], self._state.given, self._state.propagated
            passes = self._engine.passes(item.frame, given, propagated, self.num_frames)
            state, base = self._state.propagating()
            self._stand_at(state)
            remaining = 1 + sum(len(one.frames) for one in passes)
            first = [(item.frame, self._store.ids(item.frame, base))]
            rest = (self._engine.carry(one, item, given, base, self._state.view.revision) for one in passes)
            for t, ids in itertools.chain(first, *rest):
                remaining -= 1
                if remaining == 0:
                    # Before the last frame is given out: who takes just all frames has had the whole propagation.
                    self._stand_at(self._state.propagated_first())
                yield t, ids

    def _commit_draft(self) -> None:
        draft, revision = self._state.draft, self._state.view.revision + 1
        if draft is not None:
            self._store.write(draft.frame, revision, draft.ids, certain(draft.ids, self.object_ids))
            self._engine.committed(draft, revision)
            self._state = self._state.committed(draft.frame)

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """One step that can be undone; when it fails, all is as before."""
        self._interrupt()
        before = self._state
        try:
            yield
            self._stand_at(self._state)
        except BaseException:
            self._go_back(before)
            raise
        self._steps.append(before)
        del self._steps[: max(0, len(self._steps) - self.settings.undo_depth)]
        self._forget_unseen(self._engine)

    def _forget_unseen(self, engine: VideoEngine) -> None:
        """Remove what neither the state nor one that undoing leads to looks at."""
        views = {view for state in (*self._steps, self._state) for view in state.views}
        for kept in (self._store, engine):
            kept.forget_unseen(views, self._state.given)
        self._state = self._state.without_hidden(unseen_revisions(views))

    def _go_back(self, state: SessionState) -> None:
        self._stand_at(state)
        self._store.forget_after(state.view.revision)
        self._engine.forget_after(state.view.revision)

    def _stand_at(self, state: SessionState) -> None:
        """Take a state once it is on disk, where it is written without its draft."""
        kept = replace(state, draft=None)
        if kept != self._saved:
            session_file.save_state(self._store.folder, kept, self._system, self._video, self.object_ids)
            self._saved = kept
        self._state = state

    def _interrupt(self) -> None:
        """Close a propagation that is under way, at the frame where it is."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def _check_started(self) -> None:
        if self._engine is None:
            raise ValueError("the session has no video; call start first")

    def _check_frame(self, t: int) -> None:
        self._check_started()
        if not 0 <= t < self.num_frames:
            raise ValueError(f"frame {t} is asked for; the video has frames 0 to {self.num_frames - 1}")
