#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a webmail release the current one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webmail_release
short_description: Make a webmail release the current one
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Unpacks the release archive of SnappyMail or Tachyon beside the release that runs, prepares it, and only
    then switches the link C(current) to it. An archive that has the wrong checksum or another layout, or
    whose preparation fails, leaves the running release as it was, and nothing of its own.
  - The release that was current before is kept; older ones are removed.
  - An archive is only read, copied to the host or downloaded when its release is not unpacked yet.
  - Two runs at once do not disturb each other; the second one waits.
options:
  state:
    description:
      - V(unpacked) fetches, checks and unpacks the archive, and leaves the current release alone.
      - V(current) goes on to prepare the release and switches to it.
    type: str
    choices: [unpacked, current]
    default: current
  src:
    description: The release archive, a path on the host or an C(https) URL.
    type: str
    required: true
  archive:
    description:
      - The release archive, an absolute path on the controller. Used instead of O(src) unless it is empty.
    type: path
    default: ''
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
    support: full
    details:
      - Predicts whether the release will change, without reading the archive.
  diff_mode:
    support: full
    details:
      - Shows which release is current before and after.
  idempotent:
    support: full
extends_documentation_fragment:
  - ilnmors.mail.attributes
"""

EXAMPLES = r"""
- name: See that there is a release to switch to, before anything else changes
  ilnmors.mail.webmail_release:
    src: /var/cache/snappymail.tar.gz
    sha256: 71f1d8a9065cc9cf7ddd064f5c47cc7b255cb70e6a56713647fc73d4b79e33ec
    include: /etc/snappymail/include.php
    state: unpacked

- name: Unpack the release and switch to it
  ilnmors.mail.webmail_release:
    src: https://github.com/the-djmaze/snappymail/releases/download/v2.38.2/snappymail-2.38.2.tar.gz
    sha256: 71f1d8a9065cc9cf7ddd064f5c47cc7b255cb70e6a56713647fc73d4b79e33ec
    include: /etc/snappymail/include.php
    prepare: [runuser, -u, snappymail, --, php, "%s/index.php"]
"""

RETURN = r"""
release:
  description: The name of the requested release, a folder under C(versions).
  returned: success
  type: str
  sample: 2.38.2-71f1d8a9065c
previous:
  description: The name of the release that was current before this; none at the first run.
  returned: success
  type: str
  sample: 2.38.1-0f5a3b1c9d2e
"""

import http.client
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.ilnmors.mail.plugins.module_utils._files.webmail_release import (
    Outcome,
    Request,
    current,
    deploy,
    predict,
    stage,
    unpacked,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.webmail_archive import ReleaseError

ELSEWHERE = "Otherwise download the archive elsewhere and name the file (snappymail_archive_file)."


class Absent(Exception):
    """The archive is on the controller; the action sends it, and asks again."""


def download(module: AnsibleModule, url: str, target: Path) -> None:
    """Write what is at an https URL to a file. Raises ReleaseError."""
    response, info = fetch_url(module, url, timeout=60, decompress=False)
    if info["status"] != 200:
        raise ReleaseError(f"the archive cannot be downloaded: {info['msg']}. Is the URL right? {ELSEWHERE}")
    with target.open("wb") as out:
        out.writelines(_pieces(response))
    found, announced = target.stat().st_size, info.get("content-length")
    if announced and found != int(announced):
        raise ReleaseError(
            f"the download ended after {found} of {announced} bytes. Run this again. {ELSEWHERE}"
        )


def _pieces(response: IO[bytes]) -> Iterator[bytes]:
    try:
        while piece := response.read(1 << 16):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise ReleaseError(f"the download broke off: {error}. Run this again. {ELSEWHERE}") from error


def run(module: AnsibleModule) -> Outcome:
    """Do what the options ask for. The outcome's release is the requested one. Raises ReleaseError and OSError."""
    src, argv, include = (module.params[name] for name in ("src", "prepare", "include"))
    request = Request(
        root=Path(module.params["root"]),
        sha256=module.params["sha256"].lower(),
        include=Path(include) if include else None,
    )

    def fetch(target: Path) -> None:
        if module.params["archive"]:
            raise Absent
        if src.startswith("https://"):
            download(module, src, target)
        elif Path(src).is_file():
            shutil.copyfile(src, target)
        else:
            raise ReleaseError("there is no such file on this host. Name an archive or an https URL.")

    def prepare(release: Path) -> None:
        if not argv:
            return
        code, out, err = module.run_command([part.replace("%s", str(release)) for part in argv], cwd="/")
        if code:
            said = (err or out).strip()[-500:] or "(nothing)"
            raise ReleaseError(
                f"the release {release.name} does not start (exit {code}) and says: {said}\n"
                "The release before it goes on running. Mend what it says, or name another archive."
            )

    if module.check_mode:
        return predict(request)
    if module.params["state"] == "unpacked":
        return Outcome(stage(request, fetch), current(request.root))
    return deploy(request, fetch, prepare)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["unpacked", "current"], "default": "current"},
            "src": {"type": "str", "required": True},
            "archive": {"type": "path", "default": ""},
            "sha256": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/usr/share/snappymail"},
            "include": {"type": "path"},
            "prepare": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    src, state = module.params["src"], module.params["state"]
    staged = unpacked(Path(module.params["root"]), module.params["sha256"].lower())
    try:
        outcome = run(module)
    except Absent:
        module.exit_json(changed=False, absent=True)
    except ReleaseError as error:
        module.fail_json(msg=f"src: {src}: {error}")
    except OSError as error:
        module.fail_json(
            msg=f"src: {src}: cannot be put in place below {module.params['root']}: {error}. "
            "The release before it goes on running. Mend that and run this again."
        )
    before = staged if state == "unpacked" else outcome.previous
    module.exit_json(
        changed=outcome.release != before,
        release=outcome.release,
        previous=outcome.previous,
        diff={
            "before": f"{state} release: {before}\n" if before else "",
            "after": f"{state} release: {outcome.release}\n",
        },
    )


if __name__ == "__main__":
    main()
