# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an application can have a login to PostgreSQL."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.postgresql import (
    DatabaseError,
    Login,
    check_database,
)
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.fakes.postgresql import Database, postgresql


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "house")


@pytest.fixture
def database(authority: Authority) -> Iterator[Database]:
    with postgresql(Database(tls=authority.context())) as served:
        yield served


@pytest.fixture
def login(database: Database, authority: Authority) -> Login:
    return Login(
        host=ADDRESS,
        port=database.port,
        name="roundcube",
        user="roundcube",
        password="secret",
        tls=True,
        ca_file=str(authority.file),
        timeout=5,
    )


@pytest.mark.parametrize("method", ["scram", "md5", "cleartext"])
def test_a_login_over_tls_is_taken(database: Database, login: Login, method: str) -> None:
    database.method = method
    assert check_database(login) == "takes the login"


@pytest.mark.parametrize("method", ["scram", "md5"])
def test_a_login_without_tls_is_taken_where_that_is_wanted(
    database: Database, login: Login, method: str
) -> None:
    database.method, database.tls = method, None
    assert check_database(dataclasses.replace(login, tls=False)) == "takes the login"


def test_no_password_is_sent_in_the_clear(database: Database, login: Login) -> None:
    database.method, database.tls = "cleartext", None
    with pytest.raises(DatabaseError, match="would have it in the clear") as refusal:
        check_database(dataclasses.replace(login, tls=False))
    assert refusal.value.option == "user"
    assert database.passwords_seen == 0


def test_before_the_authority_is_there_an_answer_is_enough(database: Database, login: Login) -> None:
    missing = dataclasses.replace(login, ca_file="/nonexistent/ca.pem", password="wrong")
    assert check_database(missing) == "answers; the password is tried once /nonexistent/ca.pem is there"
    assert database.passwords_seen == 0


@pytest.mark.parametrize("method", ["scram", "md5", "cleartext"])
def test_a_wrong_password_is_named_and_not_shown(database: Database, login: Login, method: str) -> None:
    database.method = method
    with pytest.raises(DatabaseError) as refusal:
        check_database(dataclasses.replace(login, password="hunter2"))
    assert refusal.value.option == "password"
    assert str(refusal.value) == (
        f'PostgreSQL at {ADDRESS} refuses the login: password authentication failed for user "roundcube"; '
        "write the one that the server has for this user"
    )


@pytest.mark.parametrize(
    ("changed", "option", "reason"),
    [
        ({"name": "other"}, "name", 'refuses the login: database "other" does not exist'),
        ({"host": "no-such-host.invalid"}, "host", "no PostgreSQL can be reached at no-such-host.invalid"),
        ({"ca_file": "another"}, "tls_ca", "does not verify"),
        ({"ca_file": __file__}, "tls_ca", "cannot be read as certificates"),
    ],
)
def test_what_is_wrong_is_said_of_its_option(
    login: Login, tmp_path: Path, changed: dict[str, str], option: str, reason: str
) -> None:
    if changed.get("ca_file") == "another":
        changed = {"ca_file": str(Authority(tmp_path, "another").file)}
    with pytest.raises(DatabaseError, match="; ") as refusal:
        check_database(dataclasses.replace(login, **changed))  # type: ignore[arg-type]
    assert refusal.value.option == option
    assert reason in str(refusal.value)


def test_one_who_may_make_no_tables_is_refused(database: Database, login: Login) -> None:
    database.may_create = False
    with pytest.raises(DatabaseError, match="may make no tables in the database 'roundcube'"):
        check_database(login)


def test_a_server_without_tls_gets_no_password(database: Database, login: Login) -> None:
    database.tls = None
    with pytest.raises(DatabaseError, match="speaks no TLS") as refusal:
        check_database(login)
    assert refusal.value.option == "tls"
    assert database.passwords_seen == 0


def test_a_server_that_does_not_know_the_password_is_not_believed(database: Database, login: Login) -> None:
    database.forges = True
    with pytest.raises(DatabaseError, match="is no PostgreSQL"):
        check_database(dataclasses.replace(login, password="another"))


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"S", b"E\xff\xff\xff\xff", b""])
def test_what_is_no_postgresql_is_refused(database: Database, login: Login, noise: bytes) -> None:
    database.noise = noise or b"\0"
    with pytest.raises(DatabaseError):
        check_database(login)


def test_one_that_is_silent_is_left(login: Login) -> None:
    with socket.create_server((ADDRESS, 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DatabaseError, match="it does not answer in time") as refusal:
            check_database(dataclasses.replace(login, port=port, timeout=0.3))
    assert refusal.value.option == "host"


def test_one_that_does_not_listen_is_named(login: Login) -> None:
    with socket.create_server((ADDRESS, 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(DatabaseError, match=rf"{ADDRESS} port {port} from this host: Connection refused"):
        check_database(dataclasses.replace(login, port=port))
