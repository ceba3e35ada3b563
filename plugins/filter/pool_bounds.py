# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what a webmail's pool of PHP-FPM sees of its host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pool_bounds
version_added: 1.0.0
short_description: Keep the workers of a pool of PHP-FPM within the folders of their application
description:
  - The workers get a root of their own, which holds nothing but these folders, what the C library needs, and the socket
    of the journal.
options:
  _input:
    type: dict
    required: true
    description: >-
      C(name) of the pool; absolute paths that it C(reads) and C(writes); and C(authorities), files of certificates,
      whose folders it sees as well.
  unit:
    type: str
    required: true
    description: The service of PHP-FPM.
  harden:
    type: bool
    default: true
    description: Where this is false, PHP's own C(open_basedir) limits the pool, for which nothing of systemd is needed.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Show what a pool would see
  ansible.builtin.debug:
    msg: "{{ pool | ilnmors.mail.pool_bounds('php8.4-fpm.service') }}"
  vars:
    pool:
      name: some
      reads: [/usr/share/some]
      writes: [/var/lib/some]
      authorities: [/etc/ssl/certs/ca-certificates.crt]
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(lines) for the pool; C(directories) and C(files) as the options of M(ilnmors.mail.config_files).
  sample:
    lines: "\nchroot = /var/lib/ilnmors-webmail/some\n"
    directories: [{path: /var/lib/ilnmors-webmail}, {path: /var/lib/ilnmors-webmail/some}]
    files: [{path: /etc/systemd/system/php8.4-fpm.service.d/ilnmors-some.conf, content: "[Service]\n"}]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.pool_bounds import pool_bounds


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"pool_bounds": pool_bounds}
