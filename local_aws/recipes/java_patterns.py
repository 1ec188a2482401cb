"""What Java's regular expressions, which the service uses, say otherwise than the engines here. Pure.

Rules of https://docs.oracle.com/javase/8/docs/api/java/util/regex/Pattern.html: ``\\Q...\\E`` quotes, and the POSIX
classes such as ``\\p{Punct}`` hold ASCII characters only; here ``\\p{Punct}`` would be Unicode's punctuation, without
`$`, `+`, `<` and other symbols.
"""

from __future__ import annotations

import re

_POSIX = {
    "Punct": "!-/:-@\\[-`{-~",
    "Alpha": "a-zA-Z",
    "Upper": "A-Z",
    "Lower": "a-z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "XDigit": "0-9a-fA-F",
    "Space": " \\t-\\r",
    "Blank": " \\t",
    "Graph": "!-~",
    "Print": " -~",
}
_CLASS = re.compile(rf"\\([pP])\{{({'|'.join(_POSIX)})\}}")


def from_java(source: str) -> str:
    """The pattern in the dialect of the engines here; one that is in it already stays as it is."""
    parts: list[str] = []
    at = depth = 0
    while at < len(source):
        if source.startswith("\\Q", at):
            end = source.find("\\E", at)
            end = len(source) if end < 0 else end
            parts.append(re.escape(source[at + 2 : end]))
            at = end + 2
            continue
        if found := _CLASS.match(source, at):
            ranges, negative = _POSIX[found.group(2)], found.group(1) == "P"
            parts.append(ranges if depth and not negative else f"[{'^' * negative}{ranges}]")
            at = found.end()
            continue
        length = 2 if source[at] == "\\" else 1
        piece = source[at : at + length]
        depth = depth + 1 if piece == "[" else max(depth - 1, 0) if piece == "]" else depth
        parts.append(piece)
        at += length
    return "".join(parts)
