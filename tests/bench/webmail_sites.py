# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines that the webmails are measured on: the house's app host, and one where they are as they come.

Both machines have both applications, under two names. Whatever is measured, the other one is not in use: its workers
have ended, and what it left in memory that is shared went with a restart.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.tests.bench import machines, memory, postfix_machines

CHOICE = Path(".lab/webmail-archive")
ARCHIVE = Path(
    os.environ.get("SNAPPYMAIL_ARCHIVE")
    or (CHOICE.read_text().strip() if CHOICE.exists() else "")
    or ".cache/webmail-standin.tar.gz"
)
"""What the inventory takes as well."""
PASSWORD = "bench-password"
USERS = 20
PEOPLE = tuple(f"person{number}" for number in range(USERS))
NAMES = {"snappymail": "webmail.ilnmors.internal", "roundcube": "roundcube.ilnmors.internal"}
STOCK_NAMES = {"snappymail": "stock.ilnmors.internal", "roundcube": "stock-roundcube.ilnmors.internal"}
HOUSE: dict[str, Any] = machines.USUAL_DOVECOT | {
    "mail_services": [],
    "mail_trusted_networks": ["127.0.0.0/8", "::1/128"],
    "mail_users": [{"name": name, "password": PASSWORD} for name in PEOPLE],
    "mail_providers": [],
    "mail_default_provider": "",
    "mail_webmail": list(NAMES),
    "webmail_host_reverse_proxies": ["{{ lab_network }}.1"],
    **{f"{role}_hostname": name for role, name in NAMES.items()},
}
"""The house, by the lab's names: people, no provider, and clients that speak for an address of each user."""
MESSAGES = 50
"""In each inbox at the start."""

STOCK_PACKAGES = (
    "nginx php-fpm php-intl php-mbstring php-sqlite3 php-xml php-zip openssl roundcube roundcube-sqlite3"
)
STOCK_SITE = """\
server {{
  listen 443 ssl http2;
  server_name {name};
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  root {root};
  index index.php;
  client_max_body_size 25m;
  location / {{
    try_files $uri $uri/ /index.php$is_args$args;
  }}
  location ~ \\.php$ {{
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_pass unix:/run/php/php-fpm.sock;
  }}
  location ^~ /data {{
    deny all;
  }}
}}
"""
STOCK_ROOTS = {"snappymail": "/var/www/webmail", "roundcube": "/var/lib/roundcube/public_html"}
STOCK_SETTINGS = """\
[security]
encrypt_cipher = "aes-256-cbc"
[ssl]
verify_certificate = On
cafile = "/etc/ssl/house.pem"
"""
"""The authority, and a cipher that every processor has; the rest is SnappyMail's own."""
STOCK_ROUNDCUBE = """\
$config['imap_host'] = 'ssl://{hostname}:993';
$config['smtp_host'] = 'ssl://{hostname}:465';
$config['imap_conn_options'] = $config['smtp_conn_options'] = ['ssl' => ['cafile' => '/etc/ssl/house.pem']];
$config['username_domain'] = '{domain}';
"""
"""The mail host; the rest is as Debian's package has it."""
CERTIFICATE = """\
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=stock \
  -addext subjectAltName={names} -keyout {key} -out {certificate} 2>&1
"""
STOCK_SETUP = """\
private=/var/www/webmail/data/_data_/_default_
mkdir -p $private/configs $private/domains
# Dated now: OPcache keeps nothing of files that are dated 1970, as an archive's may be.
tar -xzmf /root/webmail.tar.gz -C /var/www/webmail
touch $private/domains/disabled
base64 -d >$private/domains/{domain}.json <<'END'
{domain_settings}
END
printf %s {settings} >$private/configs/application.ini
printf %s {ca} >/etc/ssl/house.pem
printf %s {roundcube} >>/etc/roundcube/config.inc.php
printf %s {sites} >/etc/nginx/sites-available/default
chown -R www-data:www-data /var/www/webmail
(cd /var/www/webmail && runuser -u www-data -- php index.php >/dev/null)
{restart}
cat {certificate}
"""

