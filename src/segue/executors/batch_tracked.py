"""One job that a batch system has or may have, as this engine follows it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from segue.executors import batch_files
from segue.executors.batch_answers import Listing, Row, base_id
from segue.executors.batch_journal import Intent
from segue.executors.batch_judge import Facts
from segue.executors.batch_outbox import id_of
from segue.executors.batch_records import Begun, Exit
from segue.executors.batch_states import Phase, meaning_of
from segue.executors.batch_waiting import Waiting
from segue.protocols.executor import JobKey


def _monotonic_age(since: float | None) -> float:
    return 0.0 if since is None else time.monotonic() - since


@dataclass(slots=True)
class Tracked:
    """A job, and what has been seen of it. Times are monotonic.

    Without a folder (its journal is gone, and only the store knew its id) nothing but
    the batch system's own word is known of it.
    """

    key: JobKey
    intent: Intent
    program: str = ""
    begun: Begun | None = None
    exit: Exit | None = None
    told_started: bool = False
    cancelled_at: float | None = None
    unsure_since: float = 0.0
    waiting: Waiting = field(default_factory=Waiting)
    _unknown_since: float | None = None
    _ending_since: float | None = None

    @property
    def job_id(self) -> str:
        """The id in the queue; empty while nobody has said it."""
        return self.intent.job_id

    @property
    def bell(self) -> str:
        """The folder in which it rings."""
        return self.intent.bell

    def read_records(self) -> None:
        """Read what its wrapper has left."""
        if not self.intent.folder:
            return
        self.begun = batch_files.begun_of(self.intent.folder, self.intent.ticket)
        self.exit = batch_files.exit_of(self.intent.folder, self.intent.ticket)
        if self.exit and self._ending_since is None:
            self._ending_since = time.monotonic()

    def listed(self, row: Row | None) -> None:
        """Note what the queue says; read the records where they say more."""
        meaning = meaning_of(row.state) if row else None
        if row is None:
            self._unknown_since = self._unknown_since or time.monotonic()
        else:
            self._unknown_since = None
        if meaning and meaning.phase is Phase.ENDED and self._ending_since is None:
            self._ending_since = time.monotonic()
        # A job that waits or runs has nothing to say that its bell would not: with
        # thousands of them on a network file system, looking would take seconds.
        if row is None or (meaning and meaning.phase in (Phase.ENDING, Phase.ENDED)):
            self.read_records()

    def facts(
        self, row: Row | None, asked: bool, accounted: Row | None, asked_accounts: bool
    ) -> Facts:
        """Return all that is known, for the judge."""
        return Facts(
            key=self.key,
            job_id=self.job_id,
            program=self.program,
            has_folder=bool(self.intent.folder),
            begun=self.begun,
            exit=self.exit,
            listed=row,
            accounted=accounted,
            asked=asked,
            asked_accounts=asked_accounts,
            unknown_s=_monotonic_age(self._unknown_since),
            ending_s=_monotonic_age(self._ending_since),
            told_started=self.told_started,
            cancelled=self.cancelled_at is not None,
            last_words=self._last_words(row or accounted),
        )

    def _last_words(self, row: Row | None) -> str:
        """Return what its daemons may have said of its end; only such ends are looked at."""
        if self.exit:
            killed = self.exit.signal is not None or self.exit.told_to_end
        else:
            killed = row is not None and (row.ended_with[1] > 0 or "CANCELLED" in row.state)
        if not killed or not self.intent.folder:
            return ""
        # A job with one log for both writes to the first of them.
        return batch_files.tail(f"{self.intent.folder}/stderr") or batch_files.tail(
            f"{self.intent.folder}/stdout"
        )

    def row_in(self, listing: Listing | None) -> Row | None:
        """Return what an answer says of the job.

        Elements of an array that are cancelled before they begin lose their rows; what has
        become of them is then said of the array.
        """
        if listing is None:
            return None
        row = listing.rows.get(self.job_id)
        if row is not None or self.begun is not None:
            return row
        of_array = listing.rows.get(base_id(self.job_id))
        meaning = meaning_of(of_array.state) if of_array else None
        return of_array if meaning and meaning.phase is Phase.ENDED else None

    def take_back(self) -> bool:
        """Keep the job from ever beginning; False when it has begun, or nobody can know."""
        if not self.intent.folder:
            return False
        try:
            taken = batch_files.revoke(self.intent.folder, self.intent.ticket)
        except OSError:
            return False
        if not taken:
            self.read_records()
        return taken

    def name_output(self) -> None:
        """Give its output the names that hold the job's id."""
        intent = self.intent
        if intent.folder:
            batch_files.name_output(intent.folder, intent.workdir, intent.output, self.job_id)


def ids_to_account(jobs: Iterable[Tracked]) -> list[str]:
    """Return the ids to ask the accounts for: of elements that never began, the array's too."""
    ids: dict[str, None] = {}
    for tracked in jobs:
        ids[tracked.job_id] = None
        if tracked.begun is None:
            ids[base_id(tracked.job_id)] = None
    return list(ids)


def match_tickets(unnamed: Iterable[Tracked], rows: Iterable[Row]) -> Iterator[tuple[Tracked, str]]:
    """Yield the jobs whose ids were not known, each with the id of the row that has its ticket."""
    by_ticket = {row.ticket: row.job_id.partition("_")[0] for row in rows if row.ticket}
    for tracked in unnamed:
        array_id = by_ticket.get(tracked.intent.ticket)
        if array_id:
            yield tracked, id_of(array_id, tracked.intent.element)
