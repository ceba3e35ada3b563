# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: drop-ins of daemons of Debian that the house relies on."""

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_drop_ins
version_added: 1.0.0
short_description: Write drop-ins that let daemons of Debian come back, and take away what they do not need
description:
  - Returns what M(ilnmors.mail.config_files) has to put in place. A daemon whose main process is killed is started
    again within seconds. What is taken away leaves what other sites, pools and jails of the host commonly need.
options:
  _input:
    type: dict
    required: true
    description: The daemon of each unit, one of V(dovecot), V(fail2ban), V(nginx), V(php-fpm) and V(postfix).
  harden:
    type: bool
    default: true
    description: Whether anything is taken away. Daemons come back in any case.
  more:
    type: dict
    description: Further settings of a unit's section C([Service]), by the unit's name.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Let nginx come back, and take away what it does not need
  ilnmors.mail.config_files:
    directories: "{{ drop_ins.directories }}"
    files: "{{ drop_ins.files }}"
    absent: "{{ drop_ins.absent }}"
  vars:
    drop_ins: "{{ {'nginx.service': 'nginx'} | ilnmors.mail.daemon_drop_ins }}"
"""

RETURN = r"""
_value:
  type: dict
  description: C(directories), C(files) and C(absent), as the module has them.
  sample:
    directories: [{path: /etc/systemd/system/nginx.service.d}]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.unit_hardening import daemon_drop_ins


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"daemon_drop_ins": daemon_drop_ins}
