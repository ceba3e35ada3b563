# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Times that options name, and whether systemd takes them."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.schedules import schedule_problems


def test_a_time_that_systemd_does_not_take_is_named_with_its_option() -> None:
    asked = {"mail_backup_schedule": "daily", "mail_backup_drill_schedule": "every tuesday"}
    found = list(schedule_problems(asked, lambda event: event == "daily"))
    assert len(found) == 1
    assert found[0].startswith("mail_backup_drill_schedule: 'every tuesday' is no time that systemd knows")
