# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every role keeps to: its options, their defaults, and the site variables that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import SITE
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Context
from ansible_collections.ilnmors.mail.tests.unit.repository.ansible_plugins import plugins_loaded
from ansible_collections.ilnmors.mail.tests.unit.site.description import read

ROLES = Path(__file__).parents[3] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def defaults(role: str) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(ROLES / role / "defaults" / "main.yml")
    return found


def specs(role: str) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]
    return found


def all_options(options: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through options and their suboptions, each with its dotted name."""
    for name, option in options.items():
        yield f"{above}{name}", option
        yield from all_options(option.get("options", {}), f"{above}{name}.")


def is_literal(value: object) -> bool:
    return "{{" not in str(value)


def sources(role: str) -> list[Path]:
    """List what a role runs, without its documentation."""
    return [
        path
        for folder in ("tasks", "handlers", "templates", "vars")
        for path in sorted((ROLES / role / folder).rglob("*"))
        if path.is_file()
    ]


def templated(path: Path) -> str:
    """Return the expressions of a file: what is in braces, and what tasks ask in words."""
    text = path.read_text()
    words = (
        re.findall(r"^\s*(?:when|that|loop|failed_when|changed_when|until):.*$", text, re.M)
        if path.suffix == ".yml"
        else []
    )
    return "\n".join([*re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, re.DOTALL), *words])


def test_there_are_roles() -> None:
    assert NAMES == [
        "dovecot_imap",
        "mail_backup",
        "mail_monitoring",
        "mail_oauth2",
        "mail_tls",
        "mbsync_fetch",
        "postfix_relay",
        "roundcube",
        "snappymail",
        "webmail_host",
    ]


# --- options and their defaults


@pytest.mark.parametrize("role", NAMES)
def test_defaults_and_specs_name_the_same_options(role: str) -> None:
    assert list(defaults(role)) == list(specs(role)["main"]["options"])


@pytest.mark.parametrize("role", NAMES)
def test_the_preflight_takes_the_same_options(role: str) -> None:
    assert set(specs(role)) == {"main", "preflight"}
    assert specs(role)["preflight"]["options"] == specs(role)["main"]["options"]
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text()
    assert all(spec.get("short_description") and spec.get("description") for spec in specs(role).values())
    assert "options: &options\n" in text
    assert "options: *options\n" in text


@pytest.mark.parametrize("role", NAMES)
def test_options_carry_the_roles_name(role: str) -> None:
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", NAMES)
def test_what_a_role_computes_carries_its_name_and_two_underscores(role: str) -> None:
    names = [name for path in (ROLES / role / "vars").glob("*.yml") for name in read_yaml(path)]
    assert [name for name in names if name != f"__{role}" and not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", NAMES)
def test_every_option_has_a_type_and_a_description(role: str) -> None:
    for name, option in all_options(specs(role)["main"]["options"]):
        assert option.get("type"), f"{name} has no type"
        assert option.get("description"), f"{name} has no description"
        assert option["type"] != "list" or option.get("elements"), f"{name} does not say what it is a list of"


@pytest.mark.parametrize("role", NAMES)
def test_secrets_are_never_shown(role: str) -> None:
    for name, option in all_options(specs(role)["main"]["options"]):
        if "password" in name.rpartition(".")[2] and not name.endswith(("_scheme", "_file")):
            assert option.get("no_log") is True, f"{name} could be shown"
            assert "choices" not in option, f"{name} would be shown when its choice is refused"


@pytest.mark.parametrize("role", NAMES)
def test_declared_defaults_are_the_real_ones(role: str) -> None:
    declared = {
        name: option["default"]
        for name, option in specs(role)["main"]["options"].items()
        if "default" in option
    }
    assert declared == {name: value for name, value in defaults(role).items() if is_literal(value)}


@pytest.mark.parametrize("role", NAMES)
def test_computed_defaults_are_described(role: str) -> None:
    for name, option in specs(role)["main"]["options"].items():
        if "default" not in option and not option.get("required"):
            assert "Default" in str(option["description"]), f"{name} does not say what its default is"


# --- site variables


@pytest.mark.parametrize("role", NAMES)
def test_site_variables_are_read_in_the_defaults_alone(role: str) -> None:
    others = [name for name in SITE if not name.startswith(f"{role}_")]
    # Their names may stand in tasks, so that a problem can name them: in quotes, or as an option of host_preflight.
    read = re.compile(rf"(?<![\w.'])(?<!option: )({'|'.join(others)})(?!\w)")
    assert [
        (path.name, found[0]) for path in sources(role) for found in read.finditer(path.read_text())
    ] == []


@pytest.mark.parametrize("role", NAMES)
def test_defaults_read_site_variables_and_the_roles_own(role: str) -> None:
    text = (ROLES / role / "defaults" / "main.yml").read_text()
    found = set(re.findall(r"(?<!\w)mail_\w+", "".join(re.findall(r"\{\{.*?\}\}", text, re.DOTALL))))
    assert found - set(SITE) - set(defaults(role)) == set()


@pytest.mark.parametrize("role", NAMES)
def test_no_role_reads_an_option_of_another(role: str) -> None:
    """What two roles have to agree on is a site variable: a role's option may be set for that role alone."""
    others = {name for other in NAMES if other != role for name in defaults(other)} - set(SITE)
    wanted = re.compile(rf"(?<![\w.])({'|'.join(others)})(?!\w)")
    files = [*sources(role), ROLES / role / "defaults" / "main.yml"]
    assert [(path.name, found[0]) for path in files for found in wanted.finditer(path.read_text())] == []


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> Iterator[None]:
    """Let defaults that are read from a role's files be filled in."""
    with plugins_loaded():
        yield


def effective(role: str, site: dict[str, Any]) -> dict[str, Any]:
    """Fill in a role's defaults as Ansible does for a host in no group."""
    loader = DataLoader()
    values = loader.load_from_file(str(ROLES / role / "defaults" / "main.yml"), trusted_as_template=True)
    variables = {
        "inventory_hostname": "a-host",
        "ansible_play_hosts_all": ["a-host"],
        "hostvars": {"a-host": site},
        "groups": {},
        "ansible_search_path": [str(ROLES / role)],
    }
    variables |= {**values, **site}
    filled: dict[str, Any] = Templar(loader=loader, variables=variables).template(values)
    return {name.removeprefix(f"{role}_"): value for name, value in filled.items()}


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (
            {},
            {
                "hostname": "mail.home.internal",
                "tls_certificate": "/etc/ssl/ilnmors-mail/host.pem",
                "tls_key": "/etc/ssl/ilnmors-mail/host.key",
                "vmail_user": "vmail",
                "mail_directory": "/var/vmail",
                "provider_ca": "/etc/ssl/certs/ca-certificates.crt",
                "users": [],
                "services": [],
                "providers": [],
            },
        ),
        # What mail_tls's own defaults are for the roles after it.
        (
            {"mail_tls_certificate": "", "mail_tls_key": ""},
            {
                "tls_certificate": "/etc/ssl/ilnmors-mail/host.pem",
                "tls_key": "/etc/ssl/ilnmors-mail/host.key",
            },
        ),
        (
            {"mail_tls_certificate": "/etc/mine.pem", "mail_tls_key": "/etc/mine.key"},
            {"tls_certificate": "/etc/mine.pem", "tls_key": "/etc/mine.key"},
        ),
        ({"mail_hostname": "post.home.internal"}, {"hostname": "post.home.internal"}),
        ({"mail_users": [{"name": "il"}]}, {"users": [{"name": "il"}]}),
        ({"mail_services": [{"name": "nas"}]}, {"services": [{"name": "nas"}]}),
        ({"mail_providers": [{"name": "gmail"}]}, {"providers": [{"name": "gmail"}]}),
    ],
    ids=["bare", "own-authority", "brought-certificate", "hostname", "users", "services", "providers"],
)
def test_roles_agree_on_what_they_share(site: dict[str, Any], expected: dict[str, Any]) -> None:
    found: dict[str, list[tuple[str, Any]]] = {name: [] for name in expected}
    for role in NAMES:
        values = effective(role, {"mail_domain": "home.internal", **site})
        if role in ("roundcube", "snappymail", "webmail_host"):  # whose own host is the webmail
            values["hostname"] = values["mail_hostname"]
        # Tokens and figures are the same whatever the house's domain is.
        assert values.get("domain") == (
            None if role in ("mail_monitoring", "mail_oauth2") else "home.internal"
        ), role
        for name in expected.keys() & values.keys():
            found[name].append((role, values[name]))
    for name, value in expected.items():
        assert len(found[name]) > 1, f"no two roles share {name}"
        assert [(role, other) for role, other in found[name] if other != value] == [], name


