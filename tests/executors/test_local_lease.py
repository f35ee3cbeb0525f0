"""Jobs of the local executor that live only as long as somebody says so."""

import pytest
from places import alive, gated, job, key, open_gate, opened, pids_of, wait_for_death

from segue.model.events import Returned, Started
from segue.model.states import Cause

SHORT_S = 0.5
LONG_S = 600.0
#: The kernel waits for 2**31 ms at the most, which is less than 25 days.
MONTH_S = 30 * 24 * 3600.0


def test_a_job_whose_lease_is_over_is_stopped_with_its_children(state, tmp_path):
    with opened(state) as local:
        local.executor.submit([job(tmp_path, 0, "sleep 600 & sleep 600")], {key(0): SHORT_S})

        end = local.end(key(0))

    assert end.cause is Cause.LOST
    assert "nobody has asked for it" in end.message


def test_a_lease_that_is_renewed_goes_on(state, tmp_path):
    with opened(state) as local:
        jobs = [gated(tmp_path, 0), job(tmp_path, 1, "sleep 600")]
        local.executor.submit(jobs, {key(0): SHORT_S, key(1): 2 * SHORT_S})
        local.executor.renew({key(0): LONG_S, key(9): LONG_S})

        assert local.end(key(1)).cause is Cause.LOST
        assert all(alive(pid) for pid in pids_of(tmp_path, 0))
        open_gate(tmp_path, 0)
        assert local.end(key(0)).cause is None


@pytest.mark.parametrize("times", [{"lease_s": MONTH_S}, {"timeout_s": MONTH_S}])
def test_a_time_longer_than_the_kernel_waits_for_at_once_harms_nobody(state, tmp_path, times):
    lease_s = times.pop("lease_s", LONG_S)
    with opened(state) as local:
        local.executor.submit([gated(tmp_path, 0, **times)], {key(0): lease_s})
        local.first(Started, key(0))
        open_gate(tmp_path, 0)

        assert local.end(key(0)).cause is None


def test_a_lease_runs_out_without_an_engine_and_other_jobs_live_on(state, tmp_path):
    with opened(state) as first:
        leased, other = gated(tmp_path, 0), gated(tmp_path, 1)
        first.executor.submit([leased], {key(0): SHORT_S})
        first.submit(other)
        (pid,) = pids_of(tmp_path, 0)
        first.first(Started, key(1))
    wait_for_death(pid)

    with opened(state) as heir:
        answers = heir.find(key(0), key(1))

        assert answers[key(1)].job_id
        open_gate(tmp_path, 1)
        assert heir.end(key(1)).cause is None
        assert heir.end(key(0)).cause is Cause.LOST


def test_a_job_that_waits_for_a_slot_is_given_back_when_its_lease_is_over(state, tmp_path):
    with opened(state, slots=1) as local:
        local.submit(gated(tmp_path, 0))
        local.first(Started, key(0))

        local.executor.submit([job(tmp_path, 1, "true")], {key(1): SHORT_S})

        local.first(Returned, key(1))
        open_gate(tmp_path, 0)
        local.end(key(0))
