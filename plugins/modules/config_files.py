#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils: file_set.py, config_files.py and staged_check.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Install a set of text files as one transaction
version_added: 1.0.0
description:
  - Compares a whole set of files with the host, has the daemon's own checker judge them together in a private staging
    tree, and puts them in place. A configuration that its checker refuses never replaces one that works.
  - Every new file is written beside its place first; then all are renamed, one after the other. If anything fails,
    what was already replaced is put back.
  - A destination that is a symbolic link is replaced by a regular file, as M(ansible.builtin.copy) does by default;
    the file that it points to stays as it is. Links among the parent directories are followed.
  - Contents never appear in the result, in the log or in C(invocation). Contents that are not secret appear in the
    diff when diff mode is on.
author:
  - The ilnmors.mail maintainers (@ilnmors)
attributes:
  check_mode:
    support: full
    details:
      - Owners and directories that do not exist yet are expected to exist by then.
      - The files are checked as well, if every checker and all of O(validate_needs) are installed.
  diff_mode:
    support: full
    details:
      - For a secret file and for a removed one, only that it changes.
  idempotent:
    support: full
extends_documentation_fragment:
  - ilnmors.mail.attributes
options:
  files:
    description: The files, in the order in which they are put in place.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the file.
        type: str
        required: true
      content:
        description:
          - Content of the file, written as it is in UTF-8. A missing newline at the end is added.
          - In practice, C(lookup('ansible.builtin.template', 'x.j2')).
        type: str
        required: true
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
      mode:
        description: Permissions, as four octal digits in quotes.
        type: raw
        default: '0644'
      secret:
        description:
          - The content is never shown, not even in the diff.
          - Others must have no access by O(files[].mode).
        type: bool
        default: false
      stage_only:
        description:
          - The file exists in the staging tree alone, such as a minimal C(nginx.conf) that includes a staged site.
          - C(%s) in its content stands for the staging root.
        type: bool
        default: false
      option:
        description: Name of the variable that a checker which refuses the file, or its directory, is to blame.
        type: str
  directories:
    description: Directories that are made or corrected before the files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the directory.
        type: str
        required: true
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
      mode:
        description: Permissions, as four octal digits in quotes.
        type: raw
        default: '0755'
  absent:
    description:
      - Patterns of files to remove, unless they are listed in O(files). Each begins with two fixed directories.
      - Directories are never removed, and C(*) matches no leading dot.
    type: list
    elements: str
    default: []
  validate:
    description:
      - Checkers to run on the staged files whenever a file would change. Each is a list of the program and its
        arguments; no shell is involved.
      - C(%s) in an argument stands for the staging root, a directory of the caller's with mode 0700.
        C(/etc/postfix/main.cf) is staged as C(%s/etc/postfix/main.cf).
      - A checker that ends with another exit code than 0 refuses the set.
    type: list
    elements: list
    default: []
  validate_strict:
    description:
      - A checker that writes anything to standard error refuses the set as well.
      - Meant for C(postconf), which only warns of a parameter that it does not know.
    type: bool
    default: false
  validate_needs:
    description:
      - Packages, and absolute paths, that the checkers cannot do without, such as a plugin whose settings they read. In
        check mode, and with O(judge_only), nothing is checked on a host that lacks one.
    type: list
    elements: str
    default: []
  judge_only:
    description:
      - Lets the checkers judge the files and changes nothing, so that a set which will be refused is told of before the
        host has changed. On a host that has no checker yet, nothing is said.
    type: bool
    default: false
  pending:
    description:
      - What makes the host take the files, each a name that M(ilnmors.mail.units) knows (V(reload-nginx.service)), with
        the patterns of the paths that it is for. An empty list is for all paths.
      - It is noted on the host before the first change, and stays noted until it is done. A run that is interrupted in
        between leaves it to the next one.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configure Postfix
  ilnmors.mail.config_files:
    files:
      - path: /etc/postfix/main.cf
        content: "{{ lookup('ansible.builtin.template', 'main.cf.j2') }}"
      - path: /etc/postfix/master.cf
        content: "{{ lookup('ansible.builtin.template', 'master.cf.j2') }}"
    validate:
      - [postconf, -c, '%s/etc/postfix']
      - [postmap, -c, '%s/etc/postfix', -q, x, 'inline:{x=y}']
    validate_strict: true
    pending:
      reload-postfix.service: []

