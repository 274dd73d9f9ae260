"""One process at a time in a folder."""

import errno
import fcntl
import functools
import os
import weakref
from pathlib import Path
from typing import BinaryIO

NAME = ".lock"
"""What the lock file of a folder is called."""

_HELD: weakref.WeakSet[BinaryIO] = weakref.WeakSet()


def hold_lock(path: Path, refusal: Exception) -> BinaryIO:
    """Hold a lock file until what is returned is closed, or the process ends, in whatever way.

    The file is made where there is none, its folder is there. `refusal` is raised where it is held already, by another
    process or by this one. Forked processes do not hold it.
    """
    _let_go_in_forks()
    lock = open(path, "wb")  # noqa: SIM115 (held until it is closed)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise refusal from error
    except OSError as error:
        # Some network file systems have no locks: there two processes are not told apart.
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            lock.close()
            raise
    _HELD.add(lock)
    return lock


@functools.cache
def _let_go_in_forks() -> None:
    # A lock is held until all descriptors of its opening are closed, so a fork would hold it beyond its parent's end.
    os.register_at_fork(after_in_child=_close_held)


def _close_held() -> None:
    for lock in list(_HELD):
        lock.close()
