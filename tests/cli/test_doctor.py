"""`segue doctor`: what it looks at, and what it advises."""

from commands import task


def findings(answer):
    return {each["subject"]: each for each in answer["findings"]}


def test_all_is_well(segue):
    done = segue("doctor")

    assert "BAD" not in done.out
    assert f"store: {segue.store}, journal wal" in done.out


def test_a_store_that_cannot_be_opened_is_found(segue):
    done = segue("doctor", code=3, SEGUE_STORE=f"sqlite://{segue.folder}")

    assert "BAD store" in done.out


def test_a_store_that_nobody_knows_is_found(segue):
    answer = segue.json("doctor", code=3, SEGUE_STORE="oracle://host/base")

    assert answer["ok"] is False
    assert "no store knows" in findings(answer)["store"]["detail"]


def test_a_run_without_an_engine_is_found_with_what_to_do(segue):
    gate = segue.gate()
    engine = segue.start("run", segue.write({"a": task(gate.script())}))
    gate.wait()
    run = segue.newest()
    living = segue.json("doctor")
    engine.process.kill()
    engine.process.wait()

    found = findings(segue.json("doctor"))[f"run {run}"]

    assert "its engine is process" in findings(living)[f"run {run}"]["detail"]
    assert "its engine died" in found["detail"]
    assert found["advice"] == f"take it up: segue resume {run}"


def test_a_doctor_changes_nothing(segue):
    segue("doctor")

    assert segue.json("runs")["runs"] == []
