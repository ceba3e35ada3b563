# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A set of files is put in place as a whole or not at all, and no secret is ever shown."""

from __future__ import annotations

import getpass
import grp
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
from ansible_collections.ilnmors.mail.plugins.module_utils._files import (
    file_transaction,
    pending,
    staged_check,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import (
    Attributes,
    ConfigFilesError,
    TextFile,
    read_file_set,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.redact import hide_secrets
from ansible_collections.ilnmors.mail.plugins.modules import config_files as module

ME = getpass.getuser()
MY_GROUP = grp.getgrgid(os.getgid()).gr_name
SECRET = "correct horse battery"


@pytest.fixture(autouse=True)
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the staging tree where a test can look for what was left behind."""
    parent = tmp_path / "staging"
    parent.mkdir()
    real = staged_check.check_staged
    monkeypatch.setattr(module, "check_staged", lambda file_set, __: real(file_set, parent))
    return parent


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    path = tmp_path / "etc"
    path.mkdir()
    return path


def entry(path: Path | str, content: str = "a = 1\n", **more: object) -> dict[str, Any]:
    return {"path": str(path), "content": content, "owner": ME, "group": MY_GROUP, **more}


def run(
    monkeypatch: pytest.MonkeyPatch,
    files: list[dict[str, Any]],
    *,
    check: bool = False,
    diff: bool = False,
    **more: object,
) -> dict[str, Any]:
    """Run the module's entry point; return what it prints."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda *_args, **__: None)
    args = {"files": files, **more, "_ansible_check_mode": check, "_ansible_diff": diff}
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def reasons(result: dict[str, Any]) -> dict[str, list[str]]:
    return {
        Path(change["path"]).name: change["reasons"] for change in result["files"] + result["directories"]
    }


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# --- what is asked for

PARAMS = {"files": [], "directories": [], "absent": [], "validate": [], "validate_strict": False}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"files": [entry("etc/x")]},
            "files: path 'etc/x' is not absolute; write it from / on",
        ),
        (
            {"files": [entry("/etc/a/../x")]},
            "files: path '/etc/a/../x' is not in its plain form; leave out '..', '.', doubled and trailing slashes",
        ),
        (
            {"files": [entry("//etc/x")]},
            "files: path '//etc/x' is not in its plain form; leave out '..', '.', doubled and trailing slashes",
        ),
        (
            {"files": [entry("/etc/x\n")]},
            "files: path '/etc/x\\n' is not in its plain form; leave out '..', '.', doubled and trailing slashes",
        ),
        (
            {"files": [entry("/etc/x"), entry("/etc/x")]},
            "files: path '/etc/x' is listed twice; leave one of the two out",
        ),
        (
            {"files": [entry("/etc/x", mode=420)]},
            "files: /etc/x has mode 420; write four octal digits in quotes, such as '0644'",
        ),
        (
            {"files": [entry("/etc/x", mode="0698")]},
            "files: /etc/x has mode '0698'; write four octal digits in quotes, such as '0644'",
        ),
        (
            {"files": [entry("/etc/x", mode="0644", secret=True)]},
            "files: /etc/x is secret, but its mode 0644 lets others use it;"
            " write '0600', or '0640' with the group that needs it",
        ),
        (
            {"directories": [{"path": "srv", "owner": ME, "group": MY_GROUP, "mode": "0755"}]},
            "directories: path 'srv' is not absolute; write it from / on",
        ),
        (
            {"directories": [{"path": "/srv", "owner": ME, "group": MY_GROUP, "mode": "u=rw"}]},
            "directories: /srv has mode 'u=rw'; write four octal digits in quotes, such as '0644'",
        ),
        (
            {"absent": ["/etc/*.conf"]},
            "absent: pattern '/etc/*.conf' reaches too far; begin it with two fixed directories,"
            " such as /etc/postfix/*.cf",
        ),
        (
            {"absent": ["/etc/*/x.conf"]},
            "absent: pattern '/etc/*/x.conf' reaches too far; begin it with two fixed directories,"
            " such as /etc/postfix/*.cf",
        ),
        (
            {"absent": ["//etc/*"]},
            "absent: pattern '//etc/*' reaches too far; begin it with two fixed directories,"
            " such as /etc/postfix/*.cf",
        ),
        (
            {"absent": ["/etc/mail/../*"]},
            "absent: pattern '/etc/mail/../*' is not absolute; write it from / on, without '..'",
        ),
        ({"validate": [[]]}, "validate: a command is empty; write it as a list such as [nginx, -t]"),
    ],
)
def test_bad_input_is_refused(params: dict[str, Any], message: str) -> None:
    files = [
        {"mode": "0644", "secret": False, "stage_only": False, **file} for file in params.get("files", [])
    ]
    with pytest.raises(ConfigFilesError) as refused:
        read_file_set({**PARAMS, **params, "files": files})
    assert str(refused.value) == message


