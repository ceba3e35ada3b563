"""A webmail that is not chosen any longer is served no more, and its data stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.jail import jails
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site
from testinfra.host import Host

PORT = 18999
SOCKET = "/run/php/roundcube-before.sock"
DATA = "/var/lib/roundcube-before"
FILES = (
    "/etc/nginx/sites-enabled/zz-roundcube.conf /etc/php/*/fpm/pool.d/roundcube.conf "
    "/etc/fail2ban/jail.d/ilnmors-roundcube.conf /etc/fail2ban/filter.d/ilnmors-roundcube.conf "
    "/etc/systemd/system/php*-fpm.service.d/ilnmors-roundcube.conf"
)
KEPT = "/root/roundcube-now.tar"
PLANT = f"""
tar --create --absolute-names --ignore-failed-read --file {KEPT} {FILES} 2>/dev/null
set -e
echo 'server {{ listen 127.0.0.1:{PORT}; return 204; }}' >/etc/nginx/sites-enabled/zz-roundcube.conf
pools=$(dirname /etc/php/*/fpm/pool.d/snappymail.conf)
sed 's/^\\[.*/[roundcube]/; s,^listen = .*,listen = {SOCKET},' $pools/snappymail.conf >$pools/roundcube.conf
cd /etc/fail2ban
cp filter.d/ilnmors-snappymail.conf filter.d/ilnmors-roundcube.conf
sed 's/snappymail/roundcube/' jail.d/ilnmors-snappymail.conf >jail.d/ilnmors-roundcube.conf
mkdir -p {DATA}
systemctl reload nginx 'php*-fpm.service' && fail2ban-client reload
"""
CLEAR = f"""
rm -rf {FILES} {DATA}
tar --extract --absolute-names --file {KEPT}; rm {KEPT}
systemctl daemon-reload; systemctl restart 'php*-fpm.service'; systemctl reload nginx; fail2ban-client reload
"""
"""A Roundcube that the house has comes back as it was."""
AT_THE_HOUSES_NAME = {"some_tasks": "retire", "snappymail_hostname": "{{ mail_webmail_hostname }}"}
CHOICE = {**AT_THE_HOUSES_NAME, "mail_webmail": "snappymail"}


def served(app: Host) -> dict[str, bool]:
    """Return what the host serves of the other webmail."""
    return {
        "site": app.run(f"curl --silent --output /dev/null http://127.0.0.1:{PORT}/").rc == 0,
        "pool": app.file(SOCKET).is_socket,
        "jail": "ilnmors-roundcube" in jails(app),
    }


@pytest.fixture
def other_webmail(app: Host, site: Site, webmail_bans: None) -> Iterator[Host]:
    """Return the webmail host, with another webmail than the chosen one beside it."""
    del site, webmail_bans  # the lab alone
    if app.run("ls /etc/php/*/fpm/pool.d/snappymail.conf").rc:
        pytest.skip("needs a webmail host with SnappyMail")
    try:
        app.check_output(PLANT)
        wait_for(lambda: all(served(app).values()), "the other webmail")
        yield app
    finally:
        app.run(CLEAR)


def test_a_webmail_that_is_not_chosen_is_taken_away(other_webmail: Host, site: Site) -> None:
    run = site(CHOICE, hosts="webmail", roles=["webmail_host"])
    assert run.status == 0, run.output[-3000:]
    wait_for(lambda: not any(served(other_webmail).values()), "the other webmail is away")
    assert other_webmail.run(f"ls {FILES} 2>/dev/null").stdout == ""
    assert other_webmail.file(DATA).is_directory
    assert other_webmail.file("/etc/nginx/sites-enabled/zz-snappymail.conf").exists
    assert "ilnmors-snappymail" in jails(other_webmail)

    again = site(CHOICE, hosts="webmail", roles=["webmail_host"])
    assert set(again.changed.values()) == {0}


def test_nothing_is_taken_away_where_both_are_chosen(other_webmail: Host, site: Site) -> None:
    both = {"mail_webmail": ["snappymail", "roundcube"], "roundcube_hostname": "other.{{ mail_domain }}"}
    run = site({**AT_THE_HOUSES_NAME, **both}, hosts="webmail", roles=["webmail_host"])
    assert (run.status, set(run.changed.values())) == (0, {0}), run.output[-3000:]
    assert all(served(other_webmail).values())
