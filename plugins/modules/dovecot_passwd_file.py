#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write a passwd-file of Dovecot from a list of accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dovecot_passwd_file
short_description: Write a passwd-file of Dovecot from a list of accounts
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Writes all accounts of a L(passwd-file, https://doc.dovecot.org/2.4.0/core/config/auth/databases/passwd_file.html)
    at once, in the order given. It works as passdb and userdb of Dovecot 2.3 and 2.4.
  - Passwords are hashed on the host. The hash in the file stays while it verifies against the password and has the
    wanted scheme and cost, so that an unchanged run writes nothing.
  - The file has one owner. Accounts that are not listed and lines written by hand are dropped.
  - Hashing and verifying use all cores of the host. Each password costs one or the other at each run, which for 1,000
    passwords of scheme V(ARGON2ID) at the default cost takes about 20 s on two cores. Ready-made hashes cost nothing.
  - A run that takes longer says in the host's journal how far it is, every 5 seconds
    (C(journalctl --identifier dovecot_passwd_file)), and saves what is hashed so far. Until the end, the file has each
    listed account that was in it, so that nobody who could log in is locked out. The run after one that was cut off
    carries on from there.
requirements:
  - python3-argon2 for scheme V(ARGON2ID)
  - python3-bcrypt for scheme V(BLF-CRYPT)
  - python3-passlib for scheme V(SHA512-CRYPT)
attributes:
  check_mode:
    support: full
    details:
      - Predicts the change without writing or hashing. Existing hashes are verified.
  diff_mode:
    support: full
    details:
      - Shows names of accounts, schemes and fields, and why an account changes. Shows neither hashes, passwords nor
        the values of fields.
  idempotent:
    support: full
    details:
      - An unchanged run verifies, and writes nothing.
options:
  path:
    description:
      - The file. Its directory must exist.
      - A new file has mode V(0600) unless O(mode) says otherwise. Owner and mode are set before the file is in place.
    type: path
    required: true
  accounts:
    description:
      - All accounts of the file. Each has exactly one of O(accounts[].password) and O(accounts[].password_hash).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The full login name as it stands in the file. Dovecot looks logins up in lower case by default
            (C(auth_username_format)), so write it in lower case.
          - Must not contain whitespace, unprintable characters, V(:) or V(/), nor begin with V(#). Two names that
            differ only in case are refused.
        type: str
        required: true
      password:
        description:
          - The password, hashed as the UTF-8 bytes that are given, without normalisation. A client that composes its
            accents in another way logs in with another password.
          - Up to 72 bytes with O(scheme=BLF-CRYPT) and 511 bytes with O(scheme=SHA512-CRYPT), no NUL.
        type: str
      password_hash:
        description:
          - A hash made elsewhere, such as by C(doveadm pw), of any of the schemes in O(scheme), with its
            C({SCHEME}) or without.
          - It is written as it is, whatever O(scheme) and the costs are.
        type: str
      extra_fields:
        description:
          - The eighth column, field by field in this order. A field with an empty value is written as its bare name.
          - Names that begin with C(userdb_) go to the userdb, others to the passdb.
          - Values cannot hold spaces or line breaks. Dovecot expands variables in them. C(%{user}) means the same
            to both series, C(%u) and C(%%) only to 2.3.
          - Values are strings. Diffs do not show them, but they are no secrets to Ansible.
        type: dict
        default: {}
  scheme:
    description: The scheme that passwords are hashed with.
    type: str
    choices: [ARGON2ID, BLF-CRYPT, SHA512-CRYPT]
    default: ARGON2ID
  argon2_memory:
    description:
      - Memory of V(ARGON2ID) in KiB. A changed cost of the chosen scheme hashes all passwords anew.
      - Every login takes as much memory and time. The defaults of the costs are the minimum in OWASP's
        Password Storage Cheat Sheet.
    type: int
    default: 19456
  argon2_time:
    description: Number of passes of V(ARGON2ID).
    type: int
    default: 2
  argon2_parallelism:
    description: Number of lanes of V(ARGON2ID). Dovecot computes them one after the other.
    type: int
    default: 1
  blf_rounds:
    description: Binary logarithm of the number of rounds of V(BLF-CRYPT), 4 to 31.
    type: int
    default: 10
  sha512_rounds:
    description: Number of rounds of V(SHA512-CRYPT). OWASP has no figure for it; the default is that for
      PBKDF2-HMAC-SHA512.
    type: int
    default: 210000
  pending:
    description:
      - Names of what makes Dovecot take the file, such as V(forget-logins), which M(ilnmors.mail.units) then does. They
        are noted on the host before the file is changed.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - ansible.builtin.files
  - ilnmors.mail.attributes
notes:
  - The file is always replaced as a whole, so O(unsafe_writes) has no effect.
"""

EXAMPLES = r"""
- name: Write the accounts of the house
  ilnmors.mail.dovecot_passwd_file:
    path: /etc/dovecot/users
    owner: root
    group: dovecot
    mode: "0640"
    accounts:
      - name: il@ilnmors.internal
        password: "{{ vault_il_password }}"
        extra_fields:
          userdb_quota_storage_size: 5G
      - name: guest@ilnmors.internal
        password_hash: "{{ vault_guest_hash }}"
      - name: gitea
        password: "{{ vault_gitea_password }}"
        extra_fields:
          nologin: ""
  no_log: true

- name: Write accounts with bcrypt
  ilnmors.mail.dovecot_passwd_file:
    path: /etc/dovecot/users
    scheme: BLF-CRYPT
    blf_rounds: 12
    accounts: "{{ accounts }}"
  no_log: true
"""

RETURN = r"""
changes:
  description: Names of the accounts that changed, by reason. An account may stand under two reasons.
  returned: success
  type: dict
  contains:
    added:
      description: New in the file.
      type: list
      elements: str
      sample: [guest@ilnmors.internal]
    removed:
      description: No longer listed, and dropped.
      type: list
      elements: str
      sample: []
    password_changed:
      description: The hash did not verify against the password, or is not the ready-made one.
      type: list
      elements: str
      sample: [il@ilnmors.internal]
    scheme_changed:
      description: The hash was of another scheme.
      type: list
      elements: str
      sample: []
    cost_changed:
      description: The hash was of another cost.
      type: list
      elements: str
      sample: []
    fields_changed:
      description: The columns after the password differed.
      type: list
      elements: str
      sample: [il@ilnmors.internal]
"""

import glob
import os
import shutil
import syslog
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import (
    BusyError,
    alone,
    describe,
    left_beside,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.dovecot_passwd import (
    make_plan,
    read_file,
    replace_file,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.pending import (
    PendingError,
    note,
    read_names,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import (
    SchemeError,
    make_scheme,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_passwd import (
    PasswdFileError,
    read_accounts,
)

COSTS = {
    "argon2_memory": 19456,
    "argon2_time": 2,
    "argon2_parallelism": 1,
    "blf_rounds": 10,
    "sha512_rounds": 210000,
}

SECONDS = 5.0
"""Between two lines in the journal."""


class Progress:
    """Say in the host's journal, now and then, how far a long run is: Ansible shows nothing before its end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.said = time.monotonic()

    def __call__(self, done: str, number: int, total: int) -> bool:
        """Tell whether it was time to say something."""
        now = time.monotonic()
        if now < self.said + SECONDS:
            return False
        self.said = now
        # Not by the module's own log, which says nothing at all in a task with no_log. These are numbers.
        syslog.openlog("dovecot_passwd_file")
        syslog.syslog(f"{self.path}: {done} {number} of {total} passwords")
        return True


def write_accounts(module: AnsibleModule) -> dict[str, Any]:
    """Bring the file to the wanted state, and return the module's result."""
    params = module.params
    path, notes = params["path"], read_names(params["pending"])
    scheme = make_scheme(params["scheme"], params)
    accounts = read_accounts(params["accounts"], scheme)
    current = read_file(path)
    progress = Progress(path)
    plan = make_plan(accounts, current or "", scheme, progress)

    attributes_diff: dict[str, Any] = {}
    attributes_changed = current is not None and module.set_fs_attributes_if_different(
        module.load_file_common_arguments(params), False, diff=attributes_diff
    )

    def prepare(temporary: str) -> None:
        if current is not None:
            status = Path(path).stat()
            os.chown(temporary, status.st_uid, status.st_gid)
            shutil.copymode(path, temporary)
        module.set_fs_attributes_if_different(module.load_file_common_arguments(params, temporary), False)

    def save(text: str) -> None:
        replace_file(path, text, prepare)

    if plan.changed and not module.check_mode:
        note(notes)
        save(plan.render(progress, save))

    left_over = left_beside([glob.escape(path)])
    for file in left_over:
        if not module.check_mode:
            file.unlink()

    changed = plan.changed or attributes_changed or bool(left_over)
    result: dict[str, Any] = {"changed": changed, "changes": plan.by_reason()}
    if module._diff:
        result["diff"] = [{"before_header": path, "after_header": path, **plan.diff()}, attributes_diff]
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "accounts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                # The whole list, because the log of the call spells it with Python's escapes: a password
                # with a backslash or quote would not be recognised in it.
                "no_log": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "password": {"type": "str", "no_log": True},
                    "password_hash": {"type": "str", "no_log": True},
                    "extra_fields": {"type": "dict", "default": {}},
                },
            },
            "scheme": {
                "type": "str",
                "choices": ["ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT"],
                "default": "ARGON2ID",
            },
            **{name: {"type": "int", "default": default} for name, default in COSTS.items()},
            "pending": {"type": "list", "elements": "str", "default": []},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    # From here on the result is censored, where the names of the accounts are to be readable.
    module.no_log_values = {
        secret
        for account in module.params["accounts"]
        for secret in (account["password"], account["password_hash"])
        if secret
    }
    try:
        with nullcontext() if module.check_mode else alone():
            result = write_accounts(module)
    except (BusyError, PasswdFileError, PendingError, SchemeError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=describe(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
