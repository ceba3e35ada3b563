# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a webmail's pool sees of its host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.pool_bounds import pool_bounds

UNIT = "php8.4-fpm.service"
ROOT = "/var/lib/ilnmors-webmail/some"
POOL: dict[str, Any] = {
    "name": "some",
    "reads": ["/usr/share/some", "/etc/some.types"],
    "writes": ["/var/lib/some"],
    "authorities": ["/etc/ssl/house/ca.pem"],
}


def binds(pool: dict[str, Any]) -> dict[str, list[str]]:
    """Return what is bound to a pool's root: sources and places, by the setting."""
    (file,) = pool_bounds(pool, UNIT)["files"]
    found: dict[str, list[str]] = {}
    for line in file["content"].splitlines():
        name, __, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_workers_have_a_root_of_their_own() -> None:
    found = pool_bounds(POOL, UNIT)
    assert f"\nchroot = {ROOT}\n" in found["lines"]
    assert "open_basedir" not in found["lines"]
    assert found["directories"] == [{"path": "/var/lib/ilnmors-webmail"}, {"path": ROOT}]
    assert [file["path"] for file in found["files"]] == [
        "/etc/systemd/system/php8.4-fpm.service.d/ilnmors-some.conf"
    ]
    assert binds(POOL)["TemporaryFileSystem"] == [f"{ROOT}:ro,mode=0755"]


def test_nothing_but_the_data_can_be_written() -> None:
    assert binds(POOL)["BindPaths"] == [f"-/var/lib/some:{ROOT}/var/lib/some"]


def test_everything_lies_where_it_lies_on_the_host() -> None:
    found = binds(POOL)["BindReadOnlyPaths"]
    for path in ("/usr/share/some", "/etc/some.types", "/usr/lib", "/usr/share/zoneinfo"):
        assert f"-{path}:{ROOT}{path}" in found
    # But for what is copied or is a socket.
    assert f"-/run/mail-webmail-names:{ROOT}/etc" in found
    assert f"-/run/systemd/journal/dev-log:{ROOT}/dev/log" in found
    assert found.index(f"-/run/mail-webmail-names:{ROOT}/etc") < found.index(
        f"-/etc/some.types:{ROOT}/etc/some.types"
    )


@pytest.mark.parametrize(
    ("authority", "seen"),
    [
        # It is replaced at times, for which the folder is needed.
        ("/etc/ssl/house/ca.pem", "/etc/ssl/house"),
        # Its folder holds all kinds of things.
        ("/etc/ca.pem", "/etc/ca.pem"),
        ("/ca.pem", "/ca.pem"),
    ],
)
def test_of_authorities_no_more_is_seen_than_their_folder(authority: str, seen: str) -> None:
    found = binds({**POOL, "authorities": [authority]})["BindReadOnlyPaths"]
    assert f"-{seen}:{ROOT}{seen}" in found
    assert f"-/etc:{ROOT}/etc" not in found


def test_what_is_missing_keeps_no_other_pool_from_starting() -> None:
    found = binds(POOL)
    assert all(value.startswith("-/") for value in found["BindReadOnlyPaths"] + found["BindPaths"])


def test_nothing_is_bound_twice() -> None:
    found = binds({**POOL, "authorities": ["/etc/ssl/house/ca.pem", "/etc/ssl/house/other.pem"]})
    places = [value.rpartition(":")[2] for value in found["BindReadOnlyPaths"]]
    assert len(places) == len(set(places))


def test_a_path_is_one_path_whatever_it_holds() -> None:
    found = binds({**POOL, "authorities": ["/etc/our house/50%: a/ca.pem"]})["BindReadOnlyPaths"]
    written = r"/etc/our\ house/50%%\:\ a"
    assert f"-{written}:{ROOT}{written}" in found


def test_php_limits_a_pool_where_systemd_may_not() -> None:
    found = pool_bounds(POOL, UNIT, harden=False)
    assert found["lines"].endswith(
        "\nphp_admin_value[open_basedir] = /usr/share/some/:/etc/some.types:/var/lib/some/\n"
    )
    assert "chroot" not in found["lines"]
    assert (found["directories"], found["files"]) == ([], [])