# --- putting in place


def test_a_second_run_changes_nothing(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    files = [entry(etc / "main.cf", "a = 1", mode="0640"), entry(etc / "sub" / "master.cf")]
    directories = [{"path": str(etc / "sub"), "owner": ME, "group": MY_GROUP, "mode": "2750"}]
    first = run(monkeypatch, files, directories=directories)
    assert first["changed"]
    assert reasons(first) == {"main.cf": ["created"], "master.cf": ["created"], "sub": ["created"]}
    assert (etc / "main.cf").read_text() == "a = 1\n"
    assert [mode_of(etc / name) for name in ("main.cf", "sub", "sub/master.cf")] == [0o640, 0o2750, 0o644]
    assert names(etc) == ["main.cf", "sub"]
    assert names(etc / "sub") == ["master.cf"]

    inode = (etc / "main.cf").stat().st_ino
    second = run(monkeypatch, files, directories=directories)
    assert not second["changed"]
    assert reasons(second) == {}
    assert (etc / "main.cf").stat().st_ino == inode


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"content": "b = 2\n"}, ["content"]),
        ({"mode": "0600"}, ["mode"]),
        ({"owner": "daemon"}, ["owner"]),
        ({"owner": "1"}, ["owner"]),
        ({"group": "mail"}, ["group"]),
        (
            {"content": "b\n", "owner": "daemon", "group": "mail", "mode": "0600"},
            ["content", "owner", "group", "mode"],
        ),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_each_difference_is_found_and_mended(
    monkeypatch: pytest.MonkeyPatch, etc: Path, change: dict[str, Any], expected: list[str], check: bool
) -> None:
    path = etc / "x"
    run(monkeypatch, [entry(path)])
    before = path.stat()
    wanted = [entry(path) | change]
    result = run(monkeypatch, wanted, check=check)
    assert reasons(result) == {"x": expected}
    assert (path.stat().st_ino == before.st_ino) is check
    assert run(monkeypatch, wanted)["changed"] is check


