# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install a set of text files as one transaction.

The set is compared with the host (`plan_changes`), written into a private staging tree and judged there by the
daemon's own checker (`check_staged`), and put in place (`put_in_place`). A fault at any point leaves every file
as it was.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

ROOT_MARK = "%s"
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
OUTPUT_LINES = 40
# A checker's word is taken for a quoted secret when it shares this many characters in a row with one.
SECRET_RUN = 4


class ConfigFilesError(Exception):
    """A set of files that was not put in place; the message says which file or command, and what to do."""


@dataclass(frozen=True)
class Attributes:
    """Owner and group, each a name or a number in decimal, and permission bits."""

    owner: str
    group: str
    mode: int

    def __str__(self) -> str:
        return f"owner: {self.owner}\ngroup: {self.group}\nmode: {self.mode:04o}\n"


@dataclass(frozen=True)
class TextFile:
    """One wanted file.

    `stage_only` files exist in the staging tree alone, for the checker. `option`: the variable that a user would have
    to correct, if there is a single one.
    """

    path: Path
    content: str = field(repr=False)
    attributes: Attributes
    secret: bool
    stage_only: bool
    option: str | None = None


@dataclass(frozen=True)
class Directory:
    """One wanted directory."""

    path: Path
    attributes: Attributes


@dataclass(frozen=True)
class FileSet:
    """Everything one call is asked for."""

    files: tuple[TextFile, ...]
    directories: tuple[Directory, ...]
    absent: tuple[str, ...]
    checkers: tuple[tuple[str, ...], ...]
    strict: bool

    @property
    def installed(self) -> list[TextFile]:
        """The files that have a place on the host."""
        return [file for file in self.files if not file.stage_only]


@dataclass(frozen=True)
class Change:
    """One path that differs from what is wanted.

    `reasons`: of "created", "removed", "content", "symlink", "owner", "group", "mode".
    `diff`: entries as Ansible's callbacks print them, with no content of a secret file.
    """

    path: Path
    reasons: tuple[str, ...]
    diff: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """The changes that make a host as wanted."""

    files: dict[Path, Change]
    directories: dict[Path, Change]
    removed: dict[Path, Change]

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.files or self.directories or self.removed)

    @property
    def file_changes(self) -> list[Change]:
        """Written files first, then removed ones."""
        return [*self.files.values(), *self.removed.values()]

    @property
    def diff(self) -> list[dict[str, str]]:
        """What Ansible shows in diff mode."""
        return [entry for change in (*self.directories.values(), *self.file_changes) for entry in change.diff]


# --- what is asked for


def read_file_set(params: Mapping[str, Any]) -> FileSet:
    """Check the module's parameters; ConfigFilesError names the first that is wrong."""
    file_set = FileSet(
        files=tuple(_read_file(entry) for entry in params["files"]),
        directories=tuple(
            Directory(read_path("directories", entry["path"]), _read_attributes("directories", entry))
            for entry in params["directories"]
        ),
        absent=tuple(_read_pattern(pattern) for pattern in params["absent"]),
        checkers=tuple(tuple(map(str, argv)) for argv in params["validate"]),
        strict=params["validate_strict"],
    )
    _refuse_duplicates("files", (file.path for file in file_set.files))
    _refuse_duplicates("directories", (directory.path for directory in file_set.directories))
    if not all(file_set.checkers):
        raise ConfigFilesError("validate: a command is empty; write it as a list such as [nginx, -t]")
    return file_set


