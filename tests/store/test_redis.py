import os

import pytest

from segue.model.errors import IllegalStepError, StoreError, UserError
from segue.model.run import HistoryRecord, TaskRecord
from segue.model.states import COMMAND_STEPS, STEPS, TaskState
from segue.protocols.store import Commit, TaskFilter
from segue.store.redis import RedisStore, open_redis
from segue.testing.store_suite import NODES, StoreSuite, example_lease, example_run


@pytest.fixture
def server():
    return "SEGUE_TEST_REDIS"


@pytest.fixture
def url(redis_service, server):
    return redis_service[server]


@pytest.fixture
def prefix(url):
    prefix = f"test-{os.urandom(6).hex()}"
    yield prefix
    with client_of(url) as client:
        for key in client.scan_iter(f"{prefix}:*"):
            client.delete(key)


@pytest.fixture
def opened(url, prefix):
    stores = []

    def again(prefix=prefix):
        stores.append(RedisStore(url, prefix))
        return stores[-1]

    yield again
    for each in stores:
        each.close()


@pytest.fixture
def store(opened):
    return opened()


@pytest.fixture
def redis_client(url):
    with client_of(url) as client:
        yield client


def client_of(url):
    import redis

    return redis.Redis.from_url(url, decode_responses=True)


class TestRedisStore(StoreSuite):
    @pytest.fixture
    def reopen(self, opened, store):
        return opened

    def test_a_page_of_a_state_is_found_behind_others(self, created, lease):
        steps = {at: (TaskState.WAITING, TaskRecord(TaskState.READY)) for at in (0, 1)}
        created.commit(Commit("study-1", steps=steps), lease)

        wanted = TaskFilter(states=(TaskState.READY,), after=0, limit=5)

        assert [each.position for each in created.nodes("study-1", wanted)] == [1]

    def test_history_that_leaves_a_number_out_is_refused(self, created, lease):
        with pytest.raises(IllegalStepError, match="left out"):
            created.commit(Commit("study-1", history=[HistoryRecord(3, 0.0, "remark")]), lease)

    def test_a_new_node_does_not_replace_an_old_one(self, created, lease):
        with pytest.raises(IllegalStepError, match="exists"):
            created.commit(Commit("study-1", nodes=NODES[:1], first_new=1), lease)


class TestRedisStoreWithJson(TestRedisStore):
    @pytest.fixture
    def server(self):
        return "SEGUE_TEST_REDIS_JSON"

    def test_documents_can_be_asked_for_by_path(self, created, redis_client, prefix):
        key = f"{prefix}:run:study-1"

        assert redis_client.execute_command("JSON.GET", key, "$.run.state") == '["running"]'
        found = redis_client.execute_command("JSON.GET", f"{key}:nodes", "$..task.name")
        assert found == '["a_1","fit"]'


def test_a_plain_server_keeps_documents_in_hashes(store, redis_client, prefix):
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))

    assert redis_client.hget(f"{prefix}:meta", "form") == "hash"
    assert redis_client.hget(f"{prefix}:run:study-1:records", "0").startswith('{"state":"waiting"')


def test_the_server_knows_every_step_of_the_model(store, redis_client, prefix):
    stored = redis_client.smembers(f"{prefix}:steps")

    assert stored == {f"{old}>{new}" for old, new in STEPS | COMMAND_STEPS}


def test_stores_share_a_server_by_their_prefixes(store, opened, prefix):
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))

    other = opened(f"{prefix}:other")

    assert other.run("study-1") is None
    assert list(other.runs()) == []


def test_a_store_keeps_the_form_that_it_was_begun_with(redis_service, redis_client, prefix):
    with_json = redis_service["SEGUE_TEST_REDIS_JSON"]
    with client_of(with_json) as client:
        client.hset(f"{prefix}:meta", mapping={"form": "hash", "version": 1})

        store = RedisStore(with_json, prefix)
        store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))

        assert client.type(f"{prefix}:run:study-1") == "hash"
        store.close()
        client.delete(*client.scan_iter(f"{prefix}:*"))


