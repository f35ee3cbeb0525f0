"""Managed Tasks, run as jobs run them: a process for the Executor, one for the Task."""

import json
import signal

import pytest
from lute_job import job_in, lives

from segue.lute.results import latest_entry


@pytest.fixture
def job(tmp_path):
    return job_in(tmp_path)


# -- the sample's Tasks -----------------------------------------------------------------------

TEST = {"compound_var": {"int_var": 1, "dict_var": {}}, "pause_s": 0, "num_messages": 3}


def test_tester_says_its_messages_and_ends_well(job):
    code, output = job.run("Tester", {"Test": TEST})

    assert (code, output) == (0, "".join(f"Test message {number}\n" for number in range(3)))
    assert job.stored("Test") == "COMPLETED"
    assert job.stored("Test", "compound_var.int_var") == 1
    assert job.stored("Test", "result.summary") == "Test Finished."


def test_tester_fails_when_it_is_told_to(job):
    code, output = job.run("Tester", {"Test": TEST | {"throw_error": True}})

    assert code == 255
    assert "RuntimeError: Testing Error!" in output
    assert output.endswith("Exiting after Task failure. Result recorded.\n")
    assert job.stored("Test") == "FAILED"
    assert latest_entry(job.folder, "Test", "float_var") is None


def test_what_is_written_is_found_by_the_reader(job):
    written, _ = job.run("WriteTester", {"TestWriteOutput": {"pause_s": 0, "num_vals": 5}})
    read, output = job.run("ReadTester", {"TestReadOutput": {"pause_s": 0}})

    assert (written, read) == (0, 0)
    assert "Successfully loaded data!" in output
    assert job.stored("TestReadOutput", "result.summary") == "Was able to load 5 values."


def test_a_reader_without_a_writer_fails_and_says_why(job):
    code, output = job.run("ReadTester", {"TestReadOutput": {}})

    assert code == 255
    assert "TestWriteOutput has written none" in output
    assert job.stored("TestReadOutput") is None


def test_arrays_travel_beside_the_text(job):
    code, output = job.run("SocketTester", {"TestSocket": {"num_arrays": 2, "array_size": 500_000}})

    assert code == 0
    assert output.count("Received an array: {'type': 'd', 'shape': [500000]}") == 2


@pytest.mark.parametrize(("task", "expected"), [("BinaryTester", 0), ("BinaryErrTester", 255)])
def test_a_program_of_others_ends_as_its_exit_code_says(job, task, expected):
    code, output = job.run(task, {"TestBinary": {"p_arg1": 4}})

    assert code == expected
    assert ("/bin/echo 4\n4\n" in output) == (expected == 0)


def test_a_task_of_mpi_without_mpi_says_what_is_missing(job, tmp_path):
    code, output = job.run("MultiNodeCommunicationTester", PATH=str(tmp_path))

    assert code == 255
    assert "there is no mpirun" in output


# -- names and parameters ---------------------------------------------------------------------


def test_an_unknown_name_is_told_with_the_nearest(job):
    assert "did you mean 'Tester'?" in job.run("Testre")[1]
    assert "workflows call it Tester" in job.run("Test")[1]


def test_an_instance_of_a_sweep_has_a_section_of_its_own(job):
    sections = {"Test": TEST, "Test_1": TEST | {"num_messages": 1}}

    swept = job.run("Tester_1", sections)
    plain = job.run("Tester_2", sections)

    assert swept == (0, "Test message 0\n")
    assert plain[1].count("Test message") == 3


def test_parameters_that_do_not_fit_are_told_with_their_place(job):
    code, output = job.run("Tester", {"Test": {"compound_var": {"int_var": "x"}}})

    assert code == 255
    assert "config.yaml:3:" in output
    assert "'compound_var.dict_var'" in output
    assert job.stored("Test") is None


# -- what a Task does to its Executor -----------------------------------------------------------


def test_a_task_that_dies_of_a_signal_has_failed(job):
    code, output = job.script("print('last words', flush=True); os.kill(os.getpid(), 9)")

    assert code == 255
    assert "last words\nTask failed with signal 9." in output


def test_a_task_over_its_time_is_stopped_with_all_that_it_started(job):
    job.timeout_s = 1
    code, output = job.script(
        "child = subprocess.Popen(['sleep', '1000']); print(child.pid, flush=True); child.wait()"
    )

    assert code == 255
    assert "Timed out after 1 s." in output
    assert not lives(output.split()[0])
    assert job.stored("Script") == "TIMEDOUT"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_whoever_stops_the_job_stops_the_task(job, number):
    code = "print(os.getpid(), flush=True); time.sleep(1000)"
    process = job.start("Scripter", {"Script": {"code": code}})
    pid = process.stdout.readline().strip()

    process.send_signal(number)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 255
    assert f"Stopped by {number.name}." in output
    assert not lives(pid)
    assert job.stored("Script") == "CANCELLED"


def test_a_process_that_a_task_leaves_behind_keeps_nobody_waiting(job):
    code, output = job.script("subprocess.Popen(['sh', '-c', 'while :; do echo again; done'])")

    assert code == 0
    assert "again" in output


