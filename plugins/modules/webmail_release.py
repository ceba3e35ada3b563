#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a webmail release the current one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webmail_release
short_description: Make a webmail release the current one
version_added: 1.0.0
author: The ilnmors.mail maintainers
description:
  - Unpacks the release archive of SnappyMail or Tachyon beside the release that runs, prepares it, and only
    then switches the link C(current) to it. An archive that has the wrong checksum or another layout, or
    whose preparation fails, leaves the running release as it was.
  - The release that was current before is kept; older ones are removed.
  - An archive is only read, and downloaded, when its release is not unpacked yet.
options:
  src:
    description: The release archive, a path on the host or an C(https) URL.
    type: str
    required: true
  sha256:
    description: The archive's SHA-256 checksum, 64 hexadecimal digits.
    type: str
    required: true
  root:
    description: The folder that holds the releases and the link C(current).
    type: path
    default: /usr/share/snappymail
  include:
    description: The file that C(include.php) of the release points to.
    type: path
  prepare:
    description:
      - A command that must succeed before the release becomes current. C(%s) stands for the release's folder.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Predicts whether the release will change, without reading the archive.
    support: full
  diff_mode:
    description: Shows which release is current before and after.
    support: full
"""

EXAMPLES = r"""
- name: Unpack the release and switch to it
  ilnmors.mail.webmail_release:
    src: https://github.com/the-djmaze/snappymail/releases/download/v2.38.2/snappymail-2.38.2.tar.gz
    sha256: 71f1d8a9065cc9cf7ddd064f5c47cc7b255cb70e6a56713647fc73d4b79e33ec
    include: /etc/snappymail/include.php
    prepare: [runuser, -u, snappymail, --, php, "%s/index.php"]
"""

RETURN = r"""
release:
  description: The name of the current release, a folder under C(versions).
  returned: success
  type: str
  sample: 2.38.2-71f1d8a9065c
previous:
  description: The name of the release that was current before; none at the first run.
  returned: success
  type: str
  sample: 2.38.1-0f5a3b1c9d2e
"""

import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.ilnmors.mail.plugins.module_utils.webmail_release import (
    ReleaseError,
    Request,
    deploy,
    predict,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/usr/share/snappymail"},
            "include": {"type": "path"},
            "prepare": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    src, argv = module.params["src"], module.params["prepare"]
    include = module.params["include"]
    request = Request(
        root=Path(module.params["root"]),
        sha256=module.params["sha256"].lower(),
        include=Path(include) if include else None,
    )

    def fetch(target: Path) -> None:
        if not src.startswith("https://"):
            if not Path(src).is_file():
                raise ReleaseError(f"src: {src} is no file on this host. Name an archive or an https URL.")
            shutil.copyfile(src, target)
            return
        response, info = fetch_url(module, src, timeout=60)
        if info["status"] != 200:
            raise ReleaseError(
                f"src: {src} cannot be downloaded ({info['msg']}). Is the host online? "
                "Otherwise download the archive elsewhere and name the file."
            )
        with target.open("wb") as out:
            shutil.copyfileobj(response, out)

    def prepare(release: Path) -> None:
        if not argv:
            return
        code, out, err = module.run_command([part.replace("%s", str(release)) for part in argv], cwd="/")
        if code:
            raise ReleaseError(
                f"prepare: the release {release.name} does not start (exit {code}): {(err or out)[-500:]}"
            )

    try:
        outcome = predict(request) if module.check_mode else deploy(request, fetch, prepare)
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=outcome.changed,
        release=outcome.release,
        previous=outcome.previous,
        diff={
            "before": f"current release: {outcome.previous}\n" if outcome.previous else "",
            "after": f"current release: {outcome.release}\n",
        },
    )


if __name__ == "__main__":
    main()
