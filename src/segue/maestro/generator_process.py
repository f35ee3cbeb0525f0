"""The program that runs a user's generator of parameters, in a process of its own.

It is started by its path, by whichever Python the user's file needs: so it imports nothing
of Segue, and the standard library alone. `segue.maestro.generator` is the other end, and
says what is in the two files that are its arguments: a request and an answer, both JSON.

Files of users import `ParameterGenerator` from `maestrowf.datastructures.core`. Where
maestrowf is installed they get that one; otherwise the classes below, which keep its
interface (specification 1.6).
"""

import importlib.util
import json
import os
import sys
import traceback
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


class Combination:
    """One value of each parameter, with its label and name."""

    def __init__(self, token: str = "$") -> None:
        self._token = token
        self._params: dict[str, object] = {}
        self._labels: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def add(self, key: str, name: str, value: object, label: str) -> None:
        """Add the value of one parameter."""
        self._params[f"{self._token}({key})"] = value
        self._labels[f"{self._token}({key}.label)"] = label
        self._names[f"{self._token}({key}.name)"] = name

    def __str__(self) -> str:
        return ".".join(self._labels.values())

    def get_param_string(self, params: Iterable[str]) -> str:
        """Return the labels of these parameters, joined in the order of their names."""
        return ".".join(self._labels[f"{self._token}({key}.label)"] for key in sorted(params))

    def get_param_values(self, params: Iterable[str]) -> Iterator[tuple[str, object]]:
        """Yield pairs of name and value."""
        for key in params:
            yield key, self._params[f"{self._token}({key})"]

    def apply(self, item: str) -> str:
        """Return the text with labels, then values, then names put in."""
        replacements: Mapping[str, object]
        for replacements in (self._labels, self._params, self._names):
            for old, new in replacements.items():
                item = item.replace(old, str(new))
        return item


class ParameterGenerator:
    """Columns of values, all equally long; row i is combination i."""

    def __init__(self, token: str = "$", ltoken: str = "%%") -> None:
        self.parameters: dict[str, Sequence[object]] = {}
        self.labels: dict[str, str | list[str]] = {}
        self.names: dict[str, str | list[str]] = {}
        self.label_token = ltoken
        self.token = token
        self.length = 0

    def add_parameter(
        self,
        key: str,
        values: Sequence[object],
        label: str | list[str] | None = None,
        name: str | list[str] | None = None,
    ) -> None:
        """Add a column; `label` is one pattern for all its values, or a list with one each."""
        if self.length == 0:
            self.length = len(values)
        elif len(values) != self.length:
            raise ValueError(
                f"parameter {key!r} has {len(values)} values, but the others have {self.length}"
            )
        if key in self.parameters:
            sys.stderr.write(f"parameter {key!r} is added again; the last one counts\n")
        self.parameters[key] = values
        self.labels[key] = label or f"{key}.{self.label_token}"
        self.names[key] = name or key

    def __iter__(self) -> Iterator[Combination]:
        return self.get_combinations()

    def __bool__(self) -> bool:
        return bool(self.parameters)

    def get_combinations(self) -> Iterator[Combination]:
        """Yield the combinations, in order."""
        for row in range(self.length):
            combination = Combination(self.token)
            for key, values in self.parameters.items():
                label, name = self.labels[key], self.names[key]
                if isinstance(label, list):
                    label = label[row]
                else:
                    label = label.replace(self.label_token, str(values[row]))
                if isinstance(name, list):
                    name = name[row]
                combination.add(key, name, values[row], label)
            yield combination


