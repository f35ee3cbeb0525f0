"""The files of a study's folder: their names, and what ours hold.

A file that others read while we write it is replaced by rename, so that nobody ever sees
half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from segue.model.errors import UserError

OWN_FOLDER: Final = ".segue"
STATUS: Final = "status.csv"
CANCEL_LOCK: Final = ".cancel.lock"
UPDATE_LOCK: Final = ".study.update.lock"
#: What can be updated, in the words of that file.
UPDATES: Final = ("rlimit", "sleep", "throttle")
BATCH_INFO: Final = "batch.info"
_SETTINGS_ENDING: Final = ".study.json"
#: What the original loads a study from.
_ORIGINAL_ENDING: Final = ".study.pkl"
_VERSION: Final = 1
_NAME_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What a study was launched with: all that a conductor needs to begin it.

    `sleeptime_s` is the most seconds between two versions of ``status.csv``; `jobs` how
    many local steps run at once, 0 for as many as there are processors. `temporary` is
    where the scripts lie, empty for the workspaces. `restart_limit` 0 is without end.
    """

    name: str
    specification: str
    directory: str
    spec_root: str
    attempts: int = 1
    restart_limit: int = 1
    throttle: int = 0
    sleeptime_s: int = 60
    jobs: int = 0
    hashws: bool = False
    strict_maestro: bool = False
    dry: bool = False
    temporary: str = ""
    generator: str = ""
    generator_arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Which run of which store a study is."""

    run: str
    store: str
    name: str


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The paths in a study's folder; `name` is the study's name as written."""

    path: Path
    name: str

    @property
    def safe_name(self) -> str:
        """The name as the original writes it into most file names."""
        return safe_name(self.name)

    @property
    def settings(self) -> Path:
        """What the study was launched with."""
        return self.path / f"{self.safe_name}{_SETTINGS_ENDING}"

    @property
    def output(self) -> Path:
        """What a conductor in the background prints."""
        return self.path / f"{self.safe_name}.txt"

    @property
    def log(self) -> Path:
        """The story of the study."""
        return self.path / "logs" / f"{_fitting(self.name.replace('/', '_'))}.log"

    @property
    def status(self) -> Path:
        """The table as a file."""
        return self.path / STATUS

    def outline(self, run: str) -> Path:
        """The unchanging part of the table of one run of the study."""
        return self.path / OWN_FOLDER / f"{run}.outline.json"


def safe_name(name: str) -> str:
    """Return a study's name as part of a file's name.

    Examples
    --------
    >>> safe_name("Build archive")
    'Build_archive'
    """
    return _fitting(name.replace(" ", "_").replace("/", "_"))


def _fitting(name: str) -> str:
    """Return the name, cut so that an ending still fits behind it."""
    while len(os.fsencode(name)) > _NAME_LIMIT:
        name = name[: len(name) * 3 // 4]
    return name


def write_file(path: Path, text: str) -> None:
    """Replace the file as a whole; its folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="", errors="surrogateescape") as new:
            new.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Settings ------------------------------------------------------------------------


def write_settings(folder: StudyFolder, settings: Settings) -> None:
    """Keep what the study was launched with."""
    value = {"version": _VERSION, **asdict(settings)}
    write_file(folder.settings, json.dumps(value, indent=2) + "\n")


def read_settings(path: Path) -> Settings:
    """Return the settings of a study.

    Raises
    ------
    UserError
        If the folder holds none, or several.
    """
    found = sorted(path.glob(f"*{_SETTINGS_ENDING}")) if path.is_dir() else []
    if len(found) != 1:
        what = "several studies" if found else "no study that Segue has launched"
        raise UserError(
            f"Corrupted study directory found. {path} holds {what}.",
            "launch it again: maestro run SPECIFICATION",
        )
    value = _read_json(found[0])
    known = {each.name for each in fields(Settings)}
    given = {name: item for name, item in value.items() if name in known}
    try:
        given["generator_arguments"] = tuple(given.get("generator_arguments", ()))
        return Settings(**given)
    except TypeError as error:
        raise UserError(f"{found[0]} is not whole: {error}", "launch the study again") from error


# The link to the store -----------------------------------------------------------


def write_link(path: Path, link: Link) -> None:
    """Say which run the study is; written before the run is stored."""
    value = {"version": _VERSION, **asdict(link)}
    write_file(path / OWN_FOLDER / "study.json", json.dumps(value, indent=2) + "\n")


def read_link(path: Path) -> Link | None:
    """Return which run the study is, or None if it has none (yet).

    Raises
    ------
    UserError
        If the file is there and cannot be understood.
    """
    file = path / OWN_FOLDER / "study.json"
    try:
        value = _read_json(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Link(str(value["run"]), str(value["store"]), str(value["name"]))
    except KeyError as error:
        raise UserError(
            f"{file} is not whole: it has no {error}", "launch the study again"
        ) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "launch the study again") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is not whole", "launch the study again")
    return value


def is_original(path: Path) -> bool:
    """Tell whether the folder is a study that the original maestrowf has launched."""
    return any(path.glob(f"*{_ORIGINAL_ENDING}"))


# What users and scripts ask for through files --------------------------------------


class FileRequests:
    """Looks for the files by which a study is cancelled and updated, as the original does.

    A request stays until it is said to be `done`, so that none is lost.
    """

    def __init__(self, path: Path) -> None:
        self._cancel = path / CANCEL_LOCK
        self._update = path / UPDATE_LOCK

    def cancelled(self) -> bool:
        """Tell whether a cancel is asked for."""
        return os.path.lexists(self._cancel)

    def update(self) -> Mapping[str, int]:
        """Return what is to be changed: ``rlimit``, ``sleep``, ``throttle``; empty: nothing.

        Raises
        ------
        UserError
            If a value is no whole number from 0 on.
        """
        try:
            text = self._update.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UserError(f"{UPDATE_LOCK} cannot be read: {error.strerror}") from error
        return parse_update(text)

    def done(self, *, cancel: bool = False, update: bool = False) -> None:
        """Take requests away that have been carried out, or make no sense."""
        for path, wanted in ((self._cancel, cancel), (self._update, update)):
            if wanted:
                with contextlib.suppress(OSError):
                    path.unlink()


def parse_update(text: str) -> dict[str, int]:
    r"""Return the settings in the text of ``.study.update.lock``; null leaves one as it is.

    Examples
    --------
    >>> parse_update("rlimit: null\nsleep: 2\nthrottle: 0\n")
    {'sleep': 2, 'throttle': 0}
    """
    import yaml  # conductors that are never asked do without

    hint = f"write lines such as 'throttle: 4'; known are {', '.join(UPDATES)}"
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{UPDATE_LOCK} is no YAML", hint) from error
    if not isinstance(value, dict):
        raise UserError(f"{UPDATE_LOCK} is no map", hint)
    found = {name: value[name] for name in UPDATES if value.get(name) is not None}
    for name, number in found.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise UserError(
                f"{UPDATE_LOCK}: {name} is {number!r}", "write a whole number from 0 on, or null"
            )
    return found


def update_text(values: Mapping[str, int | None]) -> str:
    """Return the text of ``.study.update.lock`` that the original's conductor reads."""
    shown = {name: "null" if values.get(name) is None else values[name] for name in UPDATES}
    return "".join(f"{name}: {value}\n" for name, value in shown.items())
