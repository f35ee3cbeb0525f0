"""What a Task is given: models of its parameters, filled from its section of the config.

A Task's author writes a model::

    class FitParameters(TaskParameters):
        threshold: float = 0.5
        out_file: str = parameter("fit.dat", is_result=True)

and a third-party program's, with how each parameter is written on its command line::

    class MergeParameters(ThirdPartyParameters):
        executable: str = "merge"
        in_file: str = parameter(flag_type="-", rename_param="i")

`read_parameters` fills a model; all that does not fit is told with its place in the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticUndefined

from segue.lute.config import Config
from segue.model.errors import Problem, Severity, WorkflowError, did_you_mean, shorten
from segue.model.location import Place

#: A parameter that its section does not give may come from a variable with this prefix.
VARIABLE_PREFIX: Final = "LUTE_"
DEFAULT_EXPERIMENT: Final = "EXPX00000"
#: Where an experiment's work lies unless the header says: hutch, experiment.
DEFAULT_WORK_DIR: Final = "/sdf/data/lcls/ds/{}/{}/scratch"


def _text(value: Any) -> Any:
    """Return numbers as text: substitution makes numbers of all that looks like one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


#: A text that may look like a number.
Text = Annotated[str, BeforeValidator(_text)]


def parameter(
    default: Any = PydanticUndefined,
    *,
    description: str = "",
    flag_type: str | None = None,
    rename_param: str = "",
    is_result: bool = False,
    **constraints: Any,
) -> Any:
    """Return a field of a model, with what LUTE knows of parameters.

    Parameters
    ----------
    default
        Its value where the config has none; without one the config must.
    description
        What it is, for people.
    flag_type
        How a third-party program takes it: ``"-"``, ``"--"``, or ``""`` for the bare value.
    rename_param
        Its name on the command line, where that is another.
    is_result
        Its value is the result of the Task.
    constraints
        As `pydantic.Field` takes them: ``gt=0``, ``pattern=...``
    """
    extra: dict[str, Any] = {}
    if flag_type is not None:
        extra["flag_type"] = flag_type
    if rename_param:
        extra["rename_param"] = rename_param
    if is_result:
        extra["is_result"] = True
    return Field(
        default, description=description or None, json_schema_extra=extra or None, **constraints
    )


class AnalysisHeader(BaseModel):
    """The header of a config: what all Tasks of a run share.

    `task_timeout` is in seconds; `work_dir` exists and can be written to.
    """

    title: Text = "LUTE Task Configuration"
    experiment: Text = Field("", validate_default=True)
    run: int | Text = Field("", validate_default=True)
    date: Text = "1970/01/01"
    lute_version: float | str = 0.1
    task_timeout: PositiveInt = 600
    work_dir: Text = Field("", validate_default=True)

    @field_validator("experiment")
    @classmethod
    def _experiment(cls, value: str, info: ValidationInfo) -> str:
        return value or _environment_of(info).get("EXPERIMENT", DEFAULT_EXPERIMENT)

    @field_validator("run")
    @classmethod
    def _run(cls, value: int | str, info: ValidationInfo) -> int | str:
        given = _environment_of(info).get("RUN_NUM", "")
        if value != "" or not given:
            return value
        # The eLog's jobs are given the run's number and a time, with `_` between them.
        return int(given.split("_")[0])

    @field_validator("work_dir")
    @classmethod
    def _work_dir(cls, value: str, info: ValidationInfo) -> str:
        experiment = str(info.data.get("experiment", DEFAULT_EXPERIMENT))
        folder = value or DEFAULT_WORK_DIR.format(experiment[:3], experiment)
        if not os.path.isdir(folder):
            raise ValueError(f"the directory {folder} does not exist")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"the directory {folder} cannot be written to")
        return folder


