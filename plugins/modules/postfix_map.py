#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_files/postfix_map.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_map
short_description: Keep Postfix lookup tables and their compiled form
version_added: 1.0.0
description:
  - Writes whole lookup tables, such as C(sasl_passwd), C(generic) or C(virtual), and compiles them with C(postmap).
  - A table is compiled only if its source, its compiled form or their attributes differ from what is wanted. What the
    compiled form holds is read back from it, so a source and a compiled form that disagree are found and mended.
  - All tables of a call are compiled beside their places first, and then replaced together. If anything fails, every
    file is left as it was.
  - Postfix notices a replaced table by itself; no reload is needed.
author:
  - The ilnmors.mail maintainers (@ilnmors)
attributes:
  check_mode:
    support: full
    details:
      - Works before Postfix is installed. Where it is, the tables are compiled elsewhere, so that a table that would be
        refused is refused.
  diff_mode:
    support: full
    details:
      - For a secret table, only the keys, and which of them get a new value.
  idempotent:
    support: full
extends_documentation_fragment:
  - ilnmors.mail.attributes
options:
  maps:
    description: The tables.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Absolute path of the source file. The compiled file lies beside it, with the suffix of its type
            (C(.db), C(.lmdb) or C(.cdb)); one of another type is removed.
        type: str
        required: true
      entries:
        description:
          - The whole table, each key with its value. Entries are written in this order.
          - Postfix folds keys to lower case, so two keys may not differ in case alone.
        type: dict
        required: true
      secret:
        description:
          - Values are never shown, and both files are readable by root alone (V(0600) instead of V(0644)). Postfix
            opens its tables before it gives up root's rights.
        type: bool
        default: false
  directory:
    description:
      - Absolute path of a directory that belongs to these tables alone. Every other file in it is removed, so that
        the table of a provider that is no longer listed does not leave its password behind.
      - All O(maps) have to lie in it. Directories in it are left alone.
      - By default, nothing is removed.
    type: str
  type:
    description:
      - Type of the tables. By default, the one that this Postfix has as C(default_database_type).
      - V(hash), V(btree), V(lmdb) or V(cdb). Postfix 3.7 of Debian 12 cannot read V(cdb) back and is refused it.
    type: str
"""

EXAMPLES = r"""
- name: Write Postfix's lookup tables
  ilnmors.mail.postfix_map:
    directory: /etc/postfix/maps
    maps:
      - path: /etc/postfix/maps/virtual
        entries:
          postmaster@ilnmors.internal: il@ilnmors.internal
          info@ilnmors.internal: il@ilnmors.internal, guest@ilnmors.internal
      - path: /etc/postfix/maps/sasl_passwd
        entries: "{{ __postfix_relay_credentials }}"
        secret: true
  register: __postfix_relay_maps
  no_log: true
"""

RETURN = r"""
maps:
  description: The tables that changed or would change.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the source file.
      type: str
    reasons:
      description:
        - One or more of V(created), V(content), V(owner), V(group) and V(mode) for the files,
          V(compiled) for a compiled form that is missing or disagrees with the entries,
          and V(stale) for a compiled form of another type that is removed.
      type: list
      elements: str
  sample:
    - path: /etc/postfix/maps/virtual
      reasons: [content, compiled]
removed:
  description: Files in O(directory) that belong to none of the tables, and are removed.
  returned: success
  type: list
  elements: str
  sample: [/etc/postfix/maps/old.passwords, /etc/postfix/maps/old.passwords.db]
type:
  description: Type of the tables; null in check mode before Postfix is installed.
  returned: success
  type: str
  sample: hash
"""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import BusyError, alone, describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import ConfigFilesError
from ansible_collections.ilnmors.mail.plugins.module_utils._files.lookup_tables import (
    PostfixMapError,
    hide_entries,
    read_directory,
    read_tables,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.postfix_map import (
    check_compiled,
    find_left_over,
    find_unlisted,
    plan_change,
    put_in_place,
    removal_diff,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.postmap import choose_type, require_postfix


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "maps": {
                "type": "list",
                "elements": "dict",
                "required": True,
                # Keeps entries out of the system log, to which Ansible writes every module's parameters.
                "no_log": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "entries": {"type": "dict", "required": True},
                    "secret": {"type": "bool", "default": False, "no_log": False},
                },
            },
            "directory": {"type": "str"},
            "type": {"type": "str"},
        },
        supports_check_mode=True,
    )
    # no_log would also blank out every path and key in the result. The result has no secrets to hide.
    module.no_log_values.clear()
    invocation = {"module_args": hide_entries(module.params)}
    try:
        with nullcontext() if module.check_mode else alone():
            result = run(module)
    except (BusyError, PostfixMapError, ConfigFilesError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    except OSError as error:
        module.fail_json(msg=describe(error), invocation=invocation)
    module.exit_json(**result, invocation=invocation)


def run(module: AnsibleModule) -> dict[str, Any]:
    tables = read_tables(module.params["maps"])
    directory = read_directory(module.params["directory"], tables)
    if not module.check_mode:
        require_postfix()
    map_type = choose_type(module.params["type"])
    changes = [change for table in tables if (change := plan_change(table, map_type))]
    unlisted = find_unlisted(directory, tables)
    left_over = find_left_over(tables)
    if map_type and module.check_mode:
        # /run is memory: secrets never reach a disk.
        check_compiled(changes, map_type, Path("/run" if os.access("/run", os.W_OK) else module.tmpdir))
    elif map_type:
        for directory_left in left_over:
            shutil.rmtree(directory_left)
        put_in_place(changes, unlisted, map_type)
    result: dict[str, Any] = {
        "changed": bool(changes or unlisted or left_over),
        "maps": [{"path": str(change.table.path), "reasons": list(change.reasons)} for change in changes],
        "removed": [str(path) for path in unlisted],
        "type": map_type,
    }
    if module._diff:
        result["diff"] = [entry for change in changes for entry in change.diff]
        result["diff"] += [removal_diff(path) for path in unlisted]
    return result


if __name__ == "__main__":
    main()
