# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what systemd takes away from a daemon of Debian."""

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_hardening
version_added: 1.0.0
short_description: Write drop-ins that take away from daemons of Debian what they do not need
description:
  - Returns what M(ilnmors.mail.config_files) has to put in place. The drop-ins leave what other sites, pools and jails
    of the host commonly need.
options:
  _input:
    type: dict
    required: true
    description: The daemon of each unit, one of V(dovecot), V(fail2ban), V(nginx), V(php-fpm) and V(postfix).
  wanted:
    type: bool
    default: true
    description: Whether the drop-ins are to be there, or gone.
author:
  - The ilnmors.mail maintainers
"""

EXAMPLES = r"""
- name: Take away from nginx what it does not need
  ilnmors.mail.config_files:
    directories: "{{ drop_ins.directories }}"
    files: "{{ drop_ins.files }}"
    absent: "{{ drop_ins.absent }}"
  vars:
    drop_ins: "{{ {'nginx.service': 'nginx'} | ilnmors.mail.daemon_hardening }}"
"""

RETURN = r"""
_value:
  type: dict
  description: C(directories), C(files) and C(absent), as the module has them.
  sample:
    absent: [/etc/systemd/system/nginx.service.d/hardening.conf]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.unit_hardening import daemon_hardening


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"daemon_hardening": daemon_hardening}