class TaskParameters(BaseModel):
    """The parameters of a Task; its models are derived from this one.

    Class variables say more: `run_directory`, where the Task runs; `result_summary` and
    `impl_schemas`, what its result is called.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, validate_default=True)

    run_directory: ClassVar[str | None] = None
    result_summary: ClassVar[str | None] = None
    impl_schemas: ClassVar[str | None] = None

    lute_config: AnalysisHeader

    def result_of_parameters(self) -> Any:
        """Return the result that is known from the parameters; None: it is not.

        The value of the parameter marked with `is_result`. A model whose result is made
        of several overrides this.
        """
        for name, field in type(self).model_fields.items():
            if attributes_of(field).get("is_result"):
                return getattr(self, name)
        return None


class TemplateConfig(BaseModel):
    """A file that a third-party program reads, made from a Jinja template."""

    template_name: str
    output_path: str


class ThirdPartyParameters(TaskParameters):
    """The parameters of a program; what its section has beyond them fills its template."""

    model_config = ConfigDict(extra="allow")

    short_flags_use_eq: ClassVar[bool] = False
    long_flags_use_eq: ClassVar[bool] = False

    executable: str
    lute_template_cfg: TemplateConfig | None = None

    @property
    def template_variables(self) -> dict[str, Any]:
        """What the template can use, by name."""
        return dict(self.model_extra or {})


Model = TypeVar("Model", bound=TaskParameters)


def attributes_of(field: Any) -> Mapping[str, Any]:
    """Return what `parameter` has said of a field."""
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def read_header(config: Config, environment: Mapping[str, str]) -> AnalysisHeader:
    """Return the header of a config.

    Raises
    ------
    WorkflowError
        With all that is wrong with it.
    """
    try:
        return AnalysisHeader.model_validate(
            dict(config.header), context={"environment": environment}
        )
    except ValidationError as error:
        known = list(AnalysisHeader.model_fields)
        problems = [_problem(each, config, (0,), known) for each in error.errors()]
        raise WorkflowError(problems) from error


def read_parameters(
    model: type[Model],
    config: Config,
    section: str,
    environment: Mapping[str, str],
    values: Mapping[str, Any] | None = None,
) -> Model:
    """Return the parameters of a Task.

    Parameters
    ----------
    model
        What they must be.
    config
        The config file.
    section
        The name of the Task's section; a missing one is empty.
    environment
        Variables ``LUTE_<name>`` give what the section does not.
    values
        Values that win over those of the section: of one combination of a sweep.

    Raises
    ------
    WorkflowError
        With all that is wrong, each at its place in the file.
    """
    header = read_header(config, environment)
    given = _section(config, section) | dict(values or {})
    for name in model.model_fields.keys() - given.keys():
        if VARIABLE_PREFIX + name in environment:
            given[name] = environment[VARIABLE_PREFIX + name]
    try:
        return model.model_validate(
            given | {"lute_config": header}, context={"environment": environment}
        )
    except ValidationError as error:
        known = [name for name in model.model_fields if name != "lute_config"]
        problems = [_problem(each, config, (1, section), known) for each in error.errors()]
        raise WorkflowError(problems) from error


def missing_section(config: Config, section: str) -> Problem | None:
    """Return a warning if a Task has no section: it runs on its defaults."""
    if section in config.sections:
        return None
    message = f"there is no section {section!r}: the Task runs on its defaults"
    hint = did_you_mean(section, [str(each) for each in config.sections])
    hint = hint or "a section is headed by the name of the Task, not of the managed Task"
    return Problem("missing_section", message, Place(config.path, 1, 1), hint, Severity.WARNING)


def _section(config: Config, section: str) -> dict[str, Any]:
    found = config.sections.get(section)
    if found is None:
        return {}
    if not isinstance(found, dict):
        message = f"the section {section!r} must be a map, not {shorten(repr(found), 40)}"
        place = config.place(1, section)
        raise WorkflowError([Problem("wrong_type", message, place, "write 'name: value' lines")])
    return {str(name): value for name, value in found.items()}


def _environment_of(info: ValidationInfo) -> Mapping[str, str]:
    context = info.context or {}
    environment: Mapping[str, str] = context.get("environment", os.environ)
    return environment


def _problem(
    error: ErrorDetails, config: Config, above: tuple[int | str, ...], known: list[str]
) -> Problem:
    """Return what pydantic says of one value, in our form."""
    keys = tuple(str(each) for each in error["loc"])
    document, *section = above
    assert isinstance(document, int)
    place = config.place(document, *map(str, section), *keys)
    name = ".".join(keys)
    where = f"section {section[0]!r}" if section else "the header"
    if error["type"] == "missing":
        hint = f"add '{keys[-1]}: ...' to {where}"
        return Problem("missing_parameter", f"{where} gives no {name!r}", place, hint)
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(keys[-1], known) or f"known are: {shorten(', '.join(known), 200)}"
        return Problem("unknown_parameter", f"{where} has no parameter {name!r}", place, hint)
    said = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    shown = "" if isinstance(given, dict) else f", not {shorten(repr(given), 60)}"
    message = f"{name!r} of {where}: {said[:1].lower()}{said[1:]}{shown}"
    return Problem("bad_parameter", message, place, "see what the Task's model takes")
