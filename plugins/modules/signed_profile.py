#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_files/signed_profile.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signed_profile
short_description: Write a configuration profile for Apple's devices, signed
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Signs a profile with a certificate of the host (CMS, RFC 5652, by C(openssl)) and writes it as a file that all may
    read and that appears as a whole.
  - It is signed anew only if its content, the certificate or one of its chain is another than in the file, or the
    file is not what was signed.
  - Other profiles in the same folder, such as one of a name before, are removed.
attributes:
  check_mode:
    support: full
    details:
      - Predicts whether the file will change.
      - Where the certificate or its folder is not there yet, it is expected to be by then.
  diff_mode:
    support: full
    details:
      - Shows the profile, and the fingerprint of the certificate that it is signed with.
  idempotent:
    support: full
extends_documentation_fragment:
  - ilnmors.mail.attributes
options:
  path:
    description: Absolute path of the file, C(*.mobileconfig). Its folder must exist.
    type: path
    required: true
  content:
    description: The profile, a property list in XML.
    type: str
    required: true
  certificate:
    description: Path on the host of the certificate (PEM), with intermediate certificates after it.
    type: path
    required: true
  key:
    description: Path on the host of the certificate's private key (PEM, without a passphrase).
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Offer a profile
  ilnmors.mail.signed_profile:
    path: /usr/share/mail-setup/setup/ilnmors.internal.mobileconfig
    content: "{{ (house | ilnmors.mail.client_settings).mobileconfig }}"
    certificate: /etc/ssl/ilnmors-mail/host.pem
    key: /etc/ssl/ilnmors-mail/host.key
"""

RETURN = r"""
removed:
  description: Other profiles that were, or would be, removed.
  returned: success
  type: list
  elements: str
  sample: [/usr/share/mail-setup/setup/home.internal.mobileconfig]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import describe
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import ConfigFilesError
from ansible_collections.ilnmors.mail.plugins.module_utils._files.signed_profile import (
    SignedProfileError,
    plan,
    put_in_place,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True},
            "certificate": {"type": "path", "required": True},
            # The path of one, and no secret.
            "key": {"type": "path", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    certificate, key = Path(module.params["certificate"]), Path(module.params["key"])
    try:
        planned = plan(Path(module.params["path"]), module.params["content"], certificate)
        if planned.changed and not module.check_mode:
            put_in_place(planned, certificate, key)
    except (SignedProfileError, ConfigFilesError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=describe(error))
    module.exit_json(
        changed=planned.changed,
        removed=[str(other) for other in planned.others],
        diff={
            "before_header": str(planned.path),
            "after_header": str(planned.path),
            "before": str(planned.before or ""),
            "after": str(planned.after or module.params["content"]),
        },
    )


if __name__ == "__main__":
    main()
