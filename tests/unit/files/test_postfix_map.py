# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Source and compiled form of a lookup table always agree, and no secret is ever shown.

Most tests run against a small stand-in for Postfix's two commands that keeps a table as text.
"""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._files import file_transaction
from ansible_collections.ilnmors.mail.plugins.module_utils._files.lookup_tables import (
    HEADER,
    PostfixMapError,
    read_tables,
)
from ansible_collections.ilnmors.mail.plugins.modules import postfix_map as module

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to root")

SECRET = "hunter22-of-the-house"
POSTFIX = f"""#!{sys.executable} -IS
import os, sys
directory, command = os.path.split(sys.argv[0])
open(directory + "/log", "a").write(" ".join([command, *sys.argv[1:]]) + chr(10))
if command == "postconf":
    print("hash" if sys.argv[1] == "-h" else "btree\\nhash\\nregexp")
    sys.exit()
kind, _, name = sys.argv[-1].partition(":")
compiled = name + ".db"
if sys.argv[1] == "-s":
    text = open(compiled).read()
    if not text.startswith(kind):
        sys.exit(f"postmap: fatal: open database {{compiled}}: Invalid argument")
    if "cannot-read" in text:
        sys.exit(f"postmap: fatal: table {{compiled}}: sequence operation is not supported")
    sys.stdout.write(text.partition(chr(10))[2])
    sys.exit()
lines = [line for line in open(name).read().split(chr(10)) if line and line[0] != "#"]
for line in lines:
    if "cannot-compile" in line:
        sys.exit(f"postmap: fatal: {{name}}: refused {{line}}")
    if '"' in line:
        print("postmap: warning: expected format: key whitespace value", file=sys.stderr)
pairs = [line.split(None, 1) for line in lines if '"' not in line]
open(compiled, "w").write(kind + chr(10) + "".join(f"{{key.lower()}}\\t{{value}}\\n" for key, value in pairs))
"""


@pytest.fixture
def postfix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in first on PATH; return the log of its calls."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("postconf", "postmap"):
        (directory / name).write_text(POSTFIX)
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)
    return directory / "log"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    path = tmp_path / "etc"
    path.mkdir()
    return path


def table(path: Path | str, entries: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    return {"path": str(path), "entries": {"a@b": "c@d"} if entries is None else entries, **more}


def run(
    monkeypatch: pytest.MonkeyPatch,
    *maps: dict[str, Any],
    check: bool = False,
    diff: bool = False,
    **more: object,
) -> dict[str, Any]:
    """Run the module's entry point; return what it prints."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda *_args, **__: None)
    args = {"maps": list(maps), **more, "_ansible_check_mode": check, "_ansible_diff": diff}
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def reasons(result: dict[str, Any]) -> dict[str, list[str]]:
    return {Path(change["path"]).name: change["reasons"] for change in result["maps"]}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- bad input


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ([table("virtual")], "maps: path 'virtual' is not absolute; write it from / on"),
        (
            [table("/etc/x"), table("/etc/x")],
            "maps: path '/etc/x' is listed twice; put its entries into one map",
        ),
        ([table("/etc/x", {"": "v"})], "maps: /etc/x has an empty key; write what Postfix is to look up"),
        (
            [table("/etc/x", {"#a": "v"})],
            "maps: /etc/x has the key '#a', which would be a comment; begin it otherwise",
        ),
        (
            [table("/etc/x", {"a b": "v"})],
            "maps: /etc/x has the key 'a b'; leave out white space, line breaks and control characters",
        ),
        (
            [table("/etc/x", {"a\nb": "v"})],
            "maps: /etc/x has the key 'a\\nb'; leave out white space, line breaks and control characters",
        ),
        (
            [table("/etc/x", {"a\x00": "v"})],
            "maps: /etc/x has the key 'a\\x00'; leave out white space, line breaks and control characters",
        ),
        (
            [table("/etc/x", {"a\u00a0b": "v"})],
            "maps: /etc/x has the key 'a\\xa0b'; leave out white space, line breaks and control characters",
        ),
        (
            [table("/etc/x", {"a": ""})],
            "maps: /etc/x: the value of 'a' is empty; write one, or leave the key out",
        ),
        (
            [table("/etc/x", {"a": "  "})],
            "maps: /etc/x: the value of 'a' is empty; write one, or leave the key out",
        ),
        ([table("/etc/x", {"a": True})], "maps: /etc/x: the value of 'a' is not a string; put it in quotes"),
        (
            [table("/etc/x", {"a": f"{SECRET} "})],
            "maps: /etc/x: the value of 'a' begins or ends with a space, which Postfix would drop; leave it out",
        ),
        *(
            (
                [table("/etc/x", {"a": f"{SECRET}{break_}x"})],
                "maps: /etc/x: the value of 'a' has a line break or a control character; leave it out",
            )
            for break_ in ("\n", "\r", "\t", "\x85", "\u2028", "\ud800")
        ),
        (
            [table("/etc/x", {"Il@House": "v", "il@house": "w"})],
            "maps: /etc/x has the keys 'Il@House' and 'il@house', which are one to Postfix;"
            " leave one of the two out",
        ),
    ],
)
def test_bad_input_is_refused(maps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(PostfixMapError) as refused:
        read_tables([{"secret": False, **entry} for entry in maps])
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("map_type", "message"),
    [
        (
            "regexp",
            "type: postmap makes no compiled file of type 'regexp'; choose one of btree, cdb, hash, lmdb",
        ),
        (
            "lmdb",
            "type: this Postfix has no tables of type 'lmdb';"
            " install the package postfix-lmdb, or choose one of btree, hash",
        ),
    ],
)
@pytest.mark.usefixtures("postfix")
def test_an_unusable_type_is_refused(
    monkeypatch: pytest.MonkeyPatch, etc: Path, map_type: str, message: str
) -> None:
    assert run(monkeypatch, table(etc / "x"), type=map_type)["msg"] == message
    assert names(etc) == []


