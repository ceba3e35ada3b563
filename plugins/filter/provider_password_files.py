# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the files of passwords that a site names."""

from __future__ import annotations

DOCUMENTATION = r"""
name: provider_password_files
short_description: The files of passwords that a site names
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Picks the files that entries of C(mail_providers) have their passwords in, for M(ilnmors.mail.host_preflight).
options:
  _input:
    description: The entries, as M(ilnmors.mail.role_options) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse files that others can read
  ilnmors.mail.host_preflight:
    password_files: "{{ __mbsync_fetch.providers | ilnmors.mail.provider_password_files }}"
"""

RETURN = r"""
_value:
  description: The paths, by the variables that name them.
  type: dict
  sample: {mail_providers (gmail).password_file: /root/gmail}
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import provider_password_files


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"provider_password_files": provider_password_files}
