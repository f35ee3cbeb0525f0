"""`/api/v2/runs/{run}`: history, graph, timeline and progress."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from segue.model.run import HistoryRecord
from segue.model.states import TaskState
from segue.protocols.store import TaskFilter
from segue.protocols.windows import RunRow, TaskOrder, TaskQuery
from segue.server import documents as d
from segue.server import picture_documents as pictured
from segue.server import pictures, shapes
from segue.server.answers import Answer, answer
from segue.server.auth import viewer
from segue.server.desk import Desk
from segue.server.graph_picture import as_text, graph, outline
from segue.server.paths import RunName
from segue.server.queries import next_of_tasks, task_query
from segue.server.site import Site
from segue.server.task_rows import task_rows

Text = Annotated[str, Query(max_length=1000)]
Bins = Annotated[int, Query(ge=1, le=1000)]
#: Names of tasks are looked up one by one, up to so many, where no graph is at hand.
NAMES_LOOKED_UP = 64
HISTORY_AT_MOST = 5000


def routes(site: Site) -> APIRouter:
    """Return the routes of what windows draw."""
    router = APIRouter(prefix="/api/v2/runs/{run}", tags=["pictures"])

    @router.get("/history", response_model=pictured.History, dependencies=[viewer])
    async def get_history(
        request: Request,
        run: RunName,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=HISTORY_AT_MOST)] = 500,
        newest: Annotated[bool, Query(description="The last lines, not the first.")] = False,
    ) -> Response:
        """Return what has happened in a run, in order."""

        def page(desk: Desk) -> pictured.History:
            last = desk.store.newest_history(run) if newest else None
            begin = max(after, last.number - limit) if last else after
            found = list(desk.store.history(run, begin, limit + 1))
            shown = found[:limit]
            names = names_in(desk, site, run, shown)
            return pictured.History(
                history=[shapes.history_line(each, names) for each in shown],
                next=shown[-1].number if len(found) > limit else None,
            )

        return await answer(site, request, page)

    @router.get("/graph", response_model=pictured.Graph, dependencies=[viewer])
    async def get_graph(
        request: Request,
        run: RunName,
        level: Literal["template", "task"] = "template",
        template: Annotated[
            list[str], Query(description="These templates are shown as their tasks.")
        ] = [],  # noqa: B006 - FastAPI copies it
        limit: Annotated[int, Query(ge=1, le=2000)] = 300,
        form: Annotated[Literal["json", "dot", "mermaid"], Query(alias="format")] = "json",
    ) -> Response:
        """Return the graph by template; at level `task` all templates are expanded."""

        def drawn(desk: Desk) -> Answer:
            picture = _graph(desk, site, _run(desk, site, run), level, template, limit)
            if form == "json":
                return Answer(picture)
            text = as_text(run, picture, form).encode()
            return Answer(text, media_type="text/plain; charset=utf-8")

        return await answer(site, request, drawn)

    @router.get(
        "/timeline",
        response_model=pictured.TaskTimeline | pictured.TemplateTimeline,
        dependencies=[viewer],
    )
    async def get_timeline(
        request: Request,
        run: RunName,
        level: Literal["template", "task"] = "task",
        template: Text = "",
        name: Text = "",
        state: Annotated[list[TaskState], Query()] = [],  # noqa: B006 - FastAPI copies it
        bins: Bins = 200,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        cursor: Text = "",
    ) -> Response:
        """Return when tasks ran: one by one, by their first start, or counted by template."""
        query = task_query(
            states=state,
            name=name,
            template=template,
            begun=True,
            sort="startedAt",
            limit=limit,
            cursor=cursor,
            now=site.parts.clock.now(),
        )
        if level == "task":
            return await answer(site, request, lambda desk: _bars(desk, site, run, query, limit))
        return await answer(site, request, lambda desk: _template_bars(desk, site, run, bins))

    @router.get("/progress", response_model=pictured.Progress, dependencies=[viewer])
    async def get_progress(request: Request, run: RunName, bins: Bins = 200) -> Response:
        """Return how many tasks were in which state, over the time of the run."""
        return await answer(site, request, lambda desk: _progress(desk, site, run, bins))

    return router


def names_in(desk: Desk, site: Site, run: str, lines: list[HistoryRecord]) -> dict[int, str]:
    """Return the names of the tasks that the lines speak of, by position."""
    wanted = {each.task for each in lines if each.task is not None}
    if not site.skeletons.has(run) and len(wanted) <= NAMES_LOOKED_UP:
        return {
            each.position: each.node.name
            for at in wanted
            for each in desk.store.nodes(run, TaskFilter(after=at - 1, limit=1))
        }
    names = site.skeletons.of(run, desk.windows).names
    return {at: names[at] for at in wanted if at < len(names)}


def _run(desk: Desk, site: Site, run: str) -> RunRow:
    """Return the run as it was a moment ago: reading what its file said takes a while."""
    return site.cache.get((run, "run"), int(desk.clock.now() * 4), lambda: desk.run(run))


def _times(row: RunRow, now: float) -> tuple[float, float]:
    """Return when a run began, and when it ended or what time it is."""
    record = row.record
    begin = record.started_at or record.created_at
    return begin, max(begin, record.ended_at or now)


# The graph -----------------------------------------------------------------------


def _graph(
    desk: Desk, site: Site, row: RunRow, level: str, templates: list[str], limit: int
) -> pictured.Graph:
    run = row.record.id
    skeleton = site.skeletons.of(run, desk.windows)
    expanded = frozenset(skeleton.templates if level == "task" else templates)
    drawn = site.cache.get(
        (run, "outline", expanded, limit),
        len(skeleton.names),
        lambda: outline(skeleton, expanded, limit),
    )
    counts = site.cache.get(
        (run, "templates"),
        row.record.updated_at,
        lambda: list(desk.windows.template_counts(run)),
    )
    states: dict[str, dict[str, int]] = {}
    for count in counts:
        states.setdefault(count.template, {})[count.state.value] = count.number
    task_states: dict[str, str] = {}
    for name in {skeleton.templates[skeleton.template[at]] for at in drawn.shown}:
        query = TaskQuery(template=name, order=TaskOrder.POSITION, limit=limit)
        for each in desk.windows.tasks(run, query):
            task_states[each.name] = each.record.state.value
    return graph(drawn, level, states, task_states)


# Plots ---------------------------------------------------------------------------


def _bars(desk: Desk, site: Site, run: str, query: TaskQuery, limit: int) -> pictured.TaskTimeline:
    row = _run(desk, site, run)
    rows = task_rows(desk, site, run, query)
    shown = rows[:limit]
    bars: dict[int, list[pictured.Bar]] = {}
    for each in desk.store.attempts(run, [task.position for task in shown]) if shown else ():
        bar = pictured.Bar(
            number=each.number,
            submitted_at=d.moment(each.submitted_at),
            started_at=d.moment(each.started_at),
            ended_at=d.moment(each.ended_at),
            state=each.state,
            cause=each.cause,
        )
        bars.setdefault(each.task, []).append(bar)
    begin, end = _times(row, query.now)
    return pictured.TaskTimeline(
        begin=d.moment(begin),
        end=d.moment(end),
        rows=[
            pictured.TaskBars(
                name=task.name,
                template=task.template or task.name,
                state=task.record.state,
                attempts=bars.get(task.position, []),
            )
            for task in shown
        ],
        next_cursor=next_of_tasks(rows, limit, "startedAt"),
    )


def _template_bars(desk: Desk, site: Site, run: str, bins: int) -> pictured.TemplateTimeline:
    row = _run(desk, site, run)
    begin, end = _times(row, desk.clock.now())
    width_s = pictures.width_for(end - begin, bins)

    def counted() -> pictured.TemplateTimeline:
        counts = desk.windows.template_counts(run)
        rows = pictures.template_bars(desk.windows.spans(run, width_s), counts, width_s, begin, end)
        first = begin // width_s * width_s
        last = (end // width_s + 1) * width_s
        return pictured.TemplateTimeline(
            begin=d.moment(first), end=d.moment(last), bin_seconds=width_s, rows=rows
        )

    ended = row.record.ended_at is not None
    version = (row.record.updated_at, None if ended else int(end / width_s))
    return site.cache.get((run, "spans", bins), version, counted)


def _progress(desk: Desk, site: Site, run: str, bins: int) -> pictured.Progress:
    row = _run(desk, site, run)
    now = desk.clock.now()
    begin, end = _times(row, now)

    def counted() -> pictured.Progress:
        steps = site.cache.get((run, "steps"), None, pictures.Steps)
        with site.counting:
            steps.fit(begin, end)
            found, last = desk.windows.step_counts(run, steps.last, steps.width_s)
            steps.add(found, last)
            # As it stands behind the last line that was counted, or a moment later.
            counts = desk.run(run).record.counts
            return pictures.progress(steps, counts, begin, end, bins, now)

    ended = row.record.ended_at is not None
    version = (row.record.updated_at, None if ended else int(now))
    return site.cache.get((run, "progress", bins), version, counted)
