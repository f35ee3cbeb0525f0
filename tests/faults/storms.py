"""A run of 300 tasks that write down what they really did, and the kills that disturb it."""

import json
import random
import signal
from dataclasses import dataclass

from chaos import kill, wait_until

TASKS = 300
GROWN = 20
JOBS = "8"
#: Each attempt appends when it begins and when it ends, in one write each.
SCRIPT = """
echo "$NAME $SEGUE_ATTEMPT $$ start" >> "$LOG"
[ {seconds} = 0 ] || sleep {seconds}
[ "$SEGUE_ATTEMPT" -gt {good_after} ] && code=0 || code={code}
echo "$NAME $SEGUE_ATTEMPT $$ end $code" >> "$LOG"
[ "$code" -lt 0 ] && kill "$code" $$
exit "$code"
"""
#: More attempts than a task ever has: it never turns good.
NEVER = 1000


def task(dice, name, log, needs, *, doomed, flaky):
    """A Daggy task: most succeed, a flaky one at a later attempt, a doomed one never."""
    good_after = NEVER if doomed else dice.choice([1, 1, 2]) if flaky else 0
    fields = {
        "seconds": dice.choice(
            [0, 0, 0, 0.01, 0.02, 0.05, 0.1, 0.2, round(dice.random() * 0.4, 3)]
        ),
        "good_after": good_after,
        "code": dice.choice([1, 3, 7, 42, 255, -signal.SIGKILL, -signal.SIGUSR1]),
    }
    return {
        "job": {
            "command": ["/bin/sh", "-c", SCRIPT.format_map(fields)],
            "environment": {"NAME": name, "LOG": str(log)},
        },
        "parents": needs,
        "maxRetries": dice.choice([0, 1, 2]) if doomed else 2 if flaky else 0,
        "retryIntervalSeconds": dice.choice([0, 0, 0.2]),
    }


def document(seed, log):
    """A random graph of 300 tasks; the last of them come out of a generator."""
    dice = random.Random(seed)
    tasks, sound = {}, []
    grown = {
        f"grown{n}": task(dice, f"grown{n}", log, [], doomed=n % 7 == 3, flaky=n % 5 == 2)
        for n in range(GROWN)
    }
    for number in range(TASKS - GROWN):
        name = f"t{number}"
        near = sound[-40:]
        needs = dice.sample(near, min(len(near), dice.choice([0, 1, 1, 2, 3])))
        doomed, flaky = dice.random() < 0.06, dice.random() < 0.1
        tasks[name] = task(dice, name, log, needs, doomed=doomed, flaky=flaky)
        # Few may wait for what never succeeds, or most of the graph would be skipped.
        if not doomed or dice.random() < 0.1:
            sound.append(name)
    text = json.dumps(grown).replace("'", "'\\''")
    tasks["t100"]["job"]["command"][2] = f"printf %s '{text}'\n" + SCRIPT.format(
        seconds=0.1, good_after=0, code=0
    )
    tasks["t100"] |= {"isGenerator": True, "parents": []}
    return {"tasks": tasks}


@dataclass(frozen=True)
class Line:
    """What an attempt has written."""

    task: str
    attempt: int
    pid: int
    what: str
    code: int = 0


def read_log(log):
    lines = [line.split() for line in log.read_text().splitlines()]
    return [Line(w[0], int(w[1]), int(w[2]), w[3], int(*w[4:] or [0])) for w in lines]


class Storm:
    """A run that is killed at random moments until so many kills have been survived."""

    def __init__(self, place, seed, kinds):
        self.place = place
        self.dice = random.Random(seed)
        self.kinds = kinds
        self.log = place.folder / "log"
        self.log.touch()
        self.file = place.file(document(seed % 2, self.log))
        self.kills = 0
        self.run = None
        self.engine = None

    def start(self):
        """Return the living engine, or start one: that of a new run, or the heir."""
        if self.engine and self.engine.process.poll() is None:
            return self.engine
        self.run = self.run or self.place.newest_run()
        if self.run:
            self.engine = self.place.start("resume", self.run, "-j", JOBS)
        else:
            workspace = self.place.workspace
            self.engine = self.place.start("run", self.file, "-j", JOBS, "--workspace", workspace)
        return self.engine

    def blow(self, kills):
        """Kill so many times, or until the run has ended; return the last engine."""
        for _ in range(kills):
            engine = self.start()
            if "engine" not in self.kinds:
                self.run = self.place.wait_for_run()
            # A third of the kills meet the engine while it starts and takes over.
            early = self.dice.random() < 0.33
            if not early:
                self.wait_for_work(engine)
            if not engine.lives_for(self.dice.uniform(0.0, 0.4)):
                break
            self.strike(engine)
            self.kills += 1
        engine = self.start()
        self.run = self.place.wait_for_run()
        return engine

    def wait_for_work(self, engine):
        """Wait until the tasks write something, or the engine has ended."""
        before = self.log.stat().st_size
        wait_until(
            lambda: self.log.stat().st_size > before or engine.process.poll() is not None,
            "a task begins or ends",
        )

    def strike(self, engine):
        """Kill the engine, and its keepers if the storm is of that kind."""
        victims = [engine.pid]
        if "keeper" in self.kinds:
            victims += self.place.keepers()
        if "engine" not in self.kinds:
            victims.remove(engine.pid)
        self.dice.shuffle(victims)
        for pid in victims:
            kill(pid)
        if engine.pid in victims:
            engine.process.wait()


def calm(place, seed):
    """Run the same file undisturbed; return what its tasks came to."""
    log = place.folder / "log"
    log.touch()
    answer = place.run(document(seed % 2, log), "-j", JOBS)
    return verdicts(answer.json), read_log(log)


def verdicts(status):
    """What must be the same whatever was killed: states, and why."""
    return {
        task["name"]: (task["state"], task["cause"], *last_code(task)) for task in status["tasks"]
    }


def last_code(task):
    attempts = task["attempts"]
    return (attempts[-1]["exit_code"], attempts[-1]["signal"]) if attempts else (None, None)
