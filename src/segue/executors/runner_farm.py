"""The runners of a pool: a line to each, what is free there, and a bell for what they say."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator

from segue.executors.runner_account import Account
from segue.executors.runner_client import RunnerClient
from segue.executors.runner_journal import Journal
from segue.executors.runner_link import RunnerLink
from segue.executors.runner_news import News
from segue.executors.runner_placement import Room
from segue.model.pools import RunnerSettings
from segue.protocols.runners_shown import RunnerShown, RunnersShown


class Farm:
    """All runners that an executor speaks to, by their addresses.

    Those that the pool names are there from the start; one that it names no more may still
    have jobs, and is spoken to when `link` asks for it.
    """

    def __init__(self, settings: RunnerSettings, token: str, journal: Journal, owner: str) -> None:
        self._named = {url.rstrip("/") for url in settings.urls}
        self._token = token
        self._journal = journal
        self._owner = owner
        self._links: dict[str, RunnerLink] = {}
        self._accounts: dict[str, Account] = {}
        self._news: deque[tuple[RunnerLink, News]] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        for url in settings.urls:
            self.link(url)

    def link(self, url: str) -> RunnerLink:
        """Return the line to a runner; one that the pool names no more gets no new jobs."""
        url = url.rstrip("/")
        if url not in self._links:
            self._accounts[url] = Account(url)
            client = RunnerClient(url, self._token)
            self._links[url] = RunnerLink(
                client, self._journal, self._owner, self._take, retired=url not in self._named
            )
        return self._links[url]

    def account(self, link: RunnerLink) -> Account:
        """Return the books of a runner."""
        return self._accounts[link.url]

    def rooms(self) -> dict[str, Room]:
        """Return what is free where jobs can be given now."""
        return {
            url: self._accounts[url].room()
            for url, link in self._links.items()
            if link.reachable and not link.retired and not self._accounts[url].full
        }

    def all_rooms(self) -> list[Room] | None:
        """Return all runners; None while one of them has never said what it has."""
        accounts = [self._accounts[url] for url in self._named]
        if not all(account.heard for account in accounts):
            return None
        return [account.room() for account in accounts]

    def silent(self) -> set[RunnerLink]:
        """Return the runners that do not answer."""
        return {link for link in self._links.values() if not link.reachable}

    def shown(self, waiting: int) -> RunnersShown:
        """Return what is known of them; in any thread."""
        links = [link for link in list(self._links.values()) if not link.retired]
        return RunnersShown(waiting, tuple(_shown(link) for link in links))

    # News -------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is news, or somebody has rung."""
        return self._bell

    def ring(self) -> None:
        """Make the descriptor readable."""
        os.eventfd_write(self._bell, 1)

    def news(self) -> Iterator[tuple[RunnerLink, News]]:
        """Return what has been said, each once, and silence the bell."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        while self._news:
            yield self._news.popleft()

    def hang_up(self) -> None:
        """End all threads; what they have said last is still there."""
        links = list(self._links.values())
        for link in links:
            link.leave()  # all at once: each may wait for a machine that is not there
        for link in links:
            link.close()

    def close(self) -> None:
        """Take the bell down."""
        os.close(self._bell)

    def _take(self, link: RunnerLink, news: News) -> None:
        """Take news in, in any thread."""
        self._news.append((link, news))
        self.ring()


def _shown(link: RunnerLink) -> RunnerShown:
    said = link.capacity
    if said is None:
        return RunnerShown(link.url, "", False, link.said, {}, {}, 0, False, "")
    return RunnerShown(
        link.url, said.hostname, link.reachable, link.said, said.total, said.free, said.running,
        said.enforced, said.version,
    )  # fmt: skip
