"""How a third-party program is called: its parameters as words of a command line. Pure."""

from __future__ import annotations

from typing import Any, Final

from segue.lute.parameters import TaskParameters, ThirdPartyParameters, attributes_of

#: Parameters that are about the call, not in it.
_NOT_PASSED: Final = ("executable", "lute_config", "lute_template_cfg")


def command_line(parameters: ThirdPartyParameters) -> list[str]:
    """Return the program and its arguments, in the order of the model's fields.

    A field's `flag_type` says how it is written; what is None or empty is left out.
    Without one, a name of one letter gets ``-``, ``p_argN`` is a bare value, and any
    other gets ``--``. A bare or separate value that holds blanks becomes several words.

    Examples
    --------
    >>> from segue.lute.parameters import AnalysisHeader, parameter
    >>> class Merge(ThirdPartyParameters):
    ...     executable: str = "merge"
    ...     in_file: str = parameter("a.stream", flag_type="-", rename_param="i")
    ...     verbose: bool = parameter(True, flag_type="--")
    ...     p_arg1: int = 4
    >>> header = AnalysisHeader(work_dir="/tmp")
    >>> command_line(Merge(lute_config=header))
    ['merge', '-i', 'a.stream', '--verbose', '4']

    Source: specs of LUTE, section 5.2.
    """
    words = [parameters.executable]
    for name, field in type(parameters).model_fields.items():
        value = getattr(parameters, name)
        if name in _NOT_PASSED or value is None or value == "":
            continue
        attributes = attributes_of(field)
        flag_type = attributes.get("flag_type", _usual_flag(name))
        words += _words(type(parameters), attributes.get("rename_param", name), flag_type, value)
    return words


def _usual_flag(name: str) -> str:
    if len(name) == 1:
        return "-"
    return "" if "p_arg" in name else "--"


def _words(model: type[TaskParameters], name: str, flag_type: str, value: Any) -> list[str]:
    flag = f"{flag_type}{name}" if flag_type else ""
    if flag_type == "--" and isinstance(value, bool):
        return [flag] if value else []
    with_equals = {
        "-": getattr(model, "short_flags_use_eq", False),
        "--": getattr(model, "long_flags_use_eq", False),
    }
    if with_equals.get(flag_type):
        return [f"{flag}={value}"]
    values = value.split() if isinstance(value, str) and " " in value else [str(value)]
    return [flag, *values] if flag else values
