"""The grammar of a study: each fault has its line, its column and a next thing to try."""

from __future__ import annotations

import pytest

from segue.dialects.maestro import Maestro
from segue.model.errors import Problem, Severity, WorkflowError
from segue.protocols.dialect import Source

STUDY = """\
description:
  name: small
  description: Two steps.
env:
  variables: {A: 1}
  labels: {L: x}
  dependencies:
    paths: [{name: D, path: .}]
batch: {type: local}
study:
  - name: one
    description: First.
    run:
      cmd: echo $(P)
  - name: two
    description: Second.
    run:
      cmd: echo two
      depends: [one_*]
global.parameters:
  P:
    values: [1, 2]
    label: P.%%
"""


def problems_of(text: str) -> list[Problem]:
    """Return the problems that stop the study, or its warnings."""
    try:
        return list(Maestro().read(Source("s.yaml", text, "/here")).warnings)
    except WorkflowError as error:
        return [each for each in error.problems if each.severity is Severity.ERROR]


def told(problem: Problem) -> tuple[str, str, str]:
    place = problem.place
    return f"{place.line}:{place.column}" if place else "", problem.message, problem.hint


# what is put in place of what -> place, words of the message, words of the hint
ERRORS = {
    "an unknown key of a step": (
        ("    description: First.\n", "    descripton: First.\n    description: F.\n"),
        ("12:5", "unknown key 'descripton' in step 'one'", "did you mean 'description'?"),
    ),
    "a key of run outside of run": (
        ("    description: First.\n", "    description: First.\n    depends: []\n"),
        ("13:5", "unknown key 'depends' in step 'one'", "indent it under 'run:'"),
    ),
    "an unknown key of run": (
        ("      depends:", "      depend:"),
        ("19:7", "unknown key 'depend' in the run of step 'two'", "did you mean 'depends'?"),
    ),
    "an unknown key of env": (
        ("  labels: {L: x}", "  label: {L: x}"),
        ("6:3", "unknown key 'label' in env", "did you mean 'labels'?"),
    ),
    "an unknown key of a parameter": (
        ("    label: P.%%", "    label: P.%%\n    name: P"),
        ("24:5", "unknown key 'name' in global.parameters.P", "known keys: values, label"),
    ),
    "no name of the study": (
        ("  name: small\n", ""),
        ("2:3", "description has no 'name'", "add 'name: ...'"),
    ),
    "an empty description": (
        ("Two steps.", "''"),
        ("3:16", "the study's description is empty", "write a value"),
    ),
    "a number as a name": (
        ("name: small", "name: 5"),
        ("2:9", "the study's name must be a text, not a number ('5')", "quotes"),
    ),
    "a step without cmd": (
        ("      cmd: echo two\n", ""),
        ("18:7", "the run of step 'two' has no 'cmd'", "add 'cmd: ...'"),
    ),
    "a misspelt cmd": (
        ("cmd: echo two", "cnd: echo two"),
        ("18:7", "unknown key 'cnd'", "did you mean 'cmd'?"),
    ),
    "a number as cmd": (
        ("cmd: echo two", "cmd: 2"),
        ("18:12", "cmd of step 'two' must be a text that is not empty, not '2'", "quotes"),
    ),
    "a step that is a text": (
        ("  - name: two\n", "  - nothing\n  - name: two\n"),
        ("15:5", "a step must be a map, not a text", "key: value"),
    ),
    "depends as a text": (
        ("depends: [one_*]", "depends: one"),
        ("19:16", "depends of step 'two' must be a list, not a text", "write [one]"),
    ),
    "a need that is no step": (
        ("[one_*]", "[one_*, onee]"),
        ("19:24", "step 'onee' does not exist", "did you mean 'one'?"),
    ),
    "a need twice": (
        ("[one_*]", "[one, one]"),
        ("19:22", "step 'two' depends twice on 'one'", "remove"),
    ),
    "a need that comes later": (
        ("cmd: echo $(P)", "cmd: echo $(P)\n      depends: [two]"),
        ("15:17", "step 'one' depends on 'two', which comes later", "move 'two' above it"),
    ),
    "a step that needs itself": (
        ("[one_*]", "[two]"),
        ("19:17", "step 'two' depends on itself", "remove it"),
    ),
    "the workspace of no step": (
        ("cmd: echo two", "cmd: echo $(oen.workspace)"),
        ("18:12", "$(oen.workspace): there is no such step", "did you mean 'one'?"),
    ),
    "a step's own workspace by its name": (
        ("cmd: echo two", "cmd: echo $(two.workspace)"),
        ("18:12", "step 'two' refers to its own workspace by name", "write $(WORKSPACE)"),
    ),
    "the workspace of a step that is considered later": (
        ("cmd: echo two\n      depends: [one_*]", "cmd: echo $(one.workspace)"),
        ("18:12", "step 'two' reads the workspace of 'one' too early", "add 'one' to its depends"),
    ),
    "nodes below one": (
        ("cmd: echo two", "cmd: echo two\n      nodes: 0"),
        ("19:14", "nodes of step 'two' must be a whole number from 1 on", "without quotes"),
    ),
    "nodes that are computed": (
        ("cmd: echo two", "cmd: echo two\n      procs: $(P)*2"),
        ("19:14", "not '$(P)*2'", "not computed"),
    ),
    "a boolean in quotes": (
        ("cmd: echo two", "cmd: echo two\n      exclusive: 'true'"),
        ("19:18", "exclusive of step 'two' must be true, false", "without quotes"),
    ),
    "a fraction as wall time": (
        ("cmd: echo two", "cmd: echo two\n      walltime: 1.5"),
        ("19:17", "walltime of step 'two' must be a text such as", "quotes"),
    ),
    "an unknown priority": (
        ("cmd: echo two", "cmd: echo two\n      priority: urgent"),
        ("19:17", "priority of step 'two' must be one of held", "leave it out"),
    ),
    "an empty variable": (
        ("{A: 1}", "{A: ''}"),
        ("5:18", "the variable 'A' is empty", "remove the variable"),
    ),
    "a boolean variable": (
        ("{A: 1}", "{A: yes}"),
        ("5:18", "the variable 'A' must be a text or a number, not true or false", "quotes"),
    ),
    "no variables at all": (
        ("variables: {A: 1}", "variables:"),
        ("5:13", "env.variables must be a map, not null", "remove it"),
    ),
    "an empty env": (
        ("  variables: {A: 1}\n  labels: {L: x}\n", "",
         "  dependencies:\n    paths: [{name: D, path: .}]\n", ""),
        ("4:5", "env is empty", "remove it"),
    ),
    "a name that is taken": (
        ("{L: x}", "{A: x}"),
        ("6:15", "the name 'A' is taken (line 5)", "choose another"),
    ),
    "a dependency without a path": (
        ("{name: D, path: .}", "{name: D}"),
        ("8:13", "a path dependency has no 'path'", "add 'path: ...'"),
    ),
    "spack": (
        ("    paths: [{name: D, path: .}]", "    spack: {type: x, package_name: y}"),
        ("8:12", "spack dependencies do not work", "remove them"),
    ),
    "two things to check out": (
        ("paths: [{name: D, path: .}]", "git: [{name: G, path: p, url: u, tag: t, hash: h}]"),
        ("8:11", "takes one of tag, branch, hash, not 2", "keep one of: tag, hash"),
    ),
    "an unknown batch system": (
        ("type: local", "type: Slurm"),
        ("9:15", "the batch type 'Slurm' is not known", "did you mean 'slurm'?"),
    ),
    "one value that is no list": (
        ("values: [1, 2]", "values: 1"),
        ("22:13", "the values of 'P' must be a list, not a number", "[...]"),
    ),
    "a list of labels": (
        ("label: P.%%", "label: [a, b]"),
        ("23:12", "the label of 'P' must be a text, not a list", "one text"),
    ),
    "columns of different lengths": (
        ("    label: P.%%", "    label: P.%%\n  Q: {values: [1], label: Q.%%}"),
        ("24:15", "parameter 'Q' has 1 values, but 'P' has 2", "equally many"),
    ),
    "parameters that are null": (
        ("  P:\n    values: [1, 2]\n    label: P.%%\n", ""),
        ("20:19", "global.parameters must be a map, not null", "remove"),
    ),
    "a tag": (
        ("cmd: echo two", "cmd: !run echo two"),
        ("18:12", "the tag '!run' is not known", "quotes"),
    ),
    "broken YAML": (
        ("cmd: echo two", "cmd: echo: two"),
        ("18:16", "the YAML is broken", "quotes"),
    ),
    "a step name that leaves the study's directory": (
        ("name: two", "name: '..'"),
        ("15:11", "the workspace '..' cannot be used", "rename it"),
    ),
    "a label without measure": (
        ("label: P.%%", f"label: {'x' * 5000}%%"),
        ("11:11", "5,00", "4,096"),
    ),
    "a launcher that asks for too much": (
        ("{type: local}", "{type: slurm, bank: b, queue: q}", "cmd: echo two",
         "cmd: $(LAUNCHER)[9p] x\n      procs: 8"),
        ("18:12", "$(LAUNCHER)[9p] asks for 9 procs, the step has 8", "$(LAUNCHER)[2p]"),
    ),
    "a count that is no number in the end": (
        ("{type: local}", "{type: slurm, bank: b, queue: q}", "cmd: echo two",
         "cmd: x\n      procs: $(L)"),
        ("19:14", "procs of step 'two' is 'x'", "is its token defined?"),
    ),
}  # fmt: skip