class Variable:
    """What a generator gets for a name of the study's `env`."""

    def __init__(self, name: str, value: object, token: str = "$") -> None:
        self.name = name
        self.value = value
        self.token = token

    def get_var(self) -> str:
        """Return the name as steps write it."""
        return f"{self.token}({self.name})"

    def substitute(self, data: str) -> str:
        """Return the text with the value put in."""
        return data.replace(self.get_var(), str(self.value))

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class StudyEnvironment:
    """The study's `env`, to be asked for names."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._entries = {name: Variable(name, value) for name, value in values.items()}

    def find(self, key: str) -> Variable | None:
        """Return the variable, label or dependency of that name, or None."""
        return self._entries.get(key)


def stand_in_for_maestrowf() -> None:
    """Let `from maestrowf.datastructures.core import ParameterGenerator` find ours.

    Not where the real one can be imported: it is what the user's file was written for.
    """
    if importlib.util.find_spec("maestrowf") is not None:
        return
    contents: dict[str, dict[str, object]] = {
        "maestrowf": {},
        "maestrowf.datastructures": {},
        "maestrowf.datastructures.core": {
            "ParameterGenerator": ParameterGenerator,
            "Combination": Combination,
            "StudyEnvironment": StudyEnvironment,
        },
        "maestrowf.datastructures.core.parameters": {
            "ParameterGenerator": ParameterGenerator,
            "Combination": Combination,
        },
        "maestrowf.datastructures.core.studyenvironment": {"StudyEnvironment": StudyEnvironment},
        "maestrowf.datastructures.environment": {"Variable": Variable},
    }
    for name, members in contents.items():
        module = types.ModuleType(name)
        vars(module)["__path__"] = []
        vars(module).update(members)
        sys.modules[name] = module
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)


def load(path: str) -> types.ModuleType:
    """Return the user's file as a module."""
    spec = importlib.util.spec_from_file_location("custom_gen", path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    # What it defines may be pickled, or looked up by dataclasses: both ask for the module.
    sys.modules["custom_gen"] = module
    # A file beside it can be imported, after everything that is installed.
    sys.path.append(os.path.dirname(path))
    spec.loader.exec_module(module)
    return module


def plain(value: Any) -> bool | int | float | str | None:
    """Return the value as JSON holds it such that its text stays what `str` makes of it."""
    if value is None or isinstance(value, bool | str):
        return value if type(value) in (bool, str, type(None)) else str(value)
    if type(value) is int:
        return value
    if type(value) is float:
        return value if value - value == 0 else str(value)
    item = getattr(value, "item", None)  # a scalar of numpy
    if callable(item):
        made = item()
        if type(made) in (int, float, bool, str) and str(made) == str(value):
            return plain(made)
    return str(value)


def columns(generator: Any) -> list[dict[str, Any]]:
    """Return the parameters of a generator: key, values, labels, names, one of each a row."""
    if getattr(generator, "token", "$") != "$":
        raise ValueError(f"the token is {generator.token!r}; steps find parameters behind '$' only")
    keys = list(generator.parameters)
    found: dict[str, dict[str, Any]] = {
        key: {"name": key, "values": [], "labels": [], "names": []} for key in keys
    }
    for combination in generator:
        for key in keys:
            found[key]["values"].append(plain(combination._params[f"$({key})"]))
            found[key]["labels"].append(str(combination._labels[f"$({key}.label)"]))
            found[key]["names"].append(str(combination._names[f"$({key}.name)"]))
    return list(found.values())


def error_of(error: BaseException, path: str) -> dict[str, object]:
    """Return what went wrong, and the last line of the user's file that took part in it."""
    line = 1
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno or 1
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == path:
            line = frame.lineno or line
    text = str(error) or type(error).__name__
    kind = type(error).__name__
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return {"kind": kind, "message": text, "line": line, "missing": missing}


def answer(request: dict[str, Any]) -> dict[str, object]:
    """Return the parameters that the user's file generates, or the error it ends with."""
    path = request["path"]
    stand_in_for_maestrowf()
    try:
        module = load(path)
        if not hasattr(module, "get_custom_generator"):
            raise AttributeError("it defines no function get_custom_generator(env, **kwargs)")
        arguments = dict(request["arguments"])
        arguments["OUTPUT_PATH"] = request["output_path"]
        arguments["SPECROOT"] = Variable("SPECROOT", request["spec_root"])
        generator = module.get_custom_generator(StudyEnvironment(request["env"]), **arguments)
        if not hasattr(generator, "parameters"):
            kind = type(generator).__name__
            raise TypeError(f"get_custom_generator must return a ParameterGenerator, not {kind}")
        return {"parameters": columns(generator)}
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return {"error": error_of(error, path)}


def main() -> None:
    """Read the request, write the answer."""
    request_path, answer_path = sys.argv[1:]
    # This file's own folder must not offer its modules to the user's imports.
    sys.path[:] = [each for each in sys.path if each != os.path.dirname(os.path.abspath(__file__))]
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    result = answer(request)
    with open(answer_path, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
