r"""Translate Java's regular expressions, which the service uses, for the engines used here.

Rules of https://docs.oracle.com/javase/8/docs/api/java/util/regex/Pattern.html: `\Q...\E`
quotes; the classes `\w`, `\d` and `\s` and the POSIX classes such as `\p{Punct}` hold
ASCII characters only; here `\w` would hold every script's letters, and `\p{Punct}` would be
Unicode's punctuation, without `$`, `+`, `<` and other symbols. A character may be written by its
number as `\x{41}` or `\0101`.
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
_PREDEFINED = {"w": "a-zA-Z_0-9", "d": "0-9", "s": " \\t-\\r", "h": " \\t\\u00a0"}
_CLASS = re.compile(rf"\\([pP])\{{({'|'.join(_POSIX)})\}}")
_SHORT_CLASS = re.compile(r"\\([wWdDsShH])")
_ATOM = re.compile(r"\\[pPx]\{[^}]*\}|\\.|.", re.DOTALL)
_NUMBERED = re.compile(r"\\(?:x\{([0-9a-fA-F]{1,6})\}|0([0-3][0-7]{2}|[0-7]{1,2}))")


def from_java(source: str) -> str:
    """Return the pattern in the dialect of the engines here; translating twice changes nothing."""
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
            parts.append(_set(_POSIX[found.group(2)], found.group(1) == "P", depth))
            at = found.end()
            continue
        if found := _SHORT_CLASS.match(source, at):
            letter = found.group(1)
            parts.append(_set(_PREDEFINED[letter.lower()], letter.isupper(), depth))
            at = found.end()
            continue
        if found := _NUMBERED.match(source, at):
            number = int(found.group(1), 16) if found.group(1) else int(found.group(2), 8)
            # A number without a character stays as it is, and the engine rejects it.
            parts.append(re.escape(chr(number)) if _is_character(number) else found.group(0))
            at = found.end()
            continue
        length = 2 if source[at] == "\\" else 1
        piece = source[at : at + length]
        depth = depth + 1 if piece == "[" else max(depth - 1, 0) if piece == "]" else depth
        parts.append(piece)
        at += length
    return "".join(parts)


def is_possessive(source: str) -> bool:
    """Whether a quantifier is possessive (`a++`), which polars' engine would misread."""
    depth = 0
    quantified = False
    for piece in _ATOM.findall(source):
        depth = depth + 1 if piece == "[" else max(depth - 1, 0) if piece == "]" else depth
        if quantified and piece == "+":
            return True
        quantified = not depth and piece in ("*", "+", "?", "}")
    return False


def _is_character(number: int) -> bool:
    return number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF


def _set(ranges: str, negative: bool, depth: int) -> str:
    return ranges if depth and not negative else f"[{'^' * negative}{ranges}]"
