import pytest

from segue.store.file_system import Mount, on_network, parse_mounts, type_of

MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 21 0:35 / /home rw shared:2 master:1 - nfs4 server:/home rw,vers=4.2
41 40 0:36 / /home/ana/scratch rw - lustre 10.0.0.1@o2ib:/scratch rw
42 21 0:37 / /mnt/with\\040space rw - fuse.sshfs ana@host: rw
this line cannot be read
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tmp/x.db", "ext4"),
        ("/home/ana/segue.db", "nfs4"),
        ("/home/ana/scratch/segue.db", "lustre"),
        ("/home/ana/scratchpad/segue.db", "nfs4"),
        ("/mnt/with space/x", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_says_the_type(path, expected):
    assert type_of(path, parse_mounts(MOUNTS)) == expected


def test_of_two_mounts_on_one_point_the_later_counts():
    assert type_of("/a/b", [Mount("/a", "ext4"), Mount("/a", "nfs4")]) == "nfs4"


def test_a_temporary_directory_is_local(tmp_path):
    assert not on_network(tmp_path / "segue.db")
