# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hide what a program may have quoted of a secret file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import TextFile

# A word is taken for a quoted secret when it shares this many characters in a row with one.
SECRET_RUN = 4


def hide_secrets(output: str, files: Iterable[TextFile]) -> str:
    """Put *** for each word that may quote a secret file.

    A word is hidden when it overlaps a run of characters that also stands in a secret file, unless the
    same word stands in the set's paths or in a file that is not secret.
    """
    files = list(files)
    runs = {run for file in files if file.secret for run in _runs(file.content)}
    public = {
        _bare(word)
        for file in files
        for text in (str(file.path), "" if file.secret else file.content)
        for word in text.split()
    }
    return "\n".join(_hide_in_line(line, runs, public) for line in output.splitlines())


def _hide_in_line(line: str, runs: set[str], public: set[str]) -> str:
    quoted = {
        place
        for start, run in enumerate(_runs(line))
        if run in runs
        for place in range(start, start + SECRET_RUN)
    }

    def judge(word: re.Match[str]) -> str:
        hidden = not quoted.isdisjoint(range(*word.span())) and _bare(word[0]) not in public
        return "***" if hidden else word[0]

    return re.sub(r"\S+", judge, line)


def _runs(text: str) -> list[str]:
    return [text[start : start + SECRET_RUN] for start in range(len(text) - SECRET_RUN + 1)]


def _bare(word: str) -> str:
    return word.strip("\"'`:,;.()<>[]")