# --- writing and compiling


def test_a_second_run_compiles_nothing(monkeypatch: pytest.MonkeyPatch, etc: Path, postfix: Path) -> None:
    maps = [
        table(etc / "virtual", {"Info@House": "il@house, guest@house", "b": "x  y"}),
        table(etc / "sasl_passwd", {"[smtp.gmail.test]:587": f"il:{SECRET}"}, secret=True),
        table(etc / "empty", {}),
    ]
    first = run(monkeypatch, *maps)
    assert first["type"] == "hash"
    assert reasons(first) == {name: ["created", "compiled"] for name in ("virtual", "sasl_passwd", "empty")}
    assert (etc / "virtual").read_text() == f"{HEADER}Info@House\til@house, guest@house\nb\tx  y\n"
    assert (etc / "virtual.db").read_text() == "hash\ninfo@house\til@house, guest@house\nb\tx  y\n"
    assert names(etc) == ["empty", "empty.db", "sasl_passwd", "sasl_passwd.db", "virtual", "virtual.db"]
    assert [mode_of(etc / name) for name in ("virtual", "virtual.db")] == [0o644, 0o644]
    assert [mode_of(etc / name) for name in ("sasl_passwd", "sasl_passwd.db")] == [0o600, 0o600]

    postfix.unlink()
    second = run(monkeypatch, *maps)
    assert (second["changed"], second["maps"]) == (False, [])
    assert [line.split()[1] for line in postfix.read_text().splitlines()] == ["-h", "-m", "-s", "-s", "-s"]


def change_source(etc: Path) -> None:
    (etc / "x").write_text("z z\n")


def change_source_line_ends(etc: Path) -> None:
    (etc / "x").write_text((etc / "x").read_text(), newline="\r\n")