def hide_contents(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as they may be shown: without contents."""
    return {**params, "files": [{**entry, "content": "(not shown)"} for entry in params["files"]]}


def read_path(option: str, text: str) -> Path:
    """Return the path if this is its only spelling, so that two entries can be compared."""
    path = Path(text)
    if not path.is_absolute():
        raise ConfigFilesError(f"{option}: path {text!r} is not absolute; write it from / on")
    if str(path) != text or text.startswith("//") or ".." in path.parts or not text.isprintable():
        raise ConfigFilesError(
            f"{option}: path {text!r} is not in its plain form; leave out '..', '.', doubled and trailing slashes"
        )
    return path


def _read_file(entry: Mapping[str, Any]) -> TextFile:
    path = read_path("files", entry["path"])
    attributes = _read_attributes("files", entry)
    if entry["secret"] and attributes.mode & 0o007:
        raise ConfigFilesError(
            f"files: {path} is secret, but its mode {attributes.mode:04o} lets others use it;"
            " write '0600', or '0640' with the group that needs it"
        )
    content = entry["content"]
    if content and not content.endswith("\n"):
        content += "\n"
    return TextFile(path, content, attributes, entry["secret"], entry["stage_only"], entry.get("option"))


def _read_attributes(option: str, entry: Mapping[str, Any]) -> Attributes:
    mode = entry["mode"]
    # An unquoted 0644 reaches a module as the decimal number 420: only a string says what was written.
    if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{4}", mode):
        raise ConfigFilesError(
            f"{option}: {entry['path']} has mode {mode!r}; write four octal digits in quotes, such as '0644'"
        )
    return Attributes(entry["owner"], entry["group"], int(mode, 8))


def _read_pattern(pattern: str) -> str:
    fixed = pattern.split("/")[:-1]
    if not pattern.startswith("/") or ".." in fixed:
        raise ConfigFilesError(
            f"absent: pattern {pattern!r} is not absolute; write it from / on, without '..'"
        )
    if any(glob.has_magic(part) for part in fixed[:3]) or len([part for part in fixed[:3] if part]) < 2:
        raise ConfigFilesError(
            f"absent: pattern {pattern!r} reaches too far; begin it with two fixed directories,"
            " such as /etc/postfix/*.cf"
        )
    return pattern


def _refuse_duplicates(option: str, paths: Iterable[Path]) -> None:
    seen: set[Path] = set()
    for path in paths:
        if path in seen:
            raise ConfigFilesError(f"{option}: path '{path}' is listed twice; leave one of the two out")
        seen.add(path)


# --- what differs


def plan_changes(file_set: FileSet) -> Plan:
    """Compare the set with the host. Owners that do not exist yet count as different."""
    wanted = {file.path for file in file_set.installed}
    return Plan(
        files={file.path: change for file in file_set.installed if (change := _file_change(file))},
        directories={
            directory.path: change
            for directory in sorted(file_set.directories, key=lambda directory: directory.path)
            if (change := _directory_change(directory))
        },
        removed={
            path: Change(path, ("removed",), (_diff_entry(path, "(file)\n", ""),))
            for path in _find_absent(file_set.absent)
            if path not in wanted
        },
    )


def _find_absent(patterns: Iterable[str]) -> list[Path]:
    # Path.glob would also find dot files, which a shell's pattern leaves alone.
    found = {Path(name) for pattern in patterns for name in glob.glob(pattern)}  # noqa: PTH207
    return sorted(path for path in found if path.is_symlink() or not path.is_dir())


def _file_change(file: TextFile) -> Change | None:
    try:
        found = file.path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Change(file.path, ("created",), _content_diff(file, "") + _attributes_diff(file, None))
    if stat.S_ISLNK(found.st_mode) and not file.path.is_dir():
        return Change(file.path, ("symlink",), (_diff_entry(file.path, "(symbolic link)\n", "(file)\n"),))
    if not stat.S_ISREG(found.st_mode):
        raise ConfigFilesError(f"files: {file.path} exists and is not a regular file; move it out of the way")
    before = file.path.read_bytes()
    content_differs = before != file.content.encode()
    reasons = _differing_attributes(found, file.attributes)
    diff: tuple[dict[str, str], ...] = ()
    if content_differs:
        diff += _content_diff(file, before.decode(errors="replace"))
    if reasons:
        diff += _attributes_diff(file, found)
    reasons = ("content", *reasons) if content_differs else reasons
    return Change(file.path, reasons, diff) if reasons else None


def _directory_change(directory: Directory) -> Change | None:
    try:
        found = directory.path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Change(directory.path, ("created",), _attributes_diff(directory, None))
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigFilesError(
            f"directories: {directory.path} exists and is not a directory; move it out of the way"
        )
    reasons = _differing_attributes(found, directory.attributes)
    return Change(directory.path, reasons, _attributes_diff(directory, found)) if reasons else None


def _differing_attributes(found: os.stat_result, wanted: Attributes) -> tuple[str, ...]:
    differs = {
        "owner": find_uid(wanted.owner) != found.st_uid,
        "group": find_gid(wanted.group) != found.st_gid,
        "mode": stat.S_IMODE(found.st_mode) != wanted.mode,
    }
    return tuple(name for name, value in differs.items() if value)


def find_uid(owner: str) -> int | None:
    """Return the number of a user's name or number; None where there is no such user yet."""
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        return int(owner) if owner.isdecimal() else None


def find_gid(group: str) -> int | None:
    """Return the number of a group's name or number; None where there is no such group yet."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return int(group) if group.isdecimal() else None


def _diff_entry(path: Path, before: str, after: str, what: str = "") -> dict[str, str]:
    header = f"{path}{what}"
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _content_diff(file: TextFile, before: str) -> tuple[dict[str, str], ...]:
    if not file.secret:
        return (_diff_entry(file.path, before, file.content),)
    return (_diff_entry(file.path, "(secret content)\n" if before else "", "(new secret content)\n"),)


def _attributes_diff(
    wanted: TextFile | Directory, found: os.stat_result | None
) -> tuple[dict[str, str], ...]:
    before = ""
    if found:
        before = str(
            Attributes(_user_name(found.st_uid), _group_name(found.st_gid), stat.S_IMODE(found.st_mode))
        )
    return (_diff_entry(wanted.path, before, str(wanted.attributes), " (attributes)"),)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


# --- whether the daemon would take it


def missing_checkers(file_set: FileSet) -> list[str]:
    """List the checkers' programs that this host does not have."""
    return [argv[0] for argv in file_set.checkers if find_program(argv[0]) is None]


def find_program(name: str) -> str | None:
    """Find a program, also for a login without the system's directories in PATH."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN)))


def check_staged(file_set: FileSet, parent: Path) -> None:
    """Stage the set in a private directory under `parent` and run every checker on it.

    Files are staged at their absolute paths below the staging root, with their modes but the caller's owner:
    checkers run as the caller, and nobody else can look in. Raises ConfigFilesError with the checker's words.
    """
    with tempfile.TemporaryDirectory(prefix="ansible-config-", dir=parent) as root:
        for file in file_set.files:
            _stage(file, root)
        for argv in file_set.checkers:
            _run_checker(argv, root, file_set)


def _stage(file: TextFile, root: str) -> None:
    staged = Path(root + str(file.path))
    content = file.content.replace(ROOT_MARK, root) if file.stage_only else file.content
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        _write_new(staged, content.encode(), mode=file.attributes.mode)
    except OSError as error:
        raise ConfigFilesError(f"files: {file.path} could not be staged: {error.strerror}") from error


def _run_checker(argv: Sequence[str], root: str, file_set: FileSet) -> None:
    program = find_program(argv[0])
    if program is None:
        raise ConfigFilesError(f"validate: '{argv[0]}' was not found on this host; install it first")
    done = subprocess.run(
        [program, *(word.replace(ROOT_MARK, root) for word in argv[1:])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if done.returncode == 0 and not (file_set.strict and done.stderr.strip()):
        return
    output = (done.stderr.strip() or done.stdout.strip() or "(it printed nothing)").replace(root, "")
    shown = "\n".join(hide_secrets(output, file_set.files).splitlines()[-OUTPUT_LINES:])
    raise ConfigFilesError(
        f"{_blamed(argv, file_set.files)}: '{shlex.join(argv)}' refused the files with exit code {done.returncode},"
        f" nothing was put in place:\n{shown}"
    )


def _blamed(argv: Sequence[str], files: Iterable[TextFile]) -> str:
    """Name the options whose files are the checker's arguments."""
    options = [file.option for file in files if file.option and f"{ROOT_MARK}{file.path}" in argv]
    return ", ".join(options) or "validate"


def hide_secrets(output: str, files: Iterable[TextFile]) -> str:
    """Put *** for each word that may quote a secret file.

    A word is hidden when it overlaps a run of characters that also stands in a secret file, unless the
    same word stands in the set's paths or in a file that is not secret.
    """
    files = list(files)
    runs = {run for file in files if file.secret for run in _runs(file.content)}
    public = {
        _bare(word)
        for file in files
        for text in (str(file.path), "" if file.secret else file.content)
        for word in text.split()
    }
    return "\n".join(_hide_in_line(line, runs, public) for line in output.splitlines())


def _hide_in_line(line: str, runs: set[str], public: set[str]) -> str:
    quoted = {
        place
        for start, run in enumerate(_runs(line))
        if run in runs
        for place in range(start, start + SECRET_RUN)
    }

    def judge(word: re.Match[str]) -> str:
        hidden = not quoted.isdisjoint(range(*word.span())) and _bare(word[0]) not in public
        return "***" if hidden else word[0]

    return re.sub(r"\S+", judge, line)


def _runs(text: str) -> list[str]:
    return [text[start : start + SECRET_RUN] for start in range(len(text) - SECRET_RUN + 1)]


def _bare(word: str) -> str:
    return word.strip("\"'`:,;.()<>[]")


# --- putting it in place


def check_preconditions(file_set: FileSet, plan: Plan) -> None:
    """Refuse, before anything changes, what could not be put in place."""
    wanted = [("files", file.path, file.attributes) for file in file_set.installed if file.path in plan.files]
    wanted += [
        ("directories", directory.path, directory.attributes)
        for directory in file_set.directories
        if directory.path in plan.directories
    ]
    for option, path, attributes in wanted:
        if find_uid(attributes.owner) is None:
            raise ConfigFilesError(
                f"{option}: {path} is for user {attributes.owner!r}, who does not exist yet"
            )
        if find_gid(attributes.group) is None:
            raise ConfigFilesError(
                f"{option}: {path} is for group {attributes.group!r}, which does not exist yet"
            )
        if path.parent not in plan.directories and not path.parent.is_dir():
            raise ConfigFilesError(
                f"{option}: {path.parent}, where {path.name} is to be, is not a directory; list it in directories"
            )


def put_in_place(file_set: FileSet, plan: Plan) -> None:
    """Make the host as planned, or leave it as it was and raise ConfigFilesError."""
    with transaction() as change:
        for directory in sorted(file_set.directories, key=lambda directory: directory.path):
            if directory.path in plan.directories:
                change.ensure_directory(directory)
        for file in file_set.installed:
            if file.path in plan.files:
                change.write(file.path, file.content.encode(), file.attributes)
        for path in plan.removed:
            change.remove(path)


@contextmanager
def transaction() -> Iterator[Transaction]:
    """Collect new files, rename all of them at the end of the block, and undo everything on a fault."""
    with ExitStack() as leftovers, ExitStack() as undo:
        change = Transaction(leftovers, undo)
        yield change
        change.rename_all()
        undo.pop_all()


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigFilesError(
            f"{path} could not be changed: {error.strerror}; every file was left as it was"
        ) from error


class Transaction:
    """File changes that happen together. A ConfigFilesError names the path that could not be changed."""

    def __init__(self, leftovers: ExitStack, undo: ExitStack) -> None:
        self._leftovers = leftovers  # what is cleared away in any case
        self._undo = undo  # what a fault reverses, newest first
        self._new: list[tuple[Path, Path]] = []
        self._gone: list[Path] = []

    def ensure_directory(self, directory: Directory) -> None:
        """Make the directory, or correct its attributes."""
        path = directory.path
        with _blaming(path):
            if path.is_dir():
                found = path.stat()
                self._undo.callback(path.chmod, stat.S_IMODE(found.st_mode))
                self._undo.callback(os.chown, path, found.st_uid, found.st_gid)
            else:
                path.mkdir(mode=0o700)
                self._undo.callback(path.rmdir)
            # A change of owner clears the set-group-ID bit: the mode comes last.
            os.chown(path, *_ids(directory.attributes))
            path.chmod(directory.attributes.mode)

    def write(self, path: Path, content: bytes, attributes: Attributes) -> None:
        """Write the file beside its place; it appears there when everything is written."""
        new = self.beside(path)
        with _blaming(path):
            _write_new(new, content, mode=attributes.mode, ids=_ids(attributes))
        self._new.append((new, path))

    def beside(self, path: Path) -> Path:
        """Give a name in the same directory that no daemon's pattern matches, cleared away at the end."""
        name = path.with_name(f".{path.name}.{token_hex(4)}")
        self._leftovers.callback(name.unlink, missing_ok=True)
        return name

    def rename_later(self, new: Path, path: Path) -> None:
        """Put a finished file at `path` together with the others."""
        self._new.append((new, path))

    def remove(self, path: Path) -> None:
        """Remove the file together with the others."""
        self._gone.append(path)

    def rename_all(self) -> None:
        """Let everything happen, one rename after the other."""
        for new, path in self._new:
            with _blaming(path):
                self._keep(path)
                new.replace(path)
        for path in self._gone:
            with _blaming(path):
                self._keep(path)
                path.unlink()

    def _keep(self, path: Path) -> None:
        if not os.path.lexists(path):
            self._undo.callback(path.unlink, missing_ok=True)
            return
        # A second name keeps the old file whole, and its place is never empty.
        old = self.beside(path)
        os.link(path, old, follow_symlinks=False)
        self._undo.callback(old.replace, path)


def _ids(attributes: Attributes) -> tuple[int, int]:
    uid, gid = find_uid(attributes.owner), find_gid(attributes.group)
    if uid is None or gid is None:
        raise LookupError(f"no such owner or group: {attributes.owner}, {attributes.group}")
    return uid, gid


def _write_new(path: Path, content: bytes, *, mode: int, ids: tuple[int, int] | None = None) -> None:
    """Write a file that must not exist yet; nobody else can open it before its owner and mode are set."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if ids:
            os.fchown(descriptor, *ids)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
