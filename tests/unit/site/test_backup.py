# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a backup are checked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

SOUND: dict[str, Any] = {"repository": "/mnt/backup/mail", "password": "hunter2"}
HOSTS = "nas ssh-ed25519 AAAAC3Nza"


def problems(changes: dict[str, Any]) -> list[str]:
    given = variables("mail_backup", literal("mail_backup"), SITE)
    given |= {f"mail_backup_{name}": value for name, value in {**SOUND, **changes}.items()}
    return read("mail_backup", given).problems


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"repository": "", "password": ""},
        {"repository": "sftp:backup@nas:/mail", "ssh_known_hosts": HOSTS},
        {"repository": "sftp://backup@nas:2222//mail", "ssh_known_hosts": HOSTS},
        {"repository": "rest:https://il:hunter2@nas:8000/mail/"},
        {"repository": "s3:s3.example.com/bucket", "environment": {"AWS_ACCESS_KEY_ID": "a"}},
        {"repository": "s3:https://minio.home.internal:9000/bucket/mail"},
        {"schedule": "Mon..Fri *-*-* 02,14:30"},
        {"directories": ["/etc/ssl/mine"]},
        {"keep_daily": 0},
    ],
)
def test_what_works_is_taken(changes: dict[str, Any]) -> None:
    assert problems(changes) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": ""}, "mail_backup_password: is empty, but a repository is named"),
        ({"repository": "/var/vmail/backup"}, "mail_backup_repository: lies in /var/vmail, or around it"),
        ({"repository": "/var/vmail"}, "mail_backup_repository: lies in /var/vmail, or around it"),
        ({"repository": "/var"}, "mail_backup_repository: lies in /var/vmail, or around it"),
        ({"repository": "/var/lib/mail-backup/x"}, "lies in /var/lib/mail-backup, or around it"),
        ({"directories": ["/mnt/backup"]}, "mail_backup_repository: lies in /mnt/backup, or around it"),
        (
            {"repository": "/home/il/backup"},
            "mail_backup_repository: lies where the backup's service cannot write",
        ),
        ({"repository": "/mnt/../var/vmail"}, "mail_backup_repository: is not a repository"),
        ({"repository": "backup"}, "mail_backup_repository: is not a repository"),
        ({"repository": "rest:nas"}, "mail_backup_repository: is not a repository"),
        ({"repository": "sftp:nas:/mail"}, "mail_backup_ssh_known_hosts: is empty"),
        ({"ssh_known_hosts": "nas"}, "mail_backup_ssh_known_hosts: 'nas' is not lines"),
        ({"ssh_key": "hunter2"}, "mail_backup_ssh_key: is not a private key"),
        ({"schedule": "daily\nExecStart=/bin/sh"}, "mail_backup_schedule: "),
        ({"schedule": "%h"}, "mail_backup_schedule: '%h' is not a calendar event"),
        ({"check_percent": 0}, "mail_backup_check_percent: is 0, which is too small"),
        ({"keep_daily": 0, "keep_weekly": 0, "keep_monthly": 0}, "mail_backup_keep_daily: is 0"),
        (
            {"repositry": "/x"},
            "mail_backup_repositry: is no variable that is known; write mail_backup_repository",
        ),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], said: str) -> None:
    found = problems(changes)
    assert any(said in problem for problem in found), found
    assert "hunter2" not in "\n".join(found)