def test_a_link_is_replaced_and_its_target_kept(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    (etc / "target").write_text("a = 1\n")
    (etc / "x").symlink_to("target")
    assert reasons(run(monkeypatch, [entry(etc / "x", "b = 2")])) == {"x": ["symlink"]}
    assert not (etc / "x").is_symlink()
    assert ((etc / "x").read_text(), (etc / "target").read_text()) == ("b = 2\n", "a = 1\n")


def test_files_no_longer_listed_are_removed(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    for name in ("kept.conf", "gone.conf", "other.txt", ".hidden.conf"):
        (etc / name).write_text("a = 1\n")
    (etc / "dangling.conf").symlink_to("nowhere")
    (etc / "directory.conf").mkdir()
    call: dict[str, Any] = {"files": [entry(etc / "kept.conf")], "absent": [f"{etc}/*.conf"]}
    expected = {"dangling.conf": ["removed"], "gone.conf": ["removed"]}

    predicted = run(monkeypatch, **call, check=True)
    assert reasons(predicted) == expected
    assert (etc / "gone.conf").exists()

    assert reasons(run(monkeypatch, **call)) == expected
    assert names(etc) == [".hidden.conf", "directory.conf", "kept.conf", "other.txt"]
    assert not run(monkeypatch, **call)["changed"]


def test_check_mode_on_a_bare_host_predicts(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    files = [entry(etc / "postfix" / "main.cf", owner="no-such-user", group="no-such-group")]
    result = run(monkeypatch, files, check=True, validate=[["no-such-checker", "%s"]])
    assert (result["changed"], result["validated"]) == (True, False)
    assert reasons(result) == {"main.cf": ["created"]}
    assert names(etc) == []


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"owner": "nobody-here"}, "files: {etc}/x is for user 'nobody-here', who does not exist yet"),
        ({"group": "nobody-here"}, "files: {etc}/x is for group 'nobody-here', which does not exist yet"),
        (
            {"path": "{etc}/sub/x"},
            "files: {etc}/sub, where x is to be, is not a directory; list it in directories",
        ),
        ({"path": "{etc}/dir"}, "files: {etc}/dir exists and is not a regular file; move it out of the way"),
    ],
)
def test_what_cannot_be_put_in_place_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, etc: Path, file: dict[str, Any], message: str
) -> None:
    (etc / "dir").mkdir()
    bad = {key: value.format(etc=etc) for key, value in file.items()}
    result = run(monkeypatch, [entry(etc / "first"), entry(etc / "x") | bad])
    assert result["msg"] == message.format(etc=etc)
    assert names(etc) == ["dir"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives directories away")
def test_a_directory_is_given_to_its_owner(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    wanted = {"path": str(etc / "sub"), "owner": "daemon", "group": "mail", "mode": "2750"}
    assert reasons(run(monkeypatch, [], directories=[wanted])) == {"sub": ["created"]}
    assert ((etc / "sub").owner(), (etc / "sub").group(), mode_of(etc / "sub")) == ("daemon", "mail", 0o2750)
    changed = wanted | {"owner": "root", "mode": "0700"}
    assert reasons(run(monkeypatch, [], directories=[changed])) == {"sub": ["owner", "mode"]}
    assert not run(monkeypatch, [], directories=[changed])["changed"]


@pytest.mark.parametrize("failing", ["new", "old", "gone.conf"])
def test_a_failing_rename_puts_everything_back(
    monkeypatch: pytest.MonkeyPatch, etc: Path, failing: str
) -> None:
    (etc / "old").write_text("old\n")
    (etc / "gone.conf").write_text("gone\n")
    (etc / "link").symlink_to("old")
    inodes = {name: (etc / name).lstat().st_ino for name in names(etc)}
    keep = file_transaction.Transaction._keep

    def fail(self: file_transaction.Transaction, path: Path) -> None:
        keep(self, path)
        if path.name == failing:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_transaction.Transaction, "_keep", fail)
    result = run(
        monkeypatch,
        [entry(etc / "sub" / "first"), entry(etc / "link"), entry(etc / "old", "new\n"), entry(etc / "new")],
        directories=[{"path": str(etc / "sub"), "owner": ME, "group": MY_GROUP}],
        absent=[f"{etc}/*.conf"],
    )
    assert result["msg"] == (
        f"{etc / failing} could not be changed: No space left on device; every file was left as it was"
    )
    assert {name: (etc / name).lstat().st_ino for name in names(etc)} == inodes
    assert (etc / "old").read_text() == "old\n"


def test_directory_attributes_are_put_back_too(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    etc.chmod(0o2750)
    monkeypatch.setattr(file_transaction, "write_new", lambda *_args, **__: Path("/no/such/file").stat())
    directories = [{"path": str(etc), "owner": ME, "group": MY_GROUP, "mode": "0711"}]
    result = run(monkeypatch, [entry(etc / "x")], directories=directories)
    assert (
        result["msg"]
        == f"{etc}/x could not be changed: No such file or directory; every file was left as it was"
    )
    assert mode_of(etc) == 0o2750


# --- the checker


def test_the_checker_sees_the_whole_set_at_its_staged_paths(
    monkeypatch: pytest.MonkeyPatch, etc: Path, staging: Path
) -> None:
    (etc / "same").write_text("unchanged\n")
    files = [
        entry(etc / "same", "unchanged\n"),
        entry(etc / "new", "%s stays\n"),
        entry("/check/wrapper", f"include %s{etc}/new\n", stage_only=True),
    ]
    seen = etc.parent / "seen"
    script = f"cd $0; cat .{etc}/same .{etc}/new check/wrapper; stat -c %a . >&2"
    result = run(
        monkeypatch, files, validate=[["sh", "-c", f"({script}) >{seen} 2>&1; echo $0 >>{seen}", "%s"]]
    )
    assert result["validated"]
    root = seen.read_text().splitlines()[-1]
    assert seen.read_text() == f"unchanged\n%s stays\ninclude {root}{etc}/new\n700\n{root}\n"
    assert Path(root).parent == staging
    assert names(staging) == []
    assert not Path("/check/wrapper").exists()


@pytest.mark.parametrize("check", [True, False])
def test_what_the_checker_refuses_is_not_put_in_place(
    monkeypatch: pytest.MonkeyPatch, etc: Path, staging: Path, check: bool
) -> None:
    (etc / "main.cf").write_text("good\n")
    script = f"echo $0{etc}/main.cf line 1: bad >&2; echo noise; exit 3"
    result = run(
        monkeypatch, [entry(etc / "main.cf", "bad")], validate=[["sh", "-c", script, "%s"]], check=check
    )
    assert result["msg"].startswith("validate: 'sh -c ")
    assert result["msg"].endswith(
        f" refused the files with exit code 3, nothing was put in place; mend what it names:\n"
        f"{etc}/main.cf line 1: bad"
    )
    assert (etc / "main.cf").read_text() == "good\n"
    assert names(staging) == []


@pytest.mark.parametrize(
    ("arguments", "blamed"),
    [
        (["%s{etc}/before.sieve"], "sieve_before"),
        (["%s"], "validate"),
        (["%s{etc}/other"], "validate"),
        (["%s{etc}"], "sieve_before"),
        # The last one is what is judged, and what comes before it what it is judged by.
        (["-c", "%s{etc}", "%s{etc}/other", "%s/out"], "validate"),
        (["-c", "%s{etc}/other", "%s{etc}/before.sieve", "%s/out"], "sieve_before"),
    ],
)
def test_the_option_behind_a_refused_file_is_named(
    monkeypatch: pytest.MonkeyPatch, etc: Path, arguments: list[str], blamed: str
) -> None:
    files = [entry(etc / "before.sieve", option="sieve_before"), entry(etc / "other")]
    given = [argument.format(etc=etc) for argument in arguments]
    checker = ["sh", "-c", "echo line 1: bad >&2; exit 3", *given]
    message = run(monkeypatch, files, validate=[checker])["msg"]
    assert message.startswith(f"{blamed}: 'sh -c ")
    assert message.endswith("nothing was put in place; mend what it names:\nline 1: bad")


@pytest.mark.parametrize(("bad", "said"), [(False, True), (True, True)])
def test_a_set_is_judged_before_anything_is_changed(
    monkeypatch: pytest.MonkeyPatch, etc: Path, staging: Path, bad: bool, said: bool
) -> None:
    checker = ["sh", "-c", f"echo line 1: bad >&2; exit {int(bad)}"]
    folders = [{"path": str(etc / "new"), "owner": "no-such-user"}]
    result = run(monkeypatch, [entry(etc / "a")], validate=[checker], judge_only=True, directories=folders)
    assert ("line 1: bad" in result.get("msg", "")) is bad
    assert result.get("changed", False) is False
    assert result.get("validated", said) is said
    assert names(etc) == []
    assert names(staging) == []


@pytest.mark.parametrize("mode", [{"judge_only": True}, {"check": True}])
@pytest.mark.parametrize(
    "lacking",
    [
        {"validate": [["no-such-checker"]]},
        {"validate_needs": ["dovecot-flatcurve"]},
        {"validate_needs": ["/no/such/certificate.pem"]},
    ],
)
def test_nothing_is_judged_where_the_host_is_not_that_far(
    monkeypatch: pytest.MonkeyPatch, etc: Path, lacking: dict[str, Any], mode: dict[str, Any]
) -> None:
    monkeypatch.setattr(module, "find_missing", lambda names: dict.fromkeys(names, ""))
    asked = {"validate": [["false"]], **lacking, **mode}
    assert run(monkeypatch, [entry(etc / "a")], **asked)["validated"] is False
    assert names(etc) == []


def test_a_run_that_installs_has_what_it_needs(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    def ask(names: list[str]) -> dict[str, str]:
        raise AssertionError(names)

    monkeypatch.setattr(module, "find_missing", ask)
    assert run(monkeypatch, [entry(etc / "a")], validate=[["true"]], validate_needs=["x"])["validated"]


@pytest.mark.parametrize(("strict", "refused"), [(False, False), (True, True)])
def test_a_warning_refuses_only_when_strict(
    monkeypatch: pytest.MonkeyPatch, etc: Path, strict: bool, refused: bool
) -> None:
    checker = ["sh", "-c", "echo warning: unused parameter >&2"]
    result = run(monkeypatch, [entry(etc / "x")], validate=[checker], validate_strict=strict)
    assert result.get("failed", False) is refused
    assert (etc / "x").exists() is not refused


def test_nothing_is_checked_when_nothing_changes(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    run(monkeypatch, [entry(etc / "x")])
    result = run(monkeypatch, [entry(etc / "x")], validate=[["false"]])
    assert (result["changed"], result["validated"]) == (False, False)


def test_a_missing_checker_is_named(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    result = run(monkeypatch, [entry(etc / "x")], validate=[["no-such-checker"]])
    assert result["msg"] == "validate: 'no-such-checker' was not found on this host; install it first"
    assert names(etc) == []


# --- secrets


def secret_file(path: str, content: str) -> TextFile:
    return TextFile(Path(path), content, Attributes("root", "root", 0o600), True, False)


def public_file(path: str, content: str) -> TextFile:
    return TextFile(Path(path), content, Attributes("root", "root", 0o644), False, False)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (
            "fatal: /etc/mail/a.conf line 2: bad value hunter22",
            "fatal: /etc/mail/a.conf line 2: bad value ***",
        ),
        ("near 'unter2'", "near ***"),
        ("passphrase = 'a b c d e'", "passphrase = *** *** *** *** ***"),
        ("a.conf: relay is missing", "a.conf: relay is missing"),
        ("at hunter22\nand more", "at ***\nand more"),
    ],
)
def test_a_checker_cannot_quote_a_secret(output: str, shown: str) -> None:
    files = [
        secret_file("/etc/mail/a.conf", "# for a.conf\nhunter22\na b c d e\nrelay\n"),
        public_file("/etc/mail/b.conf", "relay = a.conf\n"),
    ]
    assert hide_secrets(output, files) == shown


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("checker", ["true", "cat $0{path} >&2; exit 1"])
@pytest.mark.parametrize("before", [None, "old pass phrase\n"])
def test_a_secret_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, etc: Path, check: bool, checker: str, before: str | None
) -> None:
    path = etc / "x.conf"
    if before:
        path.write_text(before)
    (etc / "old.conf").write_text(SECRET)
    result = run(
        monkeypatch,
        [entry(path, SECRET, mode="0600", secret=True)],
        absent=[f"{etc}/*.conf"],
        validate=[["sh", "-c", checker.format(path=path), "%s"]],
        check=check,
        diff=True,
    )
    shown = json.dumps(result)
    for word in (*SECRET.split(), "phrase"):
        assert word not in shown
    if "invocation" in result:  # ansible-core 2.21 leaves it out, unless the caller asks for it
        assert result["invocation"]["module_args"]["files"][0]["content"] == "(not shown)"
    if "diff" in result:
        assert result["diff"][0]["after"] == "(new secret content)\n"


def test_parameters_never_reach_the_log(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    logged: list[str] = []
    run(monkeypatch, [])
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, text, **__: logged.append(text))
    args = {"files": [entry(etc / "x", f"one\n'{SECRET}'\n", secret=True, mode="0600")]}
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    assert len(logged) == 1
    assert "files=NOT_LOGGING_PARAMETER" in logged[0]
    assert SECRET not in logged[0]


# --- diff


def test_the_diff_shows_contents_and_attributes(monkeypatch: pytest.MonkeyPatch, etc: Path) -> None:
    path = etc / "x"
    run(monkeypatch, [entry(path, "a = 1\n")])
    result = run(monkeypatch, [entry(path, "a = 2\n", mode="0600")], diff=True, check=True)
    owned = f"owner: {ME}\ngroup: {MY_GROUP}\n"
    assert result["diff"] == [
        {"before_header": str(path), "after_header": str(path), "before": "a = 1\n", "after": "a = 2\n"},
        {
            "before_header": f"{path} (attributes)",
            "after_header": f"{path} (attributes)",
            "before": f"{owned}mode: 0644\n",
            "after": f"{owned}mode: 0600\n",
        },
    ]
    assert "diff" not in run(monkeypatch, [entry(path, "a = 2\n")], check=True)


# --- what applies the files


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pending, "DIRECTORY", tmp_path / "pending")
    return tmp_path / "pending"


def test_what_applies_the_files_is_noted_when_they_change(
    monkeypatch: pytest.MonkeyPatch, etc: Path, notes: Path
) -> None:
    actions = {"reload-a.service": [], "restart-a.service": [f"{etc}/b"], "never": ["/elsewhere/*"]}
    files = [entry(etc / "a"), entry(etc / "b")]
    run(monkeypatch, files, check=True, pending=actions)
    assert not notes.exists()
    run(monkeypatch, files, pending=actions)
    assert names(notes) == ["reload-a.service", "restart-a.service"]
    for note in notes.iterdir():
        note.unlink()
    run(monkeypatch, files, pending=actions)
    assert names(notes) == []
    run(monkeypatch, [entry(etc / "a", "a = 2\n"), entry(etc / "b")], pending=actions)
    assert names(notes) == ["reload-a.service"]
    run(monkeypatch, [entry(etc / "a", "a = 2\n")], absent=[f"{etc}/*"], pending=actions)
    assert names(notes) == ["reload-a.service", "restart-a.service"]


def test_it_is_noted_before_the_first_change(monkeypatch: pytest.MonkeyPatch, etc: Path, notes: Path) -> None:
    found: list[list[str]] = []
    monkeypatch.setattr(module, "put_in_place", lambda *__: found.append(names(notes)))
    run(monkeypatch, [entry(etc / "a")], pending={"reload-a.service": []})
    assert found == [["reload-a.service"]]


def test_what_is_refused_is_not_noted(monkeypatch: pytest.MonkeyPatch, etc: Path, notes: Path) -> None:
    files = [entry(etc / "a")]
    assert run(monkeypatch, files, validate=[["false"]], pending={"reload-a.service": []})["failed"]
    assert run(monkeypatch, files, pending={"Reload a": []})["failed"]
    assert names(etc) == []
    assert not notes.exists()


def test_a_note_that_cannot_be_made_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, etc: Path, notes: Path
) -> None:
    notes.write_text("in the way")
    result = run(monkeypatch, [entry(etc / "a")], pending={"reload-a.service": []})
    assert "what has to be applied cannot be noted" in result["msg"]
    assert names(etc) == []
