"""`segue`: the commands, each loaded only when it is used."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from segue import __version__
from segue.cli.streams import ReaderLeftError, be_silent, own_output, prepare_streams
from segue.model.errors import OutsideError, UserError

#: Command -> module that holds it, and its line in ``--help``. The help text stands
#: here too, so that listing the commands loads none of them.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("run", "Run a workflow file."),
    "validate": ("read", "Check a workflow file; show all that is wrong with it."),
    "convert": ("convert", "Write a LUTE workflow file in the form of another launcher."),
    "graph": ("read", "Show the graph of a workflow file or of a run."),
    "runs": ("look", "List runs, newest first."),
    "status": ("look", "Show how far a run has come."),
    "logs": ("look", "Show what a task printed."),
    "why": ("look", "Say why a task waits, failed or was skipped."),
    "history": ("look", "Show what happened in a run, in order."),
    "cancel": ("change", "Stop a run, or some of its tasks."),
    "retry": ("change", "Run again what did not succeed; what succeeded stays."),
    "hold": ("intervene", "Keep tasks from starting."),
    "release": ("intervene", "Let tasks start again that were held."),
    "mark-done": ("intervene", "Let tasks count as done that have not succeeded."),
    "update": ("change", "Change limits of a run while it runs."),
    "pause": ("change", "Start nothing more of a run; what runs goes on."),
    "resume": ("change", "Let a run go on; take it over if its engine is gone."),
    "delete": ("intervene", "Forget runs that have ended."),
    "study": ("study", "Show a run's tasks with their parameters."),
    "serve": ("serve", "Serve the page and the HTTP API; run what is submitted there."),
    "runner": ("runner", "Run jobs for engines on other machines."),
    "token": ("token", "Let others use a server: make, list and revoke tokens."),
    "doctor": ("doctor", "Check this machine, the store and the engines."),
}

#: What other tools call them.
OTHER_WORDS: Final[dict[str, str]] = {
    **dict.fromkeys(("submit", "start", "launch", "exec"), "run"),
    **dict.fromkeys(("check", "lint"), "validate"),
    **dict.fromkeys(("list", "ls", "ps", "queue"), "runs"),
    **dict.fromkeys(("tail", "output"), "logs"),
    "explain": "why",
    **dict.fromkeys(("kill", "stop", "abort"), "cancel"),
    **dict.fromkeys(("requeue", "rerun", "restart"), "retry"),
    "unhold": "release",
    **dict.fromkeys(("continue", "unpause"), "resume"),
    **dict.fromkeys(("rm", "remove"), "delete"),
    **dict.fromkeys(("worker", "agent"), "runner"),
}

#: Commands that a server can be asked for, by the modules that ask it.
REMOTE: Final[dict[str, str]] = {
    "run": "remote_run",
    "validate": "remote_run",
    **dict.fromkeys(("graph", "runs", "status", "logs", "why", "history"), "remote_look"),
    **dict.fromkeys(
        ("cancel", "retry", "pause", "resume", "hold", "release", "mark-done", "update", "delete"),
        "remote_change",
    ),
}
#: Commands that have nothing to do with where runs are kept.
EVERYWHERE: Final = frozenset({"convert", "serve", "runner", "doctor"})

INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Loads the module of a command when the command is used."""

    def make_context(self, *words: Any, **options: Any) -> click.Context:
        """Read the command line; `--help` prints here."""
        with own_output():
            return super().make_context(*words, **options)

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Take `--server` from wherever it stands: people write it behind the command, too."""
        server, arguments = take_server(arguments)
        return super().parse_args(context, [*server, *arguments])

    def invoke(self, context: click.Context) -> Any:
        """Call the command."""
        with own_output():
            return super().invoke(context)

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the commands in the order of a user's day."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command, loaded."""
        if name not in COMMANDS:
            return None
        if context.params.get("server") and name not in EVERYWHERE:
            return _remote(context, name)
        return _load(COMMANDS[name][0], name)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a mistyped one is answered with the nearest."""
        if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
            from segue.model.errors import did_you_mean

            hint = did_you_mean(arguments[0], list(COMMANDS)) or "'segue --help' lists them"
            if arguments[0] in OTHER_WORDS:
                hint = f"here it is 'segue {OTHER_WORDS[arguments[0]]}'"
            raise UserError(f"there is no command {arguments[0]!r}", hint)
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def take_server(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the words of `--server`, wherever they stand before a ``--``, and the others.

    Examples
    --------
    >>> take_server(["status", "run-1", "--server", "http://here"])
    (['--server', 'http://here'], ['status', 'run-1'])
    """
    taken: list[str] = []
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            others += [word, *words]
        elif word == "--server":
            taken = [word, *([following] if (following := next(words, None)) is not None else [])]
        elif word.startswith("--server="):
            taken = [word]
        else:
            others.append(word)
    return taken, others


def _remote(context: click.Context, name: str) -> click.Command:
    """Return a command that asks a server."""
    if name not in REMOTE:
        raise UserError(
            f"'segue {name}' works where runs are kept, and not through a server",
            f"with --server there are: {', '.join(REMOTE)}",
        )
    if context.obj is None and not context.resilient_parsing:
        from segue.cli.remote_client import client_of

        context.obj = client_of(context.params["server"])
        context.call_on_close(context.obj.close)
    return _load(REMOTE[name], name)


def _load(module: str, name: str) -> click.Command:
    loaded = import_module(f"segue.cli.{module}")
    command: click.Command = getattr(loaded, name.replace("-", "_"))
    return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 the run succeeded, 1 it failed, 2 the input is wrong, "
    "3 store or batch system could not be reached, 130 cancelled by the user.",
)
@click.version_option(__version__, "-V", "--version", message="segue %(version)s")
@click.option(
    "--server",
    envvar="SEGUE_SERVER",
    metavar="URL",
    help="Ask this server, not the store of this machine. Its token: SEGUE_TOKEN.",
)
def segue(server: str | None) -> None:
    """Run the workflows that scientists already have: LUTE, Maestro, Daggy.

    Start with 'segue run FILE'. Shell completion: see 'segue doctor --completion'.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run `segue` and leave with its exit code."""
    run_command(segue, "segue", arguments)


def run_command(command: click.Command, name: str, arguments: list[str] | None) -> NoReturn:
    """Run a command line and leave with its exit code."""
    # Workflows are large and live long: collecting often finds nothing.
    gc.set_threshold(100_000, 20, 100)
    prepare_streams()
    code = _exit_code(command, name, arguments)
    try:
        with own_output():
            sys.stdout.flush()
    except ReaderLeftError:
        be_silent()
    except OutsideError as error:
        be_silent()
        click.echo(f"{name}: {error}", err=True)
        code = error.exit_code
    sys.exit(code)


def _exit_code(command: click.Command, name: str, arguments: list[str] | None) -> int:
    """Run the command line and return its exit code; every error but our bugs is told."""
    try:
        code: Any = command.main(arguments, prog_name=name, standalone_mode=False)
    except SystemExit as left:
        code = left.code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (UserError, OutsideError) as error:
        click.echo(f"{name}: {error}" if not hasattr(error, "problems") else str(error), err=True)
        return error.exit_code
    except ReaderLeftError:
        return 0
    return code if isinstance(code, int) else 0