WARNINGS = {
    "an unknown section": (
        ("batch:", "user: 1\nbatch:"),
        ("9:1", "the section 'user' is ignored", "known keys"),
    ),
    "a section that is almost one": (
        ("batch: {type: local}", "btach: {type: slurm}"),
        ("9:1", "the section 'btach' is ignored", "did you mean 'batch'?"),
    ),
    "a key twice": (
        ("  name: small\n", "  name: big\n  name: small\n"),
        ("3:3", "the key 'name' stands twice in this map (first at line 2)", "remove"),
    ),
    "a step twice": (
        ("name: two", "name: one"),
        ("15:11", "a second step 'one' is dropped (first at line 11)", "another name"),
    ),
    "a wall time that is a number in base 60": (
        ("cmd: echo two", "cmd: echo two\n      walltime: 10:00"),
        ("19:17", "'10:00' is the number 600 (base 60)", "quotes"),
    ),
    "a value that is an octal number": (
        ("[1, 2]", "[010, 2]"),
        ("22:14", "parameter 'P': '010' is the number 8 (octal)", "quotes"),
    ),
    "a label without its value": (
        ("P.%%", "P"),
        ("23:12", "the label of 'P' has no '%%'", "write '%%'"),
    ),
    "two labels for one directory": (
        ("[1, 2]", "['1/', '1']"),
        ("11:11", "'one_P.1/' and 'one_P.1' share the workspace 'one/P.1'", "--hashws"),
    ),
    "dependencies under a misspelt key": (
        ("    paths:", "    path:"),
        ("8:5", "env.dependencies.path is ignored", "did you mean 'paths'?"),
    ),
    "a home directory that stays a tilde": (
        ("{A: 1}", "{OUTPUT_PATH: ~/out}"),
        ("5:28", "OUTPUT_PATH '~/out' is taken literally", "write the path out"),
    ),
    "a batch system without account": (
        ("{type: local}", "{type: slurm, queue: q}"),
        ("9:8", "batch has no 'bank'", "unless your site has a default"),
    ),
}  # fmt: skip


