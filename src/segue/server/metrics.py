"""Numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from segue.engine.scheduler import Turn
from segue.model.states import RunState

MEDIA_TYPE = CONTENT_TYPE_LATEST


# When a number began is of use to nobody here, and doubles the page.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counts what one server does; several in one process do not share their numbers."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self.requests = Counter(
            "segue_http_requests", "Requests by route and status.",
            ["method", "route", "status"], registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "segue_http_request_seconds", "Time until an answer began, by route.",
            ["route"], registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0),
        )  # fmt: skip
        self.steps = Counter(
            "segue_task_steps", "Changes of task states that the engine has stored, by new state.",
            ["state"], registry=registry,
        )  # fmt: skip
        self.runs_ended = Counter(
            "segue_runs_ended", "Runs that have ended here, by state.", ["state"], registry=registry
        )
        self.runs = Gauge(
            "segue_runs", "Runs in the store, by state.", ["state"], registry=registry
        )
        self.engine_runs = Gauge(
            "segue_engine_runs", "Runs that the engine drives.", registry=registry
        )
        self.engine_alive = Gauge(
            "segue_engine_alive", "1 while the engine turns.", registry=registry
        )
        self.waiting = Gauge(
            "segue_http_waiting", "Requests that wait for a worker.", registry=registry
        )
        self.listeners = Gauge(
            "segue_event_listeners", "Streams of events that are open.", registry=registry
        )

    def turned(self, turn: Turn) -> None:
        """Count what the engine has stored in a turn."""
        for commit in turn.changed.values():
            for line in commit.history:
                if line.kind == "step":
                    self.steps.labels(line.new).inc()
        for record in turn.ended:
            self.runs_ended.labels(record.state.value).inc()

    def page(self, runs: Mapping[RunState, int]) -> bytes:
        """Return all numbers as Prometheus reads them; `runs` counts runs by state."""
        for state in RunState:
            self.runs.labels(state.value).set(runs.get(state, 0))
        return generate_latest(self.registry)
