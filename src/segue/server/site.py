"""A server's own things, which its routes share."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass, field

from segue.engine.scheduler import Turn
from segue.server.auth import Gate
from segue.server.cache import Cache
from segue.server.desk import Desk
from segue.server.host import Host
from segue.server.hub import Hub
from segue.server.metrics import Metrics
from segue.server.office import Office
from segue.server.settings import Parts, ServerSettings
from segue.server.skeletons import Skeletons


@dataclass
class Site:
    """Everything that lives as long as the server."""

    settings: ServerSettings
    parts: Parts
    office: Office
    host: Host
    hub: Hub
    gate: Gate
    metrics: Metrics
    skeletons: Skeletons = field(default_factory=Skeletons)
    cache: Cache = field(default_factory=Cache)
    #: One run is stored at a time: writers that queue here do not fight over the store.
    storing: threading.Lock = field(default_factory=threading.Lock)
    #: Steps are counted on from where the last one who asked has stopped.
    counting: threading.Lock = field(default_factory=threading.Lock)
    started_at: float = field(default_factory=time.time)
    name: str = field(default_factory=socket.gethostname)
    process_id: int = field(default_factory=os.getpid)


def open_site(settings: ServerSettings, parts: Parts) -> Site:
    """Return a site whose threads wait for work; its engine and hub are not started yet."""
    office = Office(
        lambda: Desk(parts.open_store(), parts.open_windows(), parts.clock), settings.workers
    )
    metrics = Metrics()
    hub = Hub(office, parts.clock)

    def turned(turn: Turn) -> None:
        metrics.turned(turn)
        parts.on_turn(turn)
        hub.ring()

    return Site(
        settings=settings,
        parts=parts,
        office=office,
        host=Host(parts, settings, turned),
        hub=hub,
        gate=Gate(settings.host, settings.cors_origins),
        metrics=metrics,
    )
