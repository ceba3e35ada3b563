# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a backup are checked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

SOUND: dict[str, Any] = {"repository": "/mnt/backup/mail", "password": "hunter2"}
HOSTS = "nas ssh-ed25519 AAAAC3Nza"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
CA = """-----BEGIN CERTIFICATE-----
MIIBCTCBsaADAgECAgEHMAoGCCqGSM49BAMCMA4xDDAKBgNVBAMMA05BUzAgFw0y
NjAxMDEwMDAwMDBaGA8yMTI2MDEwMTAwMDAwMFowDjEMMAoGA1UEAwwDTkFTMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7yqUr/bwzdG9RrF5sig4VoDGSaNINee4
tShBl4Qo/DEWZWnzGolknKYiG2y1ez8AiStP/VYMwlVg4KP5njL4UDAKBggqhkjO
PQQDAgNHADBEAiB4BWqZZcxv0rg2Hy8weF1Z8JmM7OncH/FzutbrWDyW1wIgB0uW
f/h6qPqxgjjdXYp9Ug/NNbw786I6Dol9u5T8aYw=
-----END CERTIFICATE-----
"""


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
        {"repository": "rest:http://[fd00::9]:8000"},
        {"repository": "s3:s3.example.com/bucket", "environment": KEYS},
        {
            "repository": "s3:https://minio.home.internal:9000/bucket/mail",
            "environment": KEYS | {"AWS_REGION": 7},
        },
        {"repository": "rest:https://nas/", "ca": f"# The NAS\n{CA}\n{CA}"},
        {"schedule": "Mon..Fri *-*-* 02,14:30"},
        {"directories": ["/etc/ssl/mine"]},
        {"keep_daily": 0},
        {"yesterday": True, "yesterday_days": 1},
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
        ({"repository": "rest:https://il:hunter2@/mail"}, "mail_backup_repository: is not a repository"),
        (
            {"repository": "s3:https://hunter2", "environment": KEYS},
            "mail_backup_repository: is not a repository",
        ),
        (
            {"repository": "s3:nas/mail"},
            "mail_backup_environment: has no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACC",
        ),
        (
            {"repository": "s3:nas/mail", "environment": {"AWS_ACCESS_KEY_ID": "hunter2"}},
            "mail_backup_environment: has no AWS_SECRET_ACCESS_KEY, but the repository is one of S3",
        ),
        ({"environment": {"AWS_PROFILE": None}}, "mail_backup_environment.AWS_PROFILE: is empty"),
        (
            {"environment": {"AWS KEY": "hunter2"}},
            "mail_backup_environment.AWS KEY: is no name of a variable",
        ),
        (
            {"environment": {"RESTIC_PASSWORD_FILE": "/x"}},
            "RESTIC_PASSWORD_FILE: is not taken from here; write mail",
        ),
        (
            {"environment": {"RESTIC_REST_PASSWORD": "hunter2"}},
            "write mail_backup_repository with it, as 'rest:",
        ),
        (
            {"ca": "/etc/ssl/hunter2.pem"},
            "mail_backup_ca: is not certificates in PEM; write certificates in PEM",
        ),
        ({"ca": CA.replace("MII", "hunter2")}, "mail_backup_ca: is not certificates in PEM"),
        ({"repository": "sftp:nas:/mail"}, "mail_backup_ssh_known_hosts: is empty"),
        ({"ssh_known_hosts": "nas"}, "mail_backup_ssh_known_hosts: 'nas' is not lines"),
        ({"ssh_key": "hunter2"}, "mail_backup_ssh_key: is not a private key"),
        ({"schedule": "daily\nExecStart=/bin/sh"}, "mail_backup_schedule: "),
        ({"schedule": "%h"}, "mail_backup_schedule: '%h' is not a calendar event"),
        ({"check_percent": 0}, "mail_backup_check_percent: is 0, which is too small"),
        ({"keep_daily": 0, "keep_weekly": 0, "keep_monthly": 0}, "mail_backup_keep_daily: is 0"),
        (
            {"repository": "", "password": "", "yesterday": True},
            "mail_backup_yesterday: is true, but no backup is made, which these folders are made of; write "
            "mail_backup_repository and mail_backup_password, or false",
        ),
        ({"yesterday": "daily"}, "mail_backup_yesterday: is 'daily', which is neither true nor false"),
        ({"yesterday_days": 0}, "mail_backup_yesterday_days: is 0, which is too small"),
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
