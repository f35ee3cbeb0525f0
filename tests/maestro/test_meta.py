"""What is told about a study in its folder `meta`."""

import pytest
import yaml

from segue.dialects.maestro import Maestro
from segue.maestro.meta import (
    batch_text,
    environment_text,
    metadata_text,
    parameters_text,
    written_parameters,
)
from segue.maestro.plain_yaml import to_yaml
from segue.protocols.dialect import Source

STUDY = """\
description: {name: s, description: d}
study:
- {name: draw, description: d, run: {cmd: echo $(N) $(M)}}
- {name: fit, description: d, run: {cmd: echo $(N), depends: [draw_*]}}
- {name: show, description: d, run: {cmd: show, depends: [fit]}}
- {name: "no", description: d, run: {cmd: "true"}}
global.parameters:
  N: {values: [1, 2, 3], label: N.%%}
  M: {values: [x, 'yes', 1.5], label: M.%%}
"""


def test_metadata_says_steps_needs_and_workspaces():
    workflow = Maestro().read(Source("s.yaml", STUDY, "/", workspace="/out"))

    said = yaml.safe_load(metadata_text(workflow.tasks, workflow.barriers, "/out"))

    assert set(said["dependencies"]) == {"_source", "draw", "fit", "show", "no"}
    assert said["hub_dependencies"]["fit"] == {"draw"}
    assert said["dependencies"]["fit"] == set()
    assert said["dependencies"]["show"] == {"fit"}
    assert said["used_parameters"]["draw"] == {"M", "N"}
    assert said["step_combinations"]["fit"]["fit_N.2"] == "fit/N.2"
    assert said["workspaces"] == {
        "_source": "/out",
        **{task.name: task.workdir for task in workflow.tasks},
    }


def test_parameters_are_told_for_each_combination():
    columns = written_parameters(yaml.safe_load(STUDY)["global.parameters"])

    said = yaml.safe_load(parameters_text(columns))

    assert said["N.2.M.yes"] == {
        "labels": {"$(N.label)": "N.2", "$(M.label)": "M.yes"},
        "params": {"$(N)": 2, "$(M)": "yes"},
    }
    assert said["N.3.M.1.5"]["params"]["$(M)"] == 1.5


def test_a_study_without_parameters_tells_none():
    assert yaml.safe_load(parameters_text(written_parameters(None))) == {}


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PASSWORD", "SLURM_JWT", "SSH_AUTH_SOCK", "X",
        "SLURM_SPANK_SECRET", "LSB_PASSPHRASE", "PS1",
    ],
)  # fmt: skip
def test_no_secret_of_the_environment_is_told(name):
    said = environment_text({"HOME": "/home/me", "SLURM_JOB_ID": "7", name: "hidden"})

    assert yaml.safe_load(said) == {"HOME": "/home/me", "SLURM_JOB_ID": "7"}


def test_the_batch_section_has_the_type_it_has_by_default():
    assert yaml.safe_load(batch_text({})) == {"type": "local"}
    assert yaml.safe_load(batch_text({"type": "slurm", "nodes": 2})) == {
        "type": "slurm",
        "nodes": 2,
    }


@pytest.mark.parametrize(
    "value",
    [
        "yes", "No", "null", "~", "1", "1.5", "010", "0x1f", "1e3", "1:30", "2024-01-01", "", " x",
        "x ", "a: b", "a #b", "- a", "[a", "{a", "*a", "&a", "!a", "%a", "@a", "`a", "'a", '"a',
        "a\nb", "\t", "ä", "日本", "a\\b", "=", "<<", "?", ".inf", "a:", "\x7f", "\x85", "\u2028",
        True, False, None, 0, -1, 1.5, 1e300, 1e-7, float("inf"), [], {}, ["a", ["b"], {"c": 1}],
        {"a": {"b": []}}, "\U0001f600", "\ufeff",
    ],
    ids=repr,
)  # fmt: skip
def test_every_value_comes_back_from_yaml(value):
    assert yaml.safe_load(to_yaml({"key": value})) == {"key": value}
    if isinstance(value, str):
        assert yaml.safe_load(to_yaml({value: 1})) == {value: 1}
