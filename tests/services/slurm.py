"""A private Slurm cluster on this machine: four pretended nodes, with accounting.

    python tests/services/slurm.py up|down|status|install

munged, mariadbd, slurmdbd, slurmctld and one slurmd for each node run as root under
`STATE`, on ports of their own, without systemd and cgroups. Tuned for quick turns: a job
of no length takes half a second, which is the controller's own tick.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from service import (
    STATE,
    Daemon,
    ServiceError,
    check_port,
    descendants,
    ensure_programs,
    locked,
    main_of,
    say,
    stop_pids,
    succeeds,
    wait_until,
    write_environment,
)

PORT = 26710
NODES = ("n1", "n2", "n3", "n4")
CPUS = 8
MEMORY_MB = 8000
DIR = STATE / "slurm"
CONF = DIR / "etc" / "slurm.conf"
LOGS = DIR / "log"
MUNGE = DIR / "run" / "munge.sock"
SQL = DIR / "run" / "mysql.sock"
#: Puts the programs of the cluster in reach of ours.
VARIABLES = {"SLURM_CONF": str(CONF)}
CONTROLLER_PORT, ACCOUNTS_PORT, SQL_PORT = PORT, PORT + 1, PORT + 2
#: Jobs start at once, without courtesy delays.
SCHEDULER = (
    "batch_sched_delay=0",
    "sched_min_interval=2000",
    "sched_interval=2",
    "default_queue_depth=200",
    "bf_interval=1",
    "bf_max_job_test=200",
    "bf_continue",
    "max_rpc_cnt=0",
)
#: A quality of service under which a user may have three jobs; for tests of limits.
SMALL_QOS = "small"


class Slurm:
    """The cluster."""

    name = "slurm"
    programs = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey", "slurmdbd", "mariadbd")
    packages = (
        "slurmctld", "slurmd", "slurm-client", "munge", "slurm-wlm-basic-plugins",
        "slurmdbd", "slurm-wlm-mysql-plugin", "mariadb-server",
    )  # fmt: skip

    def is_up(self) -> bool:
        """Whether all daemons run and all nodes can take jobs."""
        return all(daemon(name).pid() for name in _daemons()) and _ready()

    def up(self) -> dict[str, str]:
        """Start what does not run; return the variables that lead to the cluster."""
        if os.getuid() != 0:
            raise ServiceError("a Slurm cluster of several nodes needs root")
        ensure_programs(self.programs, self.packages)
        with locked(self.name):
            if not self.is_up():
                _start()
            write_environment(self.name, VARIABLES)
        return dict(VARIABLES)

    def down(self) -> None:
        """Cancel all jobs and stop all daemons; job history is kept."""
        if not DIR.exists():
            return
        with locked(self.name):
            if daemon("slurmctld").pid():
                succeeds("scancel", f"--user={os.getuid()}", environment=_environment())
                with suppress(ServiceError):
                    wait_until(_idle, "jobs are left", 8)
            for name in reversed(_daemons()):
                daemon(name).stop()
            for node in NODES:
                _kill_steps(node)


SERVICE = Slurm()


# What tests do to it -----------------------------------------------------------------


def kill_node(node: str) -> None:
    """Let a node fail: its slurmd and its jobs are gone at once. `up` brings it back."""
    daemon(f"slurmd.{node}").stop(signal.SIGKILL)
    _kill_steps(node)
    # Slurm would notice by itself after its time-out.
    run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")


def stop_controller() -> None:
    """Stop the controller; jobs go on, and nobody can ask for them."""
    daemon("slurmctld").stop()


def run(*command: str) -> str:
    """Run a program against the cluster and return what it prints."""
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


# Starting ----------------------------------------------------------------------------


def daemon(name: str) -> Daemon:
    """Return the daemon of that name."""
    return Daemon(DIR / "run" / f"{name}.pid")


def _daemons() -> list[str]:
    return ["munged", "mariadbd", "slurmdbd", "slurmctld", *(f"slurmd.{node}" for node in NODES)]


def _environment() -> dict[str, str]:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    mine = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    return mine | VARIABLES | {"PATH": path}


def _spawn(name: str, *command: str) -> None:
    log = LOGS / f"{name}.out"
    daemon(name).start(log, *command, environment=_environment())


def _start() -> None:
    for folder in ("etc", "run", "log", "ctld", "spool", "mysql"):
        (DIR / folder).mkdir(parents=True, exist_ok=True)
    # Jobs of other users would have to read the configuration.
    for folder in (STATE, DIR, CONF.parent, MUNGE.parent):
        folder.chmod(0o755)
    _start_munge()
    _start_sql()
    _start_accounts()
    _start_cluster()


def _start_munge() -> None:
    if daemon("munged").pid():
        return
    key = CONF.parent / "munge.key"
    if not key.exists():
        run("mungekey", "--create", f"--keyfile={key}")
    key.chmod(0o600)
    for left in (MUNGE, MUNGE.with_name(MUNGE.name + ".lock")):
        left.unlink(missing_ok=True)
    _spawn(
        "munged",
        *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={MUNGE}"),
        *(f"--pid-file={MUNGE}.pid", f"--seed-file={MUNGE}.seed", f"--log-file={LOGS}/munged.log"),
    )


def _start_sql() -> None:
    data = DIR / "mysql"
    if not daemon("mariadbd").pid():
        check_port(SQL_PORT)
        if not (data / "mysql").exists():
            run(
                *("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}"),
                *("--skip-test-db", "--auth-root-authentication-method=socket"),
            )
        _spawn(
            "mariadbd",
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}"),
            *(f"--socket={SQL}", f"--pid-file={SQL}.pid", "--bind-address=127.0.0.1"),
            *(f"--port={SQL_PORT}", "--skip-name-resolve", "--skip-log-bin"),
            *("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=48M"),
            *("--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0"),
            *("--performance-schema=OFF", "--max-connections=50"),
        )
    wait_until(lambda: _sql("select 1"), f"mariadbd does not answer ({LOGS}/mariadbd.out)")
    done = data / ".segue"
    if not done.exists():
        _sql(
            "create database if not exists accounts;"
            "create user if not exists 'slurm'@'127.0.0.1' identified by 'slurm';"
            "grant all on accounts.* to 'slurm'@'127.0.0.1';"
        )
        done.touch()


def _sql(text: str) -> bool:
    return succeeds(
        "mariadb", "--no-defaults", f"--socket={SQL}", "--user=root", f"--execute={text}"
    )


def _start_accounts() -> None:
    wait_until(
        lambda: succeeds("munge", "-n", "-S", str(MUNGE)), f"munged is not ready ({LOGS})", 10
    )
    _write_configuration()
    if not daemon("slurmdbd").pid():
        check_port(ACCOUNTS_PORT)
        _spawn("slurmdbd", "slurmdbd", "-D")
    wait_until(
        lambda: succeeds("sacctmgr", "-n", "list", "cluster", environment=_environment()),
        f"slurmdbd is not ready ({LOGS}/slurmdbd.log)",
    )
    done = DIR / "mysql" / ".accounts"
    if done.exists():
        return
    run("sacctmgr", "-i", "-Q", "add", "cluster", "segue")
    run("sacctmgr", "-i", "-Q", "add", "account", "svc")
    run("sacctmgr", "-i", "-Q", "add", "qos", SMALL_QOS, "MaxSubmitJobsPerUser=3")
    run("sacctmgr", "-i", "-Q", "add", "user", "root", "account=svc")
    run("sacctmgr", "-i", "-Q", "modify", "user", "root", "set", f"qos+={SMALL_QOS}")
    done.touch()


def _start_cluster() -> None:
    if not daemon("slurmctld").pid():
        check_port(CONTROLLER_PORT)
    _spawn("slurmctld", "slurmctld", "-D")
    for node in NODES:
        (DIR / "spool" / node).mkdir(exist_ok=True)
        _spawn(f"slurmd.{node}", "slurmd", "-D", "-N", node)
    with suppress(ServiceError):
        wait_until(_ready, "nodes are not ready", 4)
        return
    # Nodes that were stopped hard are down until somebody says otherwise.
    succeeds(
        "scontrol", "update", f"nodename={','.join(NODES)}", "state=resume",
        environment=_environment(),
    )  # fmt: skip
    wait_until(_ready, f"the nodes are not ready ({LOGS}/slurmctld.log)")


def _ready() -> bool:
    with suppress(ServiceError, OSError):
        states = "--states=idle,mixed,allocated,completing"
        names = run("sinfo", "-h", "-N", "-p", "main", states, "-o", "%N").split()
        return set(names) == set(NODES)
    return False


def _idle() -> bool:
    with suppress(ServiceError):
        return not run("squeue", "-h", "-o", "%i").strip()
    return False


def _kill_steps(node: str) -> None:
    steps = list(_steps_of(node))
    if steps:
        stop_pids(descendants(steps), signal.SIGKILL)


def _steps_of(node: str) -> Iterator[int]:
    """Yield the step daemons of a node: they hold its log open."""
    log = str(LOGS / f"slurmd.{node}.log")
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if not (path / "cmdline").read_bytes().startswith(b"slurmstepd: "):
                continue
            if any(os.readlink(each) == log for each in (path / "fd").iterdir()):
                yield int(path.name)


def _write_configuration() -> None:
    host = os.uname().nodename.split(".")[0]
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={PORT + 11 + number} "
        f"CPUs={CPUS} RealMemory={MEMORY_MB} State=UNKNOWN"
        for number, node in enumerate(NODES)
    )
    memory = MEMORY_MB // CPUS // 4
    CONF.write_text(f"""\
