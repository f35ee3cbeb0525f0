"""Tokens: what replaces what, and when. The cases follow what Maestro 1.2.1 was seen to do."""

from __future__ import annotations

import pytest

from segue.dialects.maestro import Maestro
from segue.dialects.maestro_tokens import references
from segue.protocols.dialect import Source


def script(cmd: str, env: str = "{}", parameters: str = "", options: dict | None = None) -> str:
    """Return what the first instance of a step with this cmd runs."""
    text = f"""
description: {{name: t, description: t}}
env: {env}
study:
  - {{name: w, description: d, run: {{cmd: "w"}}}}
  - name: s
    description: d
    run:
      cmd: |-
        {cmd}
      depends: [w]
{parameters}
"""
    source = Source("/spec/t.yaml", text, "/here", workspace="/out", options=options or {})
    task = next(task for task in Maestro().read(source).tasks if task.template == "s")
    return task.action.text.removeprefix("#!/bin/bash\n\n").removesuffix("\n")


@pytest.mark.parametrize(
    ("env", "cmd", "result"),
    [
        # Substitutions are made one after another, in the order of the file.
        ("{variables: {A: 1, B: two}}", "$(A) $(B) $(C)", "1 two $(C)"),
        # A label may hold a variable, because labels come first.
        ("{variables: {A: 1}, labels: {L: x$(A)}}", "$(L)", "x1"),
        # A chain works only from the outer name to the inner one ...
        ("{labels: {L2: two, L0: $(L1), L1: $(L2)}}", "$(L0)", "two"),
        # ... and leaves a token otherwise.
        ("{labels: {L2: two, L1: $(L2), L0: $(L1)}}", "$(L0)", "$(L1)"),
        # The first entry is never a label, whatever it holds.
        ("{variables: {H: $HOME/x, G: $(H)}}", "$(G) $(H)", "$HOME/x $HOME/x"),
        ("{variables: {G: $(H), H: x}}", "$(G) $(H)", "x x"),
        ("{variables: {C: $(B)-c, D: $(C)-d}}", "$(D)", "$(B)-c-d"),
        # The places of the study and its file come last, and so work in all others.
        ("{variables: {A: $(OUTPUT_PATH)/$(SPECROOT)}}", "$(A)", "/out//spec"),
        ("{variables: {OUTPUT_PATH: x, A: 5}}", "$(OUTPUT_PATH) $(A)", "/out 5"),
        # Dependencies stand between labels and substitutions.
        ("{variables: {A: 1, B: $(D)}, dependencies: {paths: [{name: D, path: p}]}}",
         "$(B)", "/here/p"),
        ("{variables: {B: $(D)}, dependencies: {paths: [{name: D, path: p}]}}",
         "$(B)", "$(D)"),
    ],
)  # fmt: skip
def test_the_environment_is_replaced_in_the_order_of_the_original(env, cmd, result):
    assert script(cmd, env) == result


@pytest.mark.parametrize(
    ("cmd", "result"),
    [
        ("$(P) $(P.label) $(P.name)", "3 p.3 P"),
        ("$(P.other) $(P)", "$(P.other) 3"),
        ("$(date) ${P} $P $(Q) $((1+1))", "$(date) ${P} $P $(P) $((1+1))"),
        ("$(R)", "3"),
    ],
)
def test_parameters_are_replaced_by_label_then_value_then_name(cmd, result):
    parameters = """
global.parameters:
  R: {values: ["$(P)"], label: r}
  P: {values: [3], label: p.%%}
  Q: {values: ["$(P)"], label: q}
"""
    assert script(cmd, parameters=parameters) == result


def test_a_variable_hides_a_parameter_of_its_name():
    parameters = "global.parameters: {P: {values: [3], label: p.%%}}"

    assert script("$(P) $(P.label)", "{variables: {P: v}}", parameters) == "v p.3"


@pytest.mark.parametrize(
    ("cmd", "result"),
    [
        ("$(w.workspace)/x:$(w.workspace)/y", "/out/w/x:/out/w/y"),
        ("$(($(w.workspace)))", "$((/out/w))"),
        ("$(cat list.workspace) $(WORKSPACE)", "$(cat list.workspace) /out/s"),
        ("$(LAUNCHER) a && $(LAUNCHER)[1n, 2p] b", "a && b"),
    ],
)
def test_workspaces_are_replaced_and_a_local_step_has_no_launcher(cmd, result):
    assert script(cmd) == result


def test_a_step_name_may_hold_brackets():
    names = [each.name for each in references("$(a(b).workspace) $(a.workspace)", {"a(b)": 0})]

    assert names == ["a(b)", "a"]
