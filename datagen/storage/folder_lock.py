"""One process at a time in a folder."""

import errno
import fcntl
from pathlib import Path
from typing import BinaryIO


def hold_lock(path: Path, refusal: Exception) -> BinaryIO:
    """Hold a lock file until what is returned is closed, or the process ends, in whatever way.

    The file is made where there is none, its folder is there. `refusal` is raised where it is held already, by another
    process or by this one.
    """
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
    return lock
