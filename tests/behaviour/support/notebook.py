"""What one step of a scenario writes down for a later one, beside the lab."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def notebook(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what earlier steps wrote down, for this one to read and to add to; keep it in the end."""
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    yield content
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False))