def test_documents_that_this_server_does_not_know_are_said(redis_client, url, prefix):
    redis_client.hset(f"{prefix}:meta", mapping={"form": "json", "version": 1})

    with pytest.raises(StoreError, match="RedisJSON module"):
        RedisStore(url, prefix)


def test_a_store_of_a_newer_segue_is_not_touched(redis_client, url, prefix):
    redis_client.hset(f"{prefix}:meta", mapping={"form": "hash", "version": 2})

    with pytest.raises(StoreError, match="newer Segue"):
        RedisStore(url, prefix)


def test_a_failing_turn_leaves_nothing_behind(store, redis_client, prefix):
    """Scripts are not undone: what is wrong with the last commit must be seen before the first."""
    for name in ("a-1", "b-2"):
        store.create_run(example_run(name), NODES, HistoryRecord(1, 0.0, "run"))
    leases = [store.acquire(example_lease(name), now=0.0) for name in ("a-1", "b-2")]

    def everything():
        keys = redis_client.scan_iter(f"{prefix}:run:*")
        return {key: redis_client.dump(key) for key in keys}

    before = everything()
    ready = {0: (TaskState.WAITING, TaskRecord(TaskState.READY))}
    wrong = {0: (TaskState.READY, TaskRecord(TaskState.SUBMITTING))}
    good = Commit("a-1", steps=ready, history=[HistoryRecord(2, 0.0, "remark")])

    with pytest.raises(StoreError, match="not in the state"):
        store.commit_many([(good, leases[0]), (Commit("b-2", steps=wrong), leases[1])])

    assert everything() == before


@pytest.fixture(scope="module")
def own_server(redis_service):
    from redis_server import server_of_ones_own

    options = ("--maxmemory", "40mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    with server_of_ones_own("forgetful", *options) as server:
        yield server


def test_a_server_that_throws_keys_away_is_refused(own_server):
    with client_of(own_server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")

    with pytest.raises(StoreError, match="noeviction"):
        open_redis(own_server.url)


def test_a_server_that_keeps_no_file_is_warned_of(own_server, caplog):
    with client_of(own_server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")

    open_redis(own_server.url).close()

    assert "append-only file" in caplog.text


def test_a_server_without_memory_says_so_and_keeps_what_it_has(own_server):
    with client_of(own_server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        store = open_redis(own_server.url + "?prefix=full")
        store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))
        lease = store.acquire(example_lease(), now=0.0)
        client.config_set("maxmemory", "1mb")
        ready = Commit("study-1", steps={0: (TaskState.WAITING, TaskRecord(TaskState.READY))})

        with pytest.raises(StoreError, match="memory"):
            store.commit(ready, lease)
        client.config_set("maxmemory", "40mb")
        store.commit(ready, lease)

    assert next(store.records("study-1"))[1].state is TaskState.READY
    store.close()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("redis://:wr0ng@127.0.0.1:1/0", StoreError, "is the server up"),
        ("redis://127.0.0.1:26750/0?colour=red", UserError, "redis://host:6379"),
        ("redis://127.0.0.1:many/0?password=wr0ng", UserError, "redis://host:6379"),
    ],
)
def test_a_store_that_cannot_be_opened_is_explained_without_its_password(url, error, said):
    with pytest.raises(error, match=said) as caught:
        open_redis(url)

    assert "wr0ng" not in str(caught.value)


def test_a_wrong_password_is_explained(own_server):
    with client_of(own_server.url) as client:
        client.config_set("requirepass", "right")

        with pytest.raises(StoreError, match="password") as caught:
            open_redis(own_server.url.replace("redis://", "redis://:wr0ng@"))

        client.config_set("requirepass", "")
    assert "wr0ng" not in str(caught.value)
