# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the guide by which people set up their devices."""

from __future__ import annotations

DOCUMENTATION = r"""
name: setup_pages
short_description: The guide by which people set up their devices
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Writes one page in each language that the collection knows, device by device.
options:
  _input:
    description: The house.
    type: dict
    required: true
    suboptions:
      domain:
        description: The mail domain.
        type: str
        required: true
      server:
        description: Name of the mail host, which its certificate carries.
        type: str
        required: true
      webmail_url:
        description: Where the webmail is, without a slash at the end.
        type: str
        required: true
  authority:
    description:
      - The authority that devices have to trust, as P(ilnmors.mail.authority_details#filter) describes it. Empty where
        devices trust the house already.
    type: dict
    required: true
  template:
    description: The page's template, for Jinja.
    type: str
    required: true
  folder:
    description: Where the pages are to lie, each in a folder of its language.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Put the guide in place
  ilnmors.mail.config_files:
    directories: "{{ guide.directories }}"
    files: "{{ guide.files }}"
  vars:
    guide: "{{ house | ilnmors.mail.setup_pages({}, lookup('ansible.builtin.file', 'setup.html.j2'), '/srv/setup') }}"
    house:
      domain: ilnmors.internal
      server: mail.ilnmors.internal
      webmail_url: https://webmail.ilnmors.internal
"""

RETURN = r"""
_value:
  description:
    - The C(default) language, and for each other one in C(accepted) the regular expression that matches an
      C(Accept-Language) in which it comes first.
    - C(directories) and C(files) as the options C(directories) and C(files) of M(ilnmors.mail.config_files).
  type: dict
  sample:
    default: en
    accepted: {ko: '^ko\b'}
    directories:
      - path: /srv/setup/en
    files:
      - {path: /srv/setup/en/index.html, content: "<!DOCTYPE html>…"}
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import ClientSettings
from ansible_collections.ilnmors.mail.plugins.module_utils._render.setup_guide import guide


def setup_pages(
    house: dict[str, str], authority: dict[str, Any], template: str, folder: str
) -> dict[str, Any]:
    """Return the pages of a house as files below a folder, and how to choose among their languages."""
    pages = guide.pages(ClientSettings(**house), authority, template)
    return {
        "default": guide.DEFAULT,
        "accepted": guide.accepted(list(pages)),
        "directories": [{"path": f"{folder}/{code}"} for code in pages],
        "files": [{"path": f"{folder}/{code}/index.html", "content": page} for code, page in pages.items()],
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"setup_pages": setup_pages}
