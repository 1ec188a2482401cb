"""IAM's wildcards and policy variables: ``*``, ``?`` and ``${aws:username}``.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html and
reference_policies_variables.html. Must not import moto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = frozenset("*?$")
_ARN_SEGMENTS = 6

#: The condition keys of a request in lower case → values.
Context = Mapping[str, tuple[str, ...]]


class UnknownVariableError(Exception):
    """The request has no value for a policy variable that has no default.

    A pattern with such a variable matches nothing.
    """


@lru_cache(maxsize=8192)
def _expression(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = [{"*": ".*", "?": "."}.get(piece) or re.escape(piece) for piece in re.split(r"([*?])", pattern)]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a whole text fits a pattern.

    :param pattern: text in which ``*`` matches any characters and ``?`` any one.
    :param text: the text.
    :param ignore_case: whether upper and lower case are the same.
    """
    return _expression(pattern, ignore_case).fullmatch(text) is not None


def without_variables(pattern: str) -> str:
    """Escape every ``${`` of a pattern: policies of version 2008-10-17 have no variables."""
    return pattern.replace("${", "${$}{")


def substitute(pattern: str, context: Context) -> tuple[str, dict[str, str]]:
    """Replace policy variables by placeholders, so that a ``*`` in a value is no wildcard.

    :param pattern: for example ``arn:aws:s3:::home/${aws:username}/*``.
    :param context: the request's condition keys.
    :returns: the pattern with placeholders (private-use characters), and placeholder → value.
    :raises UnknownVariableError: the request has no single value for a variable.
    """
    values: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(",")
        name = name.strip()
        if name in _LITERALS:
            value = name
        else:
            found = context.get(name.lower())
            default = default.strip()
            if found is not None and len(found) == 1:
                value = found[0]
            elif len(default) >= 2 and default[0] == default[-1] == "'":
                value = default[1:-1]
            else:
                raise UnknownVariableError(name)
        placeholder = chr(0xE000 + len(values))
        values[placeholder] = value
        return placeholder

    return _VARIABLE.sub(replace, pattern), values


def expand(pattern: str, context: Context) -> str:
    """Replace the variables of a pattern, for comparisons without wildcards.

    :raises UnknownVariableError: see ``substitute``.
    """
    text, values = substitute(pattern, context)
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def matches_with_variables(pattern: str, text: str, context: Context, *, ignore_case: bool = False) -> bool:
    """Whether a whole text fits a pattern with variables, see ``matches``.

    A variable without a value matches nothing.

    :param pattern: the pattern.
    :param text: the text.
    :param context: the request's condition keys.
    :param ignore_case: whether upper and lower case are the same.
    """
    if "${" not in pattern:
        return matches(pattern, text, ignore_case=ignore_case)
    try:
        template, values = substitute(pattern, context)
    except UnknownVariableError:
        return False
    source = _expression(template, ignore_case).pattern
    for placeholder, value in values.items():
        source = source.replace(placeholder, re.escape(value))
    return re.fullmatch(source, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def arn_matches(pattern: str, arn: str, context: Context) -> bool:
    """Whether an ARN fits a pattern, segment by segment.

    Only the last segment of a pattern matches colons.

    :param pattern: pattern of a ``Resource`` element or an Arn condition.
    :param arn: the resource, or ``*`` for a call without one, which only the pattern ``*`` fits.
    :param context: the request's condition keys, for policy variables.
    """
    if pattern == "*":
        return True
    if "${" in pattern:
        try:
            template, values = substitute(pattern, context)
        except UnknownVariableError:
            return False
    else:
        template, values = pattern, {}
    patterns, segments = template.split(":", _ARN_SEGMENTS - 1), arn.split(":", _ARN_SEGMENTS - 1)
    if len(patterns) < _ARN_SEGMENTS:
        # An asterisk at the end matches every segment that follows.
        if not template.endswith("*") or len(segments) < len(patterns):
            return False
        segments = arn.split(":", len(patterns) - 1)
    if len(patterns) != len(segments):
        return False
    return all(_segment(one, other, values) for one, other in zip(patterns, segments, strict=True))


def _segment(pattern: str, text: str, values: dict[str, str]) -> bool:
    used = {placeholder: value for placeholder, value in values.items() if placeholder in pattern}
    if not used:
        return matches(pattern, text)
    source = _expression(pattern, False).pattern
    for placeholder, value in used.items():
        source = source.replace(placeholder, re.escape(value))
    return re.fullmatch(source, text, re.DOTALL) is not None
