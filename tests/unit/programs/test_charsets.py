"""Names of charsets: glibc knows each with our list, and reads by it what was written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles/dovecot_imap"
CHARSETS: dict[str, str] = yaml.safe_load((ROLE / "files/charsets.yml").read_text())
NAMES = [name for names in CHARSETS.values() for name in names.split()]

ASK = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.iconv_open.restype = ctypes.c_void_p
failed = ctypes.c_void_p(-1).value
print(*[name for name in sys.argv[1:] if libc.iconv_open(b"UTF-8", name.encode()) == failed])
"""

pytestmark = pytest.mark.skipif(not shutil.which("iconv"), reason="needs glibc's iconv")


@pytest.fixture(scope="module")
def gconv(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which glibc reads the list that the role installs."""
    folder = tmp_path_factory.mktemp("gconv")
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["from_yaml"] = yaml.safe_load
    template = environment.from_string((ROLE / "templates/gconv-modules.j2").read_text())
    rendered = template.render(
        ansible_managed="", lookup=lambda __, name: (ROLE / "files" / name).read_text()
    )
    (folder / "gconv-modules").write_text(rendered)
    return {"GCONV_PATH": str(folder), "PATH": os.environ["PATH"]}


def converted(environment: dict[str, str], name: str, data: bytes) -> str:
    command = ["iconv", "--from-code", name, "--to-code", "UTF-8"]
    done = subprocess.run(command, input=data, capture_output=True, env=environment, timeout=10, check=False)
    assert done.returncode == 0, (name, done.stderr)
    return done.stdout.decode()


def test_no_name_is_listed_twice() -> None:
    assert sorted(NAMES) == sorted(set(NAMES))


def unknown(environment: dict[str, str], names: list[str]) -> list[str]:
    """Return which names glibc does not know, asked in one process that begins with an environment."""
    command = [sys.executable, "-c", ASK, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=30)
    return done.stdout.split()


def test_each_name_is_known(gconv: dict[str, str]) -> None:
    assert unknown(gconv, NAMES) == []


def test_no_name_of_glibc_is_lost(gconv: dict[str, str]) -> None:
    """A name that stands for another charset takes those with it that glibc itself knows by it."""
    listed = subprocess.run(["iconv", "--list"], capture_output=True, text=True, check=True, timeout=10)
    assert unknown(gconv, listed.stdout.split()) == []


@pytest.mark.parametrize(
    ("name", "codec", "text"),
    [
        ("ks_c_5601-1987", "cp949", "계약 똠방각하"),
        ("KS_C_5601-1987", "cp949", "계약"),
        ("euc-kr", "cp949", "계약 똠방각하"),
        ("cseuckr", "cp949", "똠"),
        ("x-johab", "johab", "계약"),
        ("shift_jis", "cp932", "髙島屋 ① C:\\temp"),
        ("x-sjis", "cp932", "契約 ﾊﾝｶｸ"),
        ("euc-jp", "euc_jp", "契約書"),
        ("iso-2022-jp-1", "iso2022_jp_1", "契約書"),
        ("gb2312", "gb18030", "朱镕基 合同"),
        ("x-gbk", "gbk", "合同審核"),
        ("x-x-big5", "cp950", "合約"),
        ("hkscs-big5", "big5hkscs", "喺度"),
        ("tis-620", "cp874", "สัญญา \u201cก\u201d"),
        ("iso-8859-1", "cp1252", "Grüße \u201caus\u201d Köln, 5 €"),
        ("iso-8859-9", "cp1254", "İstanbul \u201cş\u201d"),
        ("x-cp1252", "cp1252", "Grüße"),
        ("win-1251", "cp1251", "договор"),
        ("koi8_r", "koi8_r", "договор"),
        ("iso-8859-8-i", "iso8859_8", "שלום"),
        ("unicode-1-1-utf-8", "utf-8", "계약 🎉"),
        ("unicode-1-1-utf-7", "utf-7", "계약 Grüße"),
        ("unicodefffe", "utf-16-be", "계약"),
        ("x-mac-roman", "mac_roman", "Grüße"),
        ("x-mac-cyrillic", "mac_cyrillic", "договор"),
        ("dos-862", "cp862", "שלום"),
        ("646", "ascii", "plain"),
    ],
)
def test_text_is_read_as_it_was_written(gconv: dict[str, str], name: str, codec: str, text: str) -> None:
    assert converted(gconv, name, text.encode(codec)) == text
