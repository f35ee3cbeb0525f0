"""The config that a sweep's instances read."""

import pytest
import yaml

from segue.lute.config import read_config
from segue.lute.sweep_config import Instance, expanded
from segue.model.errors import WorkflowError

CONFIG = """\
%YAML 1.3
---
run: 12
work_dir: /tmp
...
---
Base: &base {name: "r{{ run }}", list: [1, 2]}
Fit: *base
...
"""


def test_each_instance_has_a_section_with_its_values():
    text = expanded(CONFIG, "c.yaml", [Instance("Fit", n, {"cores": n * 2}) for n in (0, 1)])

    sections = read_config(text, "e.yaml", {}).sections
    assert sections["Fit_1"] == {"name": "r12", "list": [1, 2], "cores": 2}
    assert sections["Fit_0"]["cores"] == 0
    assert sections["Fit"] == {"name": "r12", "list": [1, 2]}
    assert "&" not in text


def test_a_task_without_a_section_gets_one_of_its_values_alone():
    text = expanded(CONFIG, "c.yaml", [Instance("Other", 0, {"a": 1})])

    assert list(yaml.safe_load_all(text))[1]["Other_0"] == {"a": 1}


@pytest.mark.parametrize("text", ["run: 1\n", "- a\n---\n{}\n", "{}\n---\n- b\n", "a: [\n", ""])
def test_what_is_no_config_is_refused(text):
    with pytest.raises(WorkflowError, match=r"c\.yaml:1:1"):
        expanded(text, "c.yaml", [])


def test_a_section_that_is_no_map_is_refused():
    with pytest.raises(WorkflowError, match="is no map"):
        expanded("{}\n---\nFit: 5\n", "c.yaml", [Instance("Fit", 0, {})])
