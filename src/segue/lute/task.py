"""The base of all Tasks: what an author writes, and how a Task speaks while it runs.

A Task is a class with a model of its parameters and a method `run`::

    class Fit(Task[FitParameters]):
        parameters_model = FitParameters

        def run(self) -> TaskResult:
            self.report(f"fitting at {self.parameters.threshold}")
            ...
            return TaskResult(summary="Fitted.", payload=self.parameters.out_file)

A program that is not ours is a `ThirdPartyTask`: its model says how it is called.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, NoReturn, TypeVar

from segue.lute.channel import Channel
from segue.lute.command_line import command_line
from segue.lute.messages import Kind, Message, array_message
from segue.lute.parameters import TaskParameters, ThirdPartyParameters
from segue.lute.result import TaskResult
from segue.model.errors import UserError

Parameters = TypeVar("Parameters", bound=TaskParameters)

#: Variables that wait under this prefix become the Task's own just before it begins.
STAGED_PREFIX: Final = "LUTE_TENV_"
#: Where templates of third-party programs lie, below `LUTE_PATH`.
TEMPLATE_FOLDER: Final = "config/templates"


class Task(ABC, Generic[Parameters]):
    """One analysis. Derive from it, name the model, write `run`.

    Attributes
    ----------
    parameters
        The values of the Task's section of the config, checked.
    """

    #: The model that the Task's section of the config fills.
    parameters_model: ClassVar[type[TaskParameters]]
    #: It runs as several ranks under MPI; only rank 0's result counts.
    uses_mpi: ClassVar[bool] = False

    def __init__(self, parameters: Parameters, channel: Channel | None = None) -> None:
        self.parameters = parameters
        self._channel = channel

    @classmethod
    def name(cls) -> str:
        """Return the Task's name: that of its class, which heads its section."""
        return cls.__name__

    @abstractmethod
    def run(self) -> TaskResult:
        """Do the work; return what was found. What is raised fails the Task."""

    def report(self, text: str) -> None:
        """Say something to people: it goes into the log at once."""
        self._send(Message(Kind.LOG, str(text)))

    def send_array(self, values: Any) -> None:
        """Hand an array to the Executor: anything with the buffer protocol."""
        self._send(array_message(values))

    def report_metadata(self, **values: Any) -> None:
        """Say what others may want to know of this Task while it runs."""
        self._send(Message(Kind.METADATA, values))

    def running_tasks(self) -> list[dict[str, Any]]:
        """Ask which Tasks of the workflow run now; none without a workflow."""
        if self._channel is None:
            return []
        self._channel.send(Message(Kind.REQUEST, "running_tasks"))
        answer = self._channel.wait_for(Kind.RESPONSE)
        return list(answer.content) if answer else []

    def _send(self, message: Message) -> None:
        if self._channel is not None:
            self._channel.send(message)
        elif message.kind is Kind.LOG:
            # Tried out by hand, without an Executor.
            os.write(1, f"{message.content}\n".encode())


class ThirdPartyTask(Task[ThirdPartyParameters]):
    """A program that is not ours, called as its model of parameters says."""

    def run(self) -> NoReturn:
        """Become the program: its output is the log, its exit code the end.

        Raises
        ------
        UserError
            If there is no such program, or its template cannot be used.
        """
        self.write_template()
        words = command_line(self.parameters)
        self.report(" ".join(words))
        if self._channel is not None:
            # The Executor hears that nothing more will be said: the exit code decides.
            self._channel.close()
        try:
            os.execvp(words[0], words)
        except OSError as error:
            hint = "see 'executable' in the Task's section, and its environment's PATH"
            raise UserError(f"cannot run {words[0]}: {error.strerror}", hint) from error

    def write_template(self) -> None:
        """Fill the program's template with what its section has beyond the model."""
        config, variables = self.parameters.lute_template_cfg, self.parameters.template_variables
        if config is None or not variables:
            return
        from jinja2 import FileSystemLoader, TemplateError
        from jinja2.sandbox import SandboxedEnvironment

        folder = Path(os.environ.get("LUTE_PATH", "."), TEMPLATE_FOLDER)
        try:
            templates = SandboxedEnvironment(loader=FileSystemLoader([folder, "."]))
            text = templates.get_template(config.template_name).render(variables)
            Path(config.output_path).write_text(text, "utf-8")
        except TemplateError as error:
            hint = f"templates are looked for in {folder} and in the working directory"
            message = f"the template {config.template_name} cannot be used: {error}"
            raise UserError(message, hint) from error
        except OSError as error:
            message = f"{config.output_path} cannot be written: {error.strerror}"
            raise UserError(message, "see lute_template_cfg.output_path") from error


def staged_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that wait for the Task, under their own names.

    Examples
    --------
    >>> staged_environment({"LUTE_TENV_PATH": "/opt/bin", "HOME": "/home/ada"})
    {'PATH': '/opt/bin'}
    """
    return {
        name.removeprefix(STAGED_PREFIX): value
        for name, value in environment.items()
        if name.startswith(STAGED_PREFIX)
    }
