"""From a body to a stored run, where storing goes wrong."""

import json

import pytest
from served import daggy

from segue.cli.serve import assemble
from segue.cli.serve_config import Config
from segue.model.errors import StoreError
from segue.server.bodies import Envelope
from segue.server.desk import Desk
from segue.server.submission import Order, take


class LosesAnswers:
    """A store whose answer to a new run is lost, before or after it has stored it."""

    def __init__(self, store, *, stores):
        self._store = store
        self._stores = stores

    def __getattr__(self, name):
        return getattr(self._store, name)

    def create_run(self, *words):
        if self._stores:
            self._store.create_run(*words)
        raise StoreError("the store has gone")


@pytest.fixture
def assembled(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_STORE", f"sqlite://{tmp_path}/segue.db")
    return assemble(Config(workspace=tmp_path / "runs"))


def submitted(assembled, *, stores):
    settings, parts = assembled
    store = parts.open_store()
    desk = Desk(LosesAnswers(store, stores=stores), parts.open_windows(), parts.clock)
    envelope = Envelope(document=json.dumps(daggy(a="true")), path="dag.json")
    try:
        return take(desk, Order(envelope, "application/json", "0"), parts, settings)
    finally:
        desk.close()


def test_a_run_whose_answer_was_lost_is_there_with_its_folder(assembled):
    settings, _ = assembled

    taken = submitted(assembled, stores=True)

    assert not taken.again
    assert taken.task_count == 1
    assert [each.name for each in settings.workspace.iterdir()] == [taken.record.id]


def test_a_run_that_was_not_stored_leaves_no_folder(assembled):
    settings, _ = assembled

    with pytest.raises(StoreError, match="has gone"):
        submitted(assembled, stores=False)

    assert list(settings.workspace.iterdir()) == []
