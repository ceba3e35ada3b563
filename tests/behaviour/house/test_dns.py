"""The DNS records that are printed, pasted into real resolvers, lead clients to the house."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.ansible_command import run_ansible
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

PLAYBOOK = Path(__file__).parents[3] / "playbooks" / "dns.yml"

# Each reads the file of records as the printed text says, and answers on a loopback port of the app host.
START = {
    "unbound": """
        printf '%s\\n' 'server:' 'interface: 127.0.0.1' 'port: 15353' 'chroot: ""' 'username: ""' 'pidfile: ""' \\
            'do-daemonize: no' 'use-syslog: no' "directory: $d" "include: $d/records" > $d/conf
        unbound -c $d/conf 2> $d/log &
    """,
    "dnsmasq": """
        dnsmasq --keep-in-foreground --conf-file=$d/records --port=15353 --listen-address=127.0.0.1 --bind-interfaces \\
            --no-resolv --no-hosts --user=root --pid-file= 2> $d/log &
    """,
}
ASK = """
set -eu
d=$(mktemp -d)
cat > $d/records << 'END'
{records}
END
{start}
trap 'kill $!; rm -r $d' EXIT
for _ in $(seq 100); do
    dig +tries=1 +time=1 -p 15353 @127.0.0.1 {ready} > $d/answer && break
    kill -0 $! || {{ cat $d/log >&2; exit 1; }}
    sleep 0.05
done
while read name type; do
    echo "? $name $type"
    dig +tries=1 +time=2 +noall +answer -p 15353 @127.0.0.1 $name $type
done << 'END'
{questions}
END
"""

Ask = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def printed(request: pytest.FixtureRequest) -> dict[str, str]:
    """Run the playbook as a person does, and copy what it shows for each resolver."""
    path = request.config.getoption("--ansible-inventory")
    done = run_ansible(
        "ansible-playbook", str(PLAYBOOK), inventory=path, ANSIBLE_CALLBACK_RESULT_FORMAT="yaml"
    )
    shown = re.findall(r"records for (\w+)\].*?msg: \|-\n((?: {8}[^\n]*\n)+)", done.stdout, re.DOTALL)
    assert len(shown) == len(START), done.stdout + done.stderr
    return {resolver.lower(): textwrap.dedent(text) for resolver, text in shown}


@pytest.mark.any_house
def test_the_records_are_written_into_files(
    request: pytest.FixtureRequest, printed: dict[str, str], tmp_path: Path
) -> None:
    path = request.config.getoption("--ansible-inventory")
    done = run_ansible("ansible-playbook", str(PLAYBOOK), "-e", f"records={tmp_path}", inventory=path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "unbound.conf").read_text() == printed["unbound"]
    assert (tmp_path / "dnsmasq.conf").read_text() == printed["dnsmasq"]
    assert re.search(r"^(# ADDRESS|[0-9a-f.:]+) \S+", (tmp_path / "hosts").read_text(), re.MULTILINE)


def services(house: House) -> dict[str, str]:
    """Return what is asked for each service of the domain, and the answer (RFC 6186, RFC 8314, RFC 5804)."""
    at_mail = {
        "_imaps": "0 0 993",
        "_imap": "10 0 143",
        "_pop3s": "20 0 995",
        "_pop3": "30 0 110",
        "_submissions": "0 0 465",
        "_submission": "10 0 587",
        "_sieve": "0 0 4190",
    }
    return {name: f"{answer} {house.mail_hostname}." for name, answer in at_mail.items()}


def complete(records: str, house: House) -> str:
    """Write the addresses that the playbook leaves to the reader, and remove the # before them."""

    def line(found: re.Match[str]) -> str:
        address = (
            house.mail_address
            if house.mail_hostname in re.findall(r"[\w.-]+\w", found[2])
            else house.webmail_address
        )
        return f"{found[1]}{found[2]}{address}{found[3]}"

    return re.sub(r'^( *)# (.*)\bADDRESS("?)$', line, records, flags=re.MULTILINE)


@pytest.fixture(scope="module", params=START)
def ask(request: pytest.FixtureRequest, house: House, app: Host, printed: dict[str, str]) -> Ask:
    """Return what looks up a name: a resolver's whole answer, in lines of type and data."""
    resolver: str = request.param
    for program in (resolver, "dig"):
        if not app.exists(program):
            pytest.skip(f"needs {program} on the app host")
    hosts = [house.mail_hostname, house.webmail_hostname, *house.autoconfig_hostnames]
    questions = [f"{name} A" for name in hosts]
    questions += [f"{name}._tcp.{house.domain} SRV" for name in (*services(house), "_autodiscover")]
    script = ASK.format(
        records=complete(printed[resolver], house),
        start=START[resolver],
        ready=house.mail_hostname,
        questions="\n".join(questions),
    )
    done = app.run("bash -c %s", script)
    assert done.rc == 0, done.stderr
    answers: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("? "):
            lines = answers.setdefault(line[2:], [])
        else:
            lines.append(" ".join(line.split()[3:]))
    return lambda name, kind: answers[f"{name} {kind}"]


def test_hosts_have_addresses(house: House, ask: Ask) -> None:
    assert ask(house.mail_hostname, "A") == [f"A {house.mail_address}"]
    assert ask(house.webmail_hostname, "A") == [f"A {house.webmail_address}"]


def test_mail_programs_are_led_to_their_settings(house: House, ask: Ask) -> None:
    """A client asks once: the answer holds the address, whatever else it holds."""
    for name in house.autoconfig_hostnames:
        assert ask(name, "A")[-1] == f"A {house.webmail_address}", name


def test_services_are_found_by_the_domain(house: House, ask: Ask) -> None:
    for name, answer in services(house).items():
        assert ask(f"{name}._tcp.{house.domain}", "SRV") == [f"SRV {answer}"]


def test_outlook_is_led_to_a_name_that_is_no_alias(house: House, ask: Ask) -> None:
    assert ask(f"_autodiscover._tcp.{house.domain}", "SRV") == [f"SRV 0 0 443 {house.webmail_hostname}."]