- name: Configure the web server
  ilnmors.mail.config_files:
    files:
      - path: /etc/nginx/sites-available/webmail.conf
        content: "{{ lookup('ansible.builtin.template', 'site.conf.j2') }}"
      - path: /check/nginx.conf
        stage_only: true
        content: |
          pid %s/nginx.pid;
          events {}
          http { access_log off; include %s/etc/nginx/sites-available/*.conf; }
    validate:
      - [nginx, -t, -q, -c, '%s/check/nginx.conf']
    pending:
      reload-nginx.service: []

- name: Configure one fetch for each provider, and drop those no longer listed
  ilnmors.mail.config_files:
    directories:
      - path: /etc/mbsync-fetch
        group: vmail
        mode: '0750'
    files: "{{ __mbsync_fetch_files }}"
    absent:
      - /etc/mbsync-fetch/*.conf
  no_log: true
"""

RETURN = r"""
files:
  description: The files that changed or would change, in the order of O(files), then the removed ones.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
    reasons:
      description: One or more of V(created), V(removed), V(content), V(symlink), V(owner), V(group), V(mode).
      type: list
      elements: str
  sample:
    - path: /etc/postfix/main.cf
      reasons: [content]
directories:
  description: The directories that changed or would change.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the directory.
      type: str
    reasons:
      description: One or more of V(created), V(owner), V(group), V(mode).
      type: list
      elements: str
  sample:
    - path: /etc/mbsync-fetch
      reasons: [created]
validated:
  description:
    - Whether every checker ran, and took the files.
    - V(false) if there are none, if no file changes, and in check mode on a host where one is not installed yet.
  returned: success
  type: bool
  sample: true
"""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.config_files import (
    Change,
    check_preconditions,
    plan_changes,
    put_in_place,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import BusyError, alone, describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import (
    ConfigFilesError,
    FileSet,
    hide_contents,
    read_file_set,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.pending import (
    PendingError,
    choose,
    note,
    read_names,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.staged_check import (
    check_staged,
    missing_checkers,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._host.packages import PackagesError, find_missing

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                # Keeps contents out of the system log, to which Ansible writes every module's parameters.
                "no_log": True,
                "options": {
                    **ATTRIBUTES,
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "raw", "default": "0644"},
                    "secret": {"type": "bool", "default": False, "no_log": False},
                    "stage_only": {"type": "bool", "default": False},
                    "option": {"type": "str"},
                },
            },
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {**ATTRIBUTES, "mode": {"type": "raw", "default": "0755"}},
            },
            "absent": {"type": "list", "elements": "str", "default": []},
            "validate": {"type": "list", "elements": "list", "default": []},
            "validate_strict": {"type": "bool", "default": False},
            "validate_needs": {"type": "list", "elements": "str", "default": []},
            "judge_only": {"type": "bool", "default": False},
            "pending": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    # no_log would also blank out every path and owner in the result. The result has no contents to hide.
    module.no_log_values.clear()
    invocation = {"module_args": hide_contents(module.params)}
    try:
        with nullcontext() if only_looks(module) else alone():
            result = run(module)
    except (BusyError, ConfigFilesError, PackagesError, PendingError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    except OSError as error:
        module.fail_json(msg=describe(error), invocation=invocation)
    module.exit_json(**result, invocation=invocation)


def run(module: AnsibleModule) -> dict[str, Any]:
    file_set = read_file_set(module.params)
    read_names(module.params["pending"])
    plan = plan_changes(file_set)
    looks = only_looks(module)
    if not looks:
        check_preconditions(file_set, plan)
    unchecked = not file_set.checkers or not plan.file_changes
    validated = not (unchecked or (looks and lacks_checkers(file_set, module.params["validate_needs"])))
    if validated:
        # /run is memory: staged secrets never reach a disk.
        check_staged(file_set, Path("/run" if os.access("/run", os.W_OK) else module.tmpdir))
    if module.params["judge_only"]:
        return {"changed": False, "files": [], "directories": [], "validated": validated}
    if not looks:
        note(choose(module.params["pending"], plan.paths))
        put_in_place(file_set, plan)
    result = {
        "changed": plan.changed,
        "files": [shown(change) for change in plan.file_changes],
        "directories": [shown(change) for change in plan.directories.values()],
        "validated": validated,
    }
    return {**result, "diff": plan.diff} if module._diff else result


def only_looks(module: AnsibleModule) -> bool:
    return bool(module.check_mode or module.params["judge_only"])


def lacks_checkers(file_set: FileSet, needs: list[str]) -> bool:
    paths = [need for need in needs if need.startswith("/")]
    packages = [need for need in needs if not need.startswith("/")]
    return bool(
        missing_checkers(file_set)
        or not all(Path(path).exists() for path in paths)
        or (packages and find_missing(packages))
    )


def shown(change: Change) -> dict[str, Any]:
    return {"path": str(change.path), "reasons": list(change.reasons)}


if __name__ == "__main__":
    main()
