"""One runner per journal: a lock held for the life of the process."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from runner.errors import JournalBusy, JournalError

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
    }
)
"""Where locks and shared memory are not what SQLite's WAL needs (https://sqlite.org/wal.html)."""

_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(slots=True)
class Lock:
    """A held lock; it ends with `release()` or with the process, however that dies."""

    path: Path
    descriptor: int

    @classmethod
    def acquire(cls, journal: Path) -> Lock:
        """Lock `<journal>.lock` for this process.

        flock, not lockf: a second opening in the same process is refused as well. Raises
        JournalBusy when another process holds it, JournalError when the folder is read-only.
        """
        path = journal.with_name(journal.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"cannot write in {journal.parent}: {error.strerror}; "
                "give the runner a folder it may write in, with --dir"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise JournalBusy(
                f"another runner (pid {holder or 'unknown'}) already uses {journal}; "
                "stop it, or give this one another --dir"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise JournalError(
                f"cannot lock {path}: {error.strerror}; put the journal on a local disk, with --dir"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Give the lock back; the file stays, since removing it would race with a new holder."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def refuse_network_file_system(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Raise JournalError when `folder` lies on a file system that other machines share.

    The kernel's table of mounts tells (proc(5)); without one nothing is refused.
    """
    kind = _file_system(folder, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise JournalError(
            f"{folder} is on a network file system ({kind}), where a journal can be damaged; "
            "put it on a local disk, with --dir"
        )


def _file_system(folder: Path, mounts: Path) -> str | None:
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [wanted]:
            return after.split(" ", 1)[0]
    return None
