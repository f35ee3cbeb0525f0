"""A checkout of LUTE in small: its `run_task.py` speaks to the Server as LUTE's Executor does."""

RUN_TASK = '''\
"""Reports as LUTE's own Executor: by name and the job id of Slurm, without a token."""
import argparse, http.client, json, os, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("-c")
parser.add_argument("-t")
options = parser.parse_args()

def post(path, **body):
    host = os.environ.get("LUTE_MANAGER_URL")
    body = {"managed_task": options.t, "orig_job_id": os.environ.get("SLURM_JOB_ID", ""), **body}
    try:
        connection = http.client.HTTPConnection(host, timeout=5)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()
    except OSError as error:
        print("the Server does not answer:", error)

post("/status", status="STARTED")
post("/log", message=f"{options.t} has begun")
print(f"{options.t} with {os.path.basename(options.c)} in run {os.environ['RUN_NUM']}")
if os.environ.get("PAUSE_S"):
    time.sleep(float(os.environ["PAUSE_S"]))
failed = options.t in os.environ.get("FAILING", "").split()
status = os.environ.get("ENDS_AS") or ("FAILED" if failed else "COMPLETED")
post("/status", status=status)
sys.exit(0 if status == "COMPLETED" else 255)
'''
MANAGED_TASKS = """\
from lute.execution.executor import Executor, MPIExecutor
Tester: Executor = Executor("Test")
Fitter: Executor = Executor(task_name="Fit")
Merger: MPIExecutor = MPIExecutor("Merge")
Merger.update_environment({"A": "b"})
"""


def make_checkout(folder):
    """Make it; return its path."""
    path = folder / "LUTE"
    (path / "lute").mkdir(parents=True)
    (path / "run_task.py").write_text(RUN_TASK)
    (path / "lute" / "managed_tasks.py").write_text(MANAGED_TASKS)
    return path