def leave_old_compiled(etc: Path) -> None:
    (etc / "x.db").write_text("hash\na@b\tother\n")


def leave_old_source(etc: Path) -> None:
    (etc / "x").write_text(f"{HEADER}a@b\told\n")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (change_source, ["content"]),
        (change_source_line_ends, ["content"]),
        (leave_old_source, ["content"]),
        (leave_old_compiled, ["compiled"]),
        (lambda etc: (etc / "x").unlink(), ["created"]),
        (lambda etc: (etc / "x.db").unlink(), ["compiled"]),
        (lambda etc: (etc / "x.db").write_text("damaged"), ["compiled"]),
        (lambda etc: (etc / "x.db").write_text("btree\na@b\tc@d\n"), ["compiled"]),
        (lambda etc: (etc / "x").chmod(0o600), ["mode"]),
        (lambda etc: (etc / "x.db").chmod(0o600), ["mode"]),
        (lambda etc: os.chown(etc / "x", 1, 0), ["owner"]),
        (lambda etc: os.chown(etc / "x.db", 0, 1), ["group"]),
        (lambda etc: (etc / "x.lmdb").write_text("old"), ["stale"]),
        (lambda etc: (etc / "x.cdb").symlink_to("nowhere"), ["stale"]),
    ],
)
@pytest.mark.usefixtures("postfix")
def test_each_difference_is_found_and_mended(
    monkeypatch: pytest.MonkeyPatch,
    etc: Path,
    damage: Any,
    expected: list[str],
) -> None:
    wanted = table(etc / "x")
    run(monkeypatch, wanted)
    damage(etc)
    before = {path: path.lstat().st_ino for path in etc.iterdir()}
    assert reasons(run(monkeypatch, wanted, check=True)) == {"x": expected}
    assert {path: path.lstat().st_ino for path in etc.iterdir()} == before
    assert reasons(run(monkeypatch, wanted)) == {"x": expected}
    assert not run(monkeypatch, wanted)["changed"]
    assert names(etc) == ["x", "x.db"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.usefixtures("postfix")
def test_postmaps_own_error_is_reported_and_nothing_changes(
    monkeypatch: pytest.MonkeyPatch, etc: Path, check: bool
) -> None:
    good, bad = table(etc / "good"), table(etc / "bad", {"k": "cannot-compile"})
    result = run(monkeypatch, good, bad, check=check)
    assert result["msg"] == (
        f"maps: {etc}/bad could not be compiled: postmap: fatal: {etc}/bad: refused k\tcannot-compile"
    )
    assert names(etc) == []


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.usefixtures("postfix")
def test_entries_that_postmap_reads_otherwise_are_refused(
    monkeypatch: pytest.MonkeyPatch, etc: Path, check: bool
) -> None:
    result = run(monkeypatch, table(etc / "x", {'"a': "v"}), check=check)
    assert result["msg"] == (
        f"maps: postmap reads other entries from {etc}/x than are listed:"
        " postmap: warning: expected format: key whitespace value;"
        " look for a quotation mark without its pair in a key"
    )
    assert names(etc) == []


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.usefixtures("postfix")
def test_a_type_that_cannot_be_read_back_is_refused(
    monkeypatch: pytest.MonkeyPatch, etc: Path, check: bool
) -> None:
    result = run(monkeypatch, table(etc / "x", {"k": "cannot-read"}), check=check)
    assert result["msg"] == (
        f"maps: {etc}/x could not be read back, choose another type: 'postmap -s hash:{etc}/x' failed:"
        f" postmap: fatal: table {etc}/x.db: sequence operation is not supported"
    )
    assert names(etc) == []


@pytest.mark.usefixtures("postfix")
def test_a_missing_directory_is_named(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    result = run(monkeypatch, table(etc / "sub" / "x"))
    assert (
        result["msg"] == f"maps: {etc}/sub/x could not be written into {etc}/sub: No such file or directory"
    )


@pytest.mark.usefixtures("postfix")
def test_a_failing_rename_leaves_every_table_as_it_was(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    run(monkeypatch, table(etc / "one"), table(etc / "two"))
    inodes = {name: (etc / name).stat().st_ino for name in names(etc)}
    keep = file_transaction.Transaction._keep

    def fail(self: file_transaction.Transaction, path: Path) -> None:
        keep(self, path)
        if path == etc / "two":
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(file_transaction.Transaction, "_keep", fail)
        new = {"a@b": "new"}
        result = run(patched, table(etc / "one", new), table(etc / "two", new))
    assert (
        result["msg"]
        == f"{etc}/two could not be changed: No space left on device; every file was left as it was"
    )
    assert {name: (etc / name).stat().st_ino for name in names(etc)} == inodes


def test_without_postfix_check_mode_predicts(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **__: None)
    result = run(monkeypatch, table(etc / "postfix" / "x"), check=True, type="lmdb")
    assert (result["changed"], result["type"]) == (True, None)
    assert reasons(result) == {"x": ["created", "compiled"]}
    assert run(monkeypatch, table(etc / "x"))["msg"] == (
        "postmap was not found on this host; install Postfix first"
    )


# --- a directory of the tables' own


@pytest.fixture
def others(etc: Path) -> Path:
    """Leave a table of a former run, what else may lie there, and what is outside."""
    (etc / "old.passwords").write_text(f"[smtp.gmail.test]:587\til:{SECRET}\n")
    (etc / "old.passwords.db").write_text(SECRET)
    (etc / ".x.0a1b2c3d").write_text(SECRET)
    (etc / "link").symlink_to(etc.parent / "outside")
    (etc / "directory").mkdir()
    (etc / "directory" / "kept").write_text("kept")
    (etc.parent / "outside").mkdir()
    (etc.parent / "outside" / "kept").write_text("kept")
    return etc


@pytest.mark.usefixtures("postfix")
def test_files_of_no_table_are_removed(monkeypatch: pytest.MonkeyPatch, others: Path) -> None:
    run(monkeypatch, table(others / "x"))
    gone = [str(others / name) for name in (".x.0a1b2c3d", "link", "old.passwords", "old.passwords.db")]
    predicted = run(monkeypatch, table(others / "x"), directory=str(others), check=True, diff=True)
    assert (predicted["changed"], predicted["removed"]) == (True, gone)
    assert [entry["after_header"] for entry in predicted["diff"] if not entry["after"]] == gone
    assert SECRET not in json.dumps(predicted)
    assert len(names(others)) == 7

    result = run(monkeypatch, table(others / "x"), directory=str(others))
    assert (result["changed"], result["removed"]) == (True, gone)
    assert names(others) == ["directory", "x", "x.db"]
    assert names(others / "directory") == names(others.parent / "outside") == ["kept"]

    again = run(monkeypatch, table(others / "x"), directory=str(others))
    assert (again["changed"], again["removed"]) == (False, [])


@pytest.mark.usefixtures("postfix")
def test_nothing_is_removed_unless_a_directory_is_named(
    monkeypatch: pytest.MonkeyPatch, others: Path
) -> None:
    before = names(others)
    assert run(monkeypatch, table(others / "x"))["removed"] == []
    assert names(others) == sorted([*before, "x", "x.db"])


@pytest.mark.usefixtures("postfix")
def test_nothing_is_removed_when_a_table_is_refused(monkeypatch: pytest.MonkeyPatch, others: Path) -> None:
    before = names(others)
    assert run(monkeypatch, table(others / "x", {"k": "cannot-compile"}), directory=str(others))["failed"]
    assert names(others) == before


@pytest.mark.usefixtures("postfix")
def test_a_compiled_form_of_another_type_is_its_tables(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    (etc / "x.lmdb").write_text("old")
    result = run(monkeypatch, table(etc / "x"), directory=str(etc))
    assert (reasons(result), result["removed"]) == ({"x": ["created", "compiled", "stale"]}, [])
    assert names(etc) == ["x", "x.db"]


def test_check_mode_predicts_before_there_is_a_directory(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **__: None)
    result = run(monkeypatch, table(etc / "maps" / "x"), directory=str(etc / "maps"), check=True)
    assert (result["changed"], result["removed"]) == (True, [])


@pytest.mark.parametrize(
    ("path", "directory", "message"),
    [
        ("/etc/x/y", "x", "directory: path 'x' is not absolute; write it from / on"),
        (
            "/etc/x/y",
            "/etc/x/",
            "directory: path '/etc/x/' is not in its plain form; leave out '..', '.', doubled and trailing slashes",
        ),
        (
            "/etc/y",
            "/etc/x",
            "maps: /etc/y does not lie in /etc/x; move it there, or leave the option directory out",
        ),
        (
            "/etc/x/z/y",
            "/etc/x",
            "maps: /etc/x/z/y does not lie in /etc/x; move it there, or leave the option directory out",
        ),
    ],
)
def test_a_directory_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, path: str, directory: str, message: str
) -> None:
    assert run(monkeypatch, table(path), directory=directory, check=True)["msg"] == message


@pytest.mark.usefixtures("postfix")
def test_postfixs_own_directory_is_refused(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    (etc / "main.cf").write_text("kept")
    assert run(monkeypatch, table(etc / "x"), directory=str(etc))["msg"] == (
        f"directory: {etc} holds Postfix's own configuration; give the tables a directory of their own,"
        f" such as {etc}/maps"
    )
    assert names(etc) == ["main.cf"]


# --- secrets and diff


@pytest.mark.usefixtures("postfix")
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("value", [SECRET, f"{SECRET} cannot-compile", 5])
def test_a_secret_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, etc: Path, value: object, check: bool
) -> None:
    (etc / "x").write_text(f"kept {SECRET}\n  continued {SECRET}\nold {SECRET}old\n{SECRET}\n")
    entries = {"kept": SECRET, "old": value}
    result = run(monkeypatch, table(etc / "x", entries, secret=True), check=check, diff=True)
    shown = json.dumps(result)
    assert SECRET not in shown
    if "invocation" in result:  # ansible-core 2.21 leaves it out, unless the caller asks for it
        assert result["invocation"]["module_args"]["maps"][0]["entries"] == "(not shown)"
    if "diff" in result:
        assert result["diff"][0]["before"] == "kept (secret value)\nold (secret value)\n"
        assert result["diff"][0]["after"] == "kept (secret value)\nold (new secret value)\n"


def test_parameters_never_reach_the_log(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    logged: list[str] = []
    run(monkeypatch)
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, text, **__: logged.append(text))
    with patch_module_args({"maps": [table(etc / "x", {"a": SECRET})]}), pytest.raises(SystemExit):
        module.main()
    assert len(logged) == 1
    assert "maps=NOT_LOGGING_PARAMETER" in logged[0]
    assert SECRET not in logged[0]


@pytest.mark.usefixtures("postfix")
def test_the_diff_shows_an_ordinary_table(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    run(monkeypatch, table(etc / "x"))
    (etc / "x.lmdb").write_text("old")
    result = run(monkeypatch, table(etc / "x", {"a@b": "e@f"}), diff=True, check=True)

    def entry(name: str, before: str, after: str) -> dict[str, str]:
        path = str(etc / name)
        return {"before_header": path, "after_header": path, "before": before, "after": after}

    assert result["diff"] == [
        entry("x", f"{HEADER}a@b\tc@d\n", f"{HEADER}a@b\te@f\n"),
        entry("x.lmdb", "(compiled)\n", ""),
        entry("x.db", "", "(compiled anew)\n"),
    ]
    assert "diff" not in run(monkeypatch, table(etc / "x"), check=True)
