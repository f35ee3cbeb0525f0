"""Every study of the corpus comes out as Maestro 1.2.1 made it, or is refused as it did.

The golden files were made by running the original; see ORIGIN.txt in the corpus.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segue.dialects.maestro import Maestro
from segue.model.errors import WorkflowError
from segue.model.graph import check_graph
from segue.model.workflow import Script, Task, Workflow
from segue.protocols.dialect import Source

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "maestrowf"
GOLDEN = CORPUS / "expected-1.2.1"

# Studies whose outcome differs, and why. `docs/reference/maestro-differences.md` argues each.
DIFFERENT: dict[str, str] = {
    "edge-cases/label-collisions-after-sanitising.yaml.json": "two steps, one script file",
    "edge-cases/path-dep-specroot.yaml.json": "$(SPECROOT) in a path dependency is replaced",
    "edge-cases/scheduler/la.yaml.json": "a bare $(LAUNCHER) beside $(LAUNCHER)[...] is replaced",
}

golden_files = sorted(
    str(path.relative_to(GOLDEN))
    for path in GOLDEN.rglob("*.json")
    if path.relative_to(GOLDEN).parts[0] != "pgen"
)
pytestmark = pytest.mark.skipif(not golden_files, reason="the corpus is not beside the checkout")


def outcome(name: str, strict: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what Segue makes of a study, and what Maestro made of it, in one form."""
    expected = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    hashed = name.endswith(".hashws.json")
    try:
        workflow = read(expected["spec"], hashed, strict)
    except WorkflowError as error:
        unhelpful = [each for each in error.problems if not (each.place and each.hint)]
        return {"refused": True, "unhelpful": unhelpful}, theirs(expected)
    assert check_graph(workflow) == []
    batch = workflow.context["batch"]
    needs = direct_needs(workflow)
    ours = {task.name: summary(task, needs[task.name], batch) for task in workflow.tasks}
    return {"steps": ours}, theirs(expected)


def read(spec: str, hashed: bool, strict: bool = False) -> Workflow:
    text = (CORPUS / spec).read_text(encoding="utf-8")
    options = {
        "hashws": hashed,
        "spec_root": "/__SPECROOT__",
        "flux_version": "0.62.0",
        "strict_maestro": strict,
    }
    source = Source(spec, text, "/srv/git", workspace="/tmp/__OUT__", options=options)
    return Maestro().read(source)


def direct_needs(workflow: Workflow) -> dict[str, list[str]]:
    barriers = {each.name: each.needs for each in workflow.barriers}
    return {
        task.name: sorted(name for need in task.needs for name in barriers.get(need, (need,)))
        for task in workflow.tasks
    }


def summary(task: Task, needs: list[str], batch: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(task.action, Script)
    result = {
        "workspace": task.workdir,
        "needs": needs,
        "parameters": dict(task.parameters),
        "description": task.description,
        "script": [task.action.file, task.action.text],
        "restart": None,
        "scheduled": batch.get("type", "local") != "local" and task.pool == "",
    }
    if isinstance(task.restart, Script):
        result["restart"] = [task.restart.file, task.restart.text]
    return result


def theirs(expected: dict[str, Any]) -> dict[str, Any]:
    if "steps" not in expected or "adapter_error" in expected:
        return {"refused": True, "unhelpful": []}
    steps = {}
    for name, step in expected["steps"].items():
        restart = step.get("restart_script")
        steps[name] = {
            "workspace": step["workspace"],
            "needs": sorted(step["depends"]),
            "parameters": step["params"],
            "description": step["description"],
            "script": [step["script"]["file"], step["script"]["text"]],
            "restart": [restart["file"], restart["text"]] if restart else None,
            "scheduled": step["scheduled"],
        }
    return {"steps": steps}


@pytest.mark.parametrize("name", golden_files)
def test_a_study_of_the_corpus_comes_out_as_from_maestro(name):
    ours, expected = outcome(name)

    if name in DIFFERENT:
        assert ours != expected, f"{name} matches now: take it out of DIFFERENT"
    else:
        assert ours == expected


@pytest.mark.parametrize("name", DIFFERENT)
def test_strictly_read_it_comes_out_as_from_maestro_in_all(name):
    ours, expected = outcome(name, strict=True)

    assert ours == expected


def test_each_difference_is_argued_in_the_documentation():
    page = Path(__file__).parents[2] / "docs" / "reference" / "maestro-differences.md"
    text = page.read_text(encoding="utf-8")

    assert all(name.removesuffix(".json") in text for name in DIFFERENT)