RESTART = "systemctl reset-failed nginx 'php*-fpm.service'; systemctl restart nginx 'php*-fpm.service'"
"""Debian's unit of PHP-FPM starts five times in ten seconds at most, unless what counts that is set back."""
USED = "cd /sys/fs/cgroup/system.slice; sed -n 's/usage_usec //p' nginx.service/cpu.stat php*-fpm.service/cpu.stat"


@dataclass(frozen=True)
class Site(machines.House):
    """A webmail on a machine; ca_file is a local copy of its authority's certificate."""

    role: str = ""
    """The application, by the role that deploys it."""
    ca_file: str = ""

    def cpu(self) -> float:
        """Return the milliseconds of processor that the servers have used since they started."""
        return sum(map(int, self.run(USED).split())) / 1000

    def restart(self) -> None:
        """Start the servers anew."""
        self.run(RESTART)

    def memory(self) -> memory.Memory:
        """Measure what the servers hold now."""
        return memory.total(memory.processes(self.container, "nginx|php"))


Pair = tuple[Site, Site]
"""The house's, and the stock one."""


def set_up_stock(house: postfix_machines.Server, app: str) -> str:
    """Set up both applications as their documentation and Debian's packages have them; return the authority."""
    container = machines.CONTAINERS["lab-stock"]
    postfix_machines.install("lab-stock", STOCK_PACKAGES)
    machines.docker("cp", str(ARCHIVE), f"{container}:/root/webmail.tar.gz")
    paths = {"certificate": "/etc/ssl/host.pem", "key": "/etc/ssl/host.key"}
    sites = [STOCK_SITE.format(name=STOCK_NAMES[role], root=STOCK_ROOTS[role], **paths) for role in NAMES]
    settings = f"/var/lib/snappymail/_data_/_default_/domains/{house.domain}.json"
    stock = dataclasses.replace(house, container=container)
    answer = stock.run(
        CERTIFICATE.format(names=",".join(f"DNS:{name}" for name in STOCK_NAMES.values()), **paths)
        + STOCK_SETUP.format(
            domain=house.domain,
            domain_settings=machines.docker("exec", app, "base64", settings),
            settings=shlex.quote(STOCK_SETTINGS),
            ca=shlex.quote(house.ca),
            roundcube=shlex.quote(STOCK_ROUNDCUBE.format(**vars(house))),
            sites=shlex.quote("".join(sites)),
            restart=RESTART,
            **paths,
        )
    )
    return answer[answer.index("-----BEGIN") :]


def make_machines(directory: str) -> list[Pair]:
    """Make the three machines; return both sites of each application."""
    machines.say("making the mail host, the app host and a stock one (about three minutes)")
    machines.create("lab-mail", "lab-app", "lab-stock")
    machines.play(machines.SITE, "-e", json.dumps(HOUSE))
    house = postfix_machines.Server(**machines.find_house(machines.INVENTORIES))
    app = machines.CONTAINERS["lab-app"]
    authorities = {"mine": house.ca, "stock": set_up_stock(house, app)}
    for name, authority in authorities.items():
        Path(directory, name).write_text(authority)
    pairs = []
    for role in NAMES:
        mine = Site(
            **vars(house)
            | {"container": app, "address": "10.213.26.20", "hostname": NAMES[role]}
            | {"role": role, "ca_file": f"{directory}/mine"}
        )
        stock = dataclasses.replace(
            mine,
            container=machines.CONTAINERS["lab-stock"],
            address="10.213.26.11",
            hostname=STOCK_NAMES[role],
            ca=authorities["stock"],
            ca_file=f"{directory}/stock",
        )
        pairs.append((mine, stock))
    postfix_machines.resolve([house, *(site for pair in pairs for site in pair)])  # type: ignore[list-item]
    for person in PEOPLE:
        with house.login(house.login_name(person), PASSWORD) as client:
            for number in range(MESSAGES):
                client.append("INBOX", "", "", message(house.login_name(person), number))
    return pairs


def message(email: str, number: int) -> bytes:
    """Return a message to someone."""
    head = f"From: friend{number}@elsewhere.test\r\nTo: {email}\r\nSubject: hello {word(number)}\r\n"
    return f"{head}Message-ID: <{number}@bench.test>\r\n\r\n{machines.text_of(3_000)}".encode()


def word(number: int) -> str:
    """Return a word that one message has."""
    return f"topic{number:03}"
