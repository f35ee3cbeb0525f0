"""Which runner, and who is next: chosen without any runner."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from segue.executors.runner_account import Account
from segue.executors.runner_line import PASSES, Line
from segue.executors.runner_placement import Room, choose, impact, in_words, largest
from segue.protocols.executor import JobKey
from segue.protocols.runner import Capacity, fits


def key(number):
    return JobKey("r", number, 1)


def room(name, cores, memory_mb=0, free=None, running=0):
    total = {"cores": cores, "memory_mb": memory_mb}
    return Room(name, total, total if free is None else {"cores": free}, running)


def test_the_runner_on_which_it_weighs_least_is_chosen():
    needs = {"cores": 2, "memory_mb": 5_000}
    rooms = [room("first", 70, 20_000), room("second", 4, 80_000), room("third", 10, 30_000)]

    assert [round(impact(needs, each.free), 2) for each in rooms] == [0.25, 0.5, 0.2]
    assert choose(needs, rooms).name == "third"


def test_of_equals_the_one_with_fewest_jobs_is_chosen_then_the_first_by_name():
    rooms = [room("c", 4), room("b", 4, running=1), room("a", 4, running=1)]

    assert choose({"cores": 1}, rooms).name == "c"
    assert choose({"cores": 1}, rooms[1:]).name == "a"


def test_what_is_not_there_at_all_is_no_room():
    assert choose({"cores": 1, "gpus": 1}, [room("a", 4)]) is None
    assert largest({"gpus": 1}, []) is None
    assert in_words({"gpus": 2, "memory_mb": 1}) == "2 gpus, 1 MB of memory"


def test_first_in_first_out_among_equals():
    line = Line()
    for number in range(3):
        line.put(key(number), {"cores": 1})

    assert [line.next([room("a", 4)]).key for _ in range(3)] == [key(0), key(1), key(2)]
    assert line.next([room("a", 4)]) is None


def test_what_was_out_already_is_the_first_again():
    line = Line()
    line.put(key(0), {"cores": 1})
    line.put(key(1), {"cores": 2}, first=True)
    line.put(key(2), {"cores": 1}, first=True)

    assert line.clear() == [key(2), key(1), key(0)]


def test_who_is_taken_out_is_not_placed():
    line = Line()
    for number in range(3):
        line.put(key(number), {"cores": 1})

    assert line.take_out([key(1), key(0), key(9)]) == [key(1), key(0)]
    assert line.next([room("a", 1)]).key == key(2)
    assert len(line) == 0


def test_a_runner_is_kept_for_one_who_was_passed_often_and_for_nobody_else():
    line = Line()
    line.put(key(0), {"cores": 4})
    half_full = [room("a", 4, free=2), room("b", 2, free=1)]
    for number in range(1, PASSES + 3):
        line.put(key(number), {"cores": 1})

    first = [line.next(half_full).runner for _ in range(PASSES)]
    then = [line.next(half_full).runner for _ in range(2)]

    assert set(first) == {"a"}
    assert then == ["b", "b"]
    assert line.next([room("a", 4)]).key == key(0)


def test_what_no_runner_can_ever_hold_is_told():
    line = Line()
    line.put(key(0), {"cores": 1})
    line.put(key(1), {"cores": 9})
    line.put(key(2), {"cores": 9})

    assert list(line.never_fitting([room("a", 4), room("b", 8)])) == [
        ({"cores": 9}, [key(1), key(2)])
    ]


needs_drawn = st.fixed_dictionaries(
    {"cores": st.integers(1, 4)}, optional={"memory_mb": st.integers(1, 8)}
)
totals_drawn = st.lists(
    st.fixed_dictionaries({"cores": st.integers(1, 6), "memory_mb": st.integers(0, 10)}),
    min_size=1,
    max_size=4,
)


class Farm:
    """Runners that exist in numbers only; their jobs end in the order in which they began."""

    def __init__(self, totals):
        self.totals = {f"runner {number}": total for number, total in enumerate(totals)}
        self.running = deque()

    def rooms(self):
        return [Room(name, total, self.free(name)) for name, total in self.totals.items()]

    def free(self, name):
        free = dict(self.totals[name])
        for runner, needs in self.running:
            if runner == name:
                free = {each: amount - needs.get(each, 0) for each, amount in free.items()}
        return free

    def place(self, line, needs):
        """Place what can be placed; return the jobs."""
        placed = []
        while (found := line.next(self.rooms())) is not None:
            assert fits(needs[found.key], self.free(found.runner)), "more than there is"
            self.running.append((found.runner, needs[found.key]))
            placed.append(found.key)
        return placed


@given(totals_drawn, st.lists(needs_drawn, max_size=40), st.data())
def test_no_runner_is_given_more_than_it_has_and_all_that_fits_is_placed(totals, wanted, data):
    farm, line, placed = Farm(totals), Line(passes=3), []
    needs = {key(number): each for number, each in enumerate(wanted)}
    waiting = deque(needs)
    while waiting or farm.running:
        for _ in range(min(len(waiting), data.draw(st.integers(1, 5)))):
            line.put(waiting[0], needs[waiting.popleft()])
        placed += farm.place(line, needs)
        for _ in range(min(len(farm.running), data.draw(st.integers(0 if waiting else 1, 3)))):
            farm.running.popleft()
        placed += farm.place(line, needs)

    too_large = {each for _, keys in line.never_fitting(farm.rooms()) for each in keys}
    assert sorted([*placed, *too_large]) == sorted(needs)
    assert len(line) == len(too_large)


@given(totals_drawn, st.lists(needs_drawn, min_size=1, max_size=5))
def test_nobody_is_starved_by_smaller_ones_that_never_cease_to_come(totals, large):
    passes = 3
    farm, line = Farm(totals), Line(passes=passes)
    needs = {}

    def arrive(each):
        needs[key(len(needs))] = each
        line.put(key(len(needs) - 1), each)

    for _ in range(sum(total["cores"] for total in totals)):
        arrive({"cores": 1})
    farm.place(line, needs)
    wanted = [each for each in large if any(fits(each, total) for total in farm.totals.values())]
    waiting = {key(len(needs) + at) for at in range(len(wanted))}
    for each in wanted:
        arrive(each)
    slots = sum(total["cores"] for total in totals)
    for _ in range((passes + 2 * slots) * (len(wanted) + 1)):
        arrive({"cores": 1})
        waiting.difference_update(farm.place(line, needs))
        farm.running.popleft()

    assert not waiting


def test_what_was_given_since_a_runner_spoke_is_taken_off():
    account = Account("a")
    account.hear(Capacity({"cores": 4, "gpus": 1}, {"cores": 4, "gpus": 1}, "host", "boot"))

    account.give("r.0.1", {"cores": 1, "gpus": 1})
    account.give("r.0.1", {"cores": 1, "gpus": 1})
    assert account.room().free == {"cores": 3, "gpus": 0}

    account.hear(Capacity({"cores": 4, "gpus": 1}, {"cores": 1, "gpus": 0}, "host", "boot"))
    account.seen("r.0.1")
    assert account.room().free == {"cores": 1, "gpus": 0}

    account.release("r.0.1")
    account.release("r.0.1")
    account.hear(Capacity({"cores": 4, "gpus": 1}, {"cores": 2, "gpus": 1}, "host", "boot"))
    assert account.room().free == {"cores": 2, "gpus": 1}
