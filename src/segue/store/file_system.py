"""Whether a file lies on a network file system, where SQLite's fast journal is not safe."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

#: Types, as Linux names them, of file systems that several machines may write to.
NETWORK_TYPES: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.glusterfs",
        "fuse.juicefs", "fuse.sshfs", "gfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "virtiofs", "wekafs",
    }
)  # fmt: skip


class Mount(NamedTuple):
    """A mounted file system: where, and of what type."""

    point: str
    type: str


def parse_mounts(text: str) -> list[Mount]:
    r"""Return the mounts of a text in the form of ``/proc/self/mountinfo``.

    A line that cannot be read is passed over.

    Examples
    --------
    >>> parse_mounts("36 35 98:0 / /my\\040home rw - nfs4 host:/export rw")
    [Mount(point='/my home', type='nfs4')]
    """
    mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split()
        if separator and len(fields) > 4 and after.split():
            point = fields[4].encode().decode("unicode_escape")
            mounts.append(Mount(point, after.split()[0]))
    return mounts


def type_of(path: str, mounts: list[Mount]) -> str:
    """Return the type of the file system that holds the absolute `path`; ``""`` if unknown.

    Of two mounts on the same point the later one counts, since it hides the earlier.

    Examples
    --------
    >>> mounts = [Mount("/", "ext4"), Mount("/home", "nfs4")]
    >>> type_of("/home/ana/x.db", mounts), type_of("/homely", mounts)
    ('nfs4', 'ext4')
    """
    found = Mount("", "")
    for mount in mounts:
        inside = mount.point == "/" or path == mount.point or path.startswith(mount.point + "/")
        if inside and len(mount.point) >= len(found.point):
            found = mount
    return found.type


def on_network(path: Path) -> bool:
    """Tell whether the file lies, or would lie, on a network file system.

    Where the system does not say (no ``/proc``), the answer is no.
    """
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return False
    return type_of(str(path.resolve()), parse_mounts(text)) in NETWORK_TYPES
