# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roundcube's configuration file."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.roundcube_config import FilterModule
from ansible_collections.ilnmors.mail.plugins.module_utils._render.roundcube_config import roundcube_config


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (25, "25"),
        (1.5, "1.5"),
        ("", "''"),
        ("ssl://mail.home.internal:993", "'ssl://mail.home.internal:993'"),
        # Nothing of these is expanded, and none ends the text.
        ("it's", r"'it\'s'"),
        ("C:\\", r"'C:\\'"),
        (r"\'; phpinfo(); //", r"'\\\'; phpinfo(); //'"),
        ("$HOME ${HOME} {$x}", "'$HOME ${HOME} {$x}'"),
        ("<?= 1 ?>", "'<?= 1 ?>'"),
        ([], "[]"),
        (["a", 1], "['a', 1]"),
        ({"*": {"text": 1}}, "['*' => ['text' => 1]]"),
    ],
)
def test_values_are_written_as_php_reads_them(value: object, written: str) -> None:
    text = roundcube_config({"name": value})
    assert text.splitlines()[-1] == f"$config['name'] = {written};"


def test_the_file_is_a_program_that_fills_in_an_array() -> None:
    text = FilterModule().filters()["roundcube_config"]({"show_images": 0, "skin": "elastic"})
    assert str(text).startswith("<?php\n")
    assert str(text).endswith("$config = [];\n$config['show_images'] = 0;\n$config['skin'] = 'elastic';\n")