def changed(replacements: tuple[str, ...]) -> str:
    text = STUDY
    for old, new in zip(replacements[::2], replacements[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize("fault", ERRORS)
def test_an_error_has_its_place_and_a_hint(fault):
    replacements, (place, message, hint) = ERRORS[fault]

    problems = problems_of(changed(replacements))

    assert problems[0].severity is Severity.ERROR
    assert told(problems[0])[0] == place
    assert message in problems[0].message
    assert hint in problems[0].hint


@pytest.mark.parametrize("fault", WARNINGS)
def test_a_warning_has_its_place_and_a_hint(fault):
    replacements, (place, message, hint) = WARNINGS[fault]

    problems = problems_of(changed(replacements))

    assert [each.severity for each in problems] == [Severity.WARNING]
    assert told(problems[0])[0] == place
    assert message in problems[0].message
    assert hint in problems[0].hint


def test_a_sound_study_has_no_problems():
    assert problems_of(STUDY) == []


def test_all_errors_are_told_at_once():
    text = changed(("name: small", "name: 5", "[one_*]", "[none]", "values: [1, 2]", "values: 1"))

    assert [told(each)[0] for each in problems_of(text)] == ["2:9", "19:17", "22:13"]


def test_a_faulty_step_is_not_missing_to_those_that_need_it():
    text = changed(("cmd: echo $(P)", "cmd: 5"))

    assert [told(each)[0] for each in problems_of(text)] == ["14:12"]


@pytest.mark.parametrize("text", ["", "5", "[1]", "null", "description: {name: a, description: b}"])
def test_what_is_no_study_is_refused(text):
    assert problems_of(text)
