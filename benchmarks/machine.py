"""Describe the machine on which a benchmark was measured."""

from __future__ import annotations

import os
import platform
import textwrap
from datetime import UTC, datetime
from pathlib import Path


def describe_machine() -> str:
    """Return date, cores, memory, Python and system in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = f" ({names[0]})" if names else ""
    return (
        f"Measured {datetime.now(UTC).date()} on {os.cpu_count()} cores{model}, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, {platform.system()}"
    )


def paragraph(text: str) -> str:
    """Return a text as a paragraph of a page, whose lines end at 100 columns."""
    return textwrap.fill(text, width=100, break_long_words=False, break_on_hyphens=False)
