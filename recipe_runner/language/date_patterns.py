"""Translate date patterns of DataBrew's pages and exports for polars' strftime.

The pages write `mm` for the month and `MM` for the minute (`yyyy-mm-dd HH:MM:SS`), console exports
follow Java (`MM-dd-yyyy HH:mm:ss`). Both work: `mm` or `MM` is the minute next to an hour or a
second, and the month elsewhere.
"""

from __future__ import annotations

import functools
import re

DEFAULT_PATTERN = "yyyy-mm-dd HH:MM:SS"
_TOKENS = re.compile(r"'[^']*'|(?i:month)|[yY]+|M+|m+|d+|D+|H+|h+|S+|s+|a|E+|[zZX]+|.", re.DOTALL)
_YEARS = {1: "%Y", 2: "%y"}
_MONTHS = {1: "%-m", 2: "%m", 3: "%b"}


def strftime_pattern(pattern: str) -> str:
    """Return the strftime pattern that means the same.

    :param pattern: such as `mm/dd/yyyy`, `month*dd*yyyy`, `yyyy-mm-dd HH:MM:SS`, `MM-dd-yyyy`.
    """
    tokens = _TOKENS.findall(pattern)
    half_day = "a" in tokens
    parts: list[str] = []
    last = ""  # the last token that was a field
    for index, token in enumerate(tokens):
        head = token[0]
        field = head
        if token.startswith("'"):
            parts.append(token[1:-1].replace("%", "%%") or "'")
            continue
        if token.lower() == "month":
            parts.append("%B")
        elif head in "yY":
            parts.append(_YEARS.get(len(token), "%Y") if len(token) < 3 else "%Y")
        elif head in "mM" and len(token) <= 2 and _is_minute(tokens, index, last):
            parts.append("%M" if len(token) == 2 else "%-M")
            field = "minute"
        elif head in "mM":
            parts.append(_MONTHS.get(len(token), "%B"))
        elif head in "dD":
            parts.append("%d" if len(token) == 2 else "%-d")
        elif head == "H":
            parts.append("%H" if len(token) == 2 else "%-H")
        elif head == "h":
            parts.append(("%I" if half_day else "%H") if len(token) == 2 else ("%-I" if half_day else "%-H"))
        elif head in "sS" and len(token) >= 3:
            parts.append("%3f")
        elif head in "sS":
            parts.append("%S" if len(token) == 2 else "%-S")
        elif head == "a":
            parts.append("%p")
        elif head == "E":
            parts.append("%A" if len(token) >= 4 else "%a")
        elif head in "zZX":
            parts.append("+00:00" if head == "X" else "UTC" if head == "z" else "+0000")
        else:
            parts.append(token.replace("%", "%%"))
            continue
        last = field
    return "".join(parts)


@functools.cache
def strptime_pattern(pattern: str) -> str:
    """Return the pattern with which Python's strptime reads the same texts.

    Zones and fractions are read, though not written.
    """
    tokens = [
        {"z": "'%Z'", "Z": "'%z'", "X": "'%z'"}.get(token[0], "'%f'" if token[:3] == "SSS" else token)
        for token in _TOKENS.findall(pattern)
    ]
    return re.sub("%%(?=[Zzf])", "%", strftime_pattern("".join(tokens)).replace("%-", "%"))


def _is_minute(tokens: list[str], index: int, last: str) -> bool:
    if last in ("H", "h"):
        return True
    following = next((token for token in tokens[index + 1 :] if token[0] in "yYmMdDHhsS"), "")
    return following[:1] in ("s", "S") and last not in ("H", "h", "minute") and last in ("", "minute")