def test_what_the_webmail_takes_as_an_attachment_postfix_takes_as_a_message() -> None:
    """An attachment is 4/3 as large in base64, in lines of 76 characters and CRLF (RFC 2045 section 6.8).

    The application compares 1.33 times the finished message with the server's limit.
    """
    house = {"mail_domain": "home.internal"}
    attachment = effective("snappymail", house)["attachment_size"] * 1024 * 1024
    text = 1024 * 1024
    message = attachment * 4 / 3 * 78 / 76 + text
    assert message * 1.33 < effective("postfix_relay", house)["message_size_limit"]


def test_certificates_lie_where_mail_tls_puts_them() -> None:
    house = {"mail_domain": "home.internal"}
    directory = effective("mail_tls", house)["directory"]
    webmail = effective("webmail_host", house)
    assert webmail["tls_certificate"] == f"{directory}/host.pem"
    assert webmail["tls_key"] == f"{directory}/host.key"
    assert webmail["tls_ca"] == f"{directory}/ca.pem"


@pytest.mark.parametrize("release", ["12", "13"])
def test_webmails_run_in_the_php_of_their_host(release: str) -> None:
    facts = {"ansible_facts": {"distribution_major_version": release}}
    found = {}
    for role in ("webmail_host", "snappymail"):
        variables = DataLoader().load_from_file(
            str(ROLES / role / "vars" / "main.yml"), trusted_as_template=True
        )
        found[role] = Templar(loader=DataLoader(), variables={**variables, **facts}).template(
            variables[f"__{role}_php"]
        )
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize(
    ("site", "names"),
    [
        ({}, ["webmail.home.internal", "autoconfig.home.internal", "autodiscover.home.internal"]),
        (
            {"mail_webmail_hostname": "www.home.internal", "mail_autoconfig_hostnames": []},
            ["www.home.internal"],
        ),
        ({"mail_autoconfig_hostnames": ["home.internal"]}, ["webmail.home.internal", "home.internal"]),
        (
            {
                "mail_webmail": ["roundcube", "snappymail"],
                "snappymail_hostname": "old.home.internal",
                "mail_autoconfig_hostnames": [],
            },
            ["webmail.home.internal", "old.home.internal"],
        ),
        (
            {"mail_webmail": "roundcube", "snappymail_hostname": "old.home.internal"},
            ["webmail.home.internal", "autoconfig.home.internal", "autodiscover.home.internal"],
        ),
    ],
    ids=["bare", "no-autoconfig", "domain-itself", "two webmails", "the other one"],
)
def test_a_certificate_has_every_name_that_the_webmail_host_serves(
    site: dict[str, Any], names: list[str]
) -> None:
    house = {"mail_domain": "home.internal", **site}
    given = {f"webmail_host_{name}": value for name, value in effective("webmail_host", house).items()}
    webmail = read("webmail_host", given).options.dump()
    assert [*webmail["hostnames"], *webmail["autoconfig_hostnames"]] == names
    given = {f"mail_tls_{name}": value for name, value in effective("mail_tls", house).items()}
    context = Context(host="a-host", groups={"webmail": ["a-host"]})
    assert read("mail_tls", given, context=context).options.dump()["names"] == names


# --- one decision for each release


@pytest.mark.parametrize("role", NAMES)
def test_nothing_compares_versions(role: str) -> None:
    """What differs between releases stands in files of variables or templates, chosen once."""
    compares = re.compile(r"\bversion(_compare)?\(|\bis\s+(not\s+)?version\b")
    assert [path.name for path in sources(role) if compares.search(path.read_text())] == []