ClusterName=segue
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={CONTROLLER_PORT}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# The second is also the pause before a requeued job may start again.
AuthInfo=socket={MUNGE},cred_expire=10
CredType=cred/munge
StateSaveLocation={DIR}/ctld
SlurmdSpoolDir={DIR}/spool/%n
SlurmctldPidFile={DIR}/run/slurmctld.own.pid
SlurmdPidFile={DIR}/run/slurmd.%n.own.pid
SlurmctldLogFile={LOGS}/slurmctld.log
SlurmdLogFile={LOGS}/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
# Nodes may claim more processors than this machine has.
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters={",".join(SCHEDULER)}
PriorityType=priority/basic
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
EpilogMsgTime=0
CompleteWait=0
KillWait=2
InactiveLimit=0
WaitTime=0
BatchStartTimeout=30
MessageTimeout=20
TCPTimeout=5
SlurmctldTimeout=30
SlurmdTimeout=10
UnkillableStepTimeout=30
MinJobAge=300
MaxJobCount=200000
MaxArraySize=100001
MaxStepCount=1000000
JobRequeue=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ACCOUNTS_PORT}
# With munge this names the socket, not a password.
AccountingStoragePass={MUNGE}
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_comment
{nodes}
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
PartitionName=DEFAULT Nodes=n[1-4] State=UP DefMemPerCPU={memory} PreemptMode=OFF
PartitionName=main Default=YES MaxTime=INFINITE DefaultTime=60
PartitionName=short MaxTime=10 PriorityTier=10
PartitionName=spare PriorityTier=0 PreemptMode=CANCEL
""")
    (CONF.parent / "cgroup.conf").touch()
    accounts = CONF.parent / "slurmdbd.conf"
    accounts.write_text(f"""\
AuthType=auth/munge
AuthInfo=socket={MUNGE}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ACCOUNTS_PORT}
SlurmUser=root
DebugLevel=info
LogFile={LOGS}/slurmdbd.log
PidFile={DIR}/run/slurmdbd.own.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={SQL_PORT}
StorageUser=slurm
StoragePass=slurm
StorageLoc=accounts
""")
    accounts.chmod(0o600)


def purge() -> None:
    """Remove everything of the cluster, job history too."""
    SERVICE.down()
    shutil.rmtree(DIR, ignore_errors=True)
    say("removed")


if __name__ == "__main__":
    sys.exit(main_of(SERVICE, sys.argv[1:]))