def test_bytes_that_are_no_text_do_not_stop_it(job):
    code, output = job.script(r"os.write(1, b'\xff\xfe\n'); os.write(2, b'no newline')")

    assert code == 0
    assert output.endswith("no newline\n")


def test_a_result_that_is_no_json_is_kept_as_text(job):
    code, _ = job.script("result = TaskResult(payload={1, 2})")

    assert code == 0
    assert job.stored("Script", "result.payload") == "{1, 2}"


def test_without_a_result_of_its_own_the_marked_parameter_is_the_result(job):
    job.script("pass")

    assert job.stored("Script", "result.payload") == "fit.dat"


def test_a_work_directory_that_cannot_hold_results_fails_nothing(job):
    code, output = job.script("os.mkdir('lute.db')")

    assert code == 0
    assert "cannot be used" in output


# -- what surrounds it ----------------------------------------------------------------------------


def test_the_environment_and_the_tasklets_surround_the_task(job):
    code, output = job.script(
        "print(os.environ['PATH'].split(':')[0], os.environ['MODE'], os.environ['SITE_SETTING'])",
        task="Surrounded",
    )

    assert code == 0
    assert "/opt/mine fast from the script\n" in output
    assert "the tasklet fail failed: ValueError: not today" in output
    assert (job.folder / "notes").read_text() == "before fit.dat\nafter\n"
    assert json.loads(job.stored("Script", "result.summary")) == {"noted": "after"}


def test_a_template_is_filled_with_what_the_model_does_not_know(job):
    (job.folder / "in.txt").write_text("run {{ number }}: {{ phil.a }}")
    section = {
        "number": 7,
        "phil": {"a": 1},
        "lute_template_cfg": {"template_name": "in.txt", "output_path": "filled.txt"},
    }

    code, output = job.run("Copier", {"Copy": section})

    assert code == 0
    assert "cat filled.txt\nrun 7: 1" in output
    assert job.stored("Copy", "result.payload") == "filled.txt"


def test_a_template_that_is_not_there_is_told(job):
    section = {"x": 1, "lute_template_cfg": {"template_name": "no.txt", "output_path": "o"}}

    code, output = job.run("Copier", {"Copy": section})

    assert code == 255
    assert "the template no.txt cannot be used" in output


def test_the_server_hears_of_it_all(job, server):
    job.script(
        "self.report('hello'); self.report_metadata(rank=1)",
        LUTE_MANAGER_URL=server.address,
        SLURM_JOB_ID="77",
    )

    said = [(body["status"], body.get("rank")) for body in server.told("/status")]
    assert said == [("STARTED", None), ("RUNNING", None), ("RUNNING", 1), ("COMPLETED", None)]
    assert server.told("/log")[0]["message"] == "hello"
    assert {body["orig_job_id"] for body in server.told("/status")} == {"77"}


def test_a_task_asks_the_server_who_runs(job, server):
    server.answers["GET", "/tasks"] = (200, '{"managed_tasks": [{"name": "A"}]}')

    code, output = job.run("RequestTester", {"TestRequest": {}}, LUTE_MANAGER_URL=server.address)

    assert code == 0
    assert 'Running tasks: [{"name": "A"}]' in output


def test_a_server_that_is_gone_stops_no_task(job):
    code, _ = job.script("self.report('hello')", LUTE_MANAGER_URL="127.0.0.1:1")

    assert code == 0


def test_a_summary_goes_into_the_logbook(job, server):
    base = f"http://{server.address}"
    server.answers["POST", "/TST1/get_counters"] = (
        200,
        '{"success": true, "value": [{"key": "old", "value": "1"}]}',
    )

    code, output = job.script(
        "result = TaskResult(summary=[{'new': 2}, SummaryPlots('a/../b', '<p>')])",
        JID_UPDATE_COUNTERS=f"{base}/counters",
        SEGUE_ELOG_URL=base,
        ARP_ROOT_JOB_ID="job1",
        SEGUE_ELOG_PLOTS=f"{job.folder}/{{hutch}}/{{experiment}}",
    )

    assert (code, output) == (0, "")
    assert server.told("/counters") == [
        [{"key": "old", "value": "1"}, {"key": "new", "value": "2"}]
    ]
    assert server.told("/run_control/TST1/ws/add_run_params?run_num=3") == [{"new": 2}]
    assert (job.folder / "TST" / "TST1" / "a" / "b" / "report.html").read_text() == "<p>"


def test_a_logbook_that_refuses_fails_nothing(job, server):
    server.answers["POST", "/counters"] = (500, "")

    code, output = job.script(
        "result = TaskResult(summary={'a': 1})",
        JID_UPDATE_COUNTERS=f"http://{server.address}/counters",
    )

    assert code == 0
    assert "has not taken it: HTTP Error 500" in output


def test_a_module_of_tasks_that_is_none_is_told(job):
    assert "has no MANAGED_TASKS" in job.run("Tester", SEGUE_LUTE_MODULES="json")[1]
    assert "cannot be imported" in job.run("Tester", SEGUE_LUTE_MODULES="no_such_one")[1]
