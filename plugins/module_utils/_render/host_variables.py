# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hosts of a play have for a variable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def host_variables(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, object]], name: str, default: object
) -> dict[str, object]:
    """Return what each of these hosts has for a variable, by the host's name."""
    return {host: hostvars[host].get(name, default) for host in hosts}
