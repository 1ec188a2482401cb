"""What a text may contain before it becomes part of an argument, a key or a page.

Pipeline and recipe files are reviewed, but a review misses what cannot be seen: control characters
end lines and arguments, zero-width and direction signs hide text, halves of surrogate pairs cannot
be encoded. Must not import Airflow or boto3.

Sources: Unicode Standard, 4.5 "General Category"; Amazon S3 User Guide, "Creating object key
names"; RFC 3986, 5.2.4 "Remove Dot Segments".
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# S3's safe characters; among the others < and >, which DataBrew reads as a regular expression.
_SAFE_KEY = re.compile(r"[A-Za-z0-9!\-_.'()=+,@/]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# S3 allows 1,024 bytes; runs, file names and DataBrew's own parts follow.
_MAX_KEY = 700


def hidden_character(text: str, *, allowed: str = "") -> str | None:
    """Return the first invisible character, as ``U+202E``; ``None`` if there is none.

    :param text: The text.
    :param allowed: Characters to let pass, such as line breaks.
    """
    for character in text:
        if character not in allowed and unicodedata.category(character) in _HIDDEN:
            return f"U+{ord(character):04X}"
    return None


def key_problem(key: str) -> str | None:
    """Say what is wrong with an S3 key or prefix that a person wrote; ``None`` if nothing is.

    :param key: The key, without bucket; a slash at its end is fine.
    :returns: A predicate such as ``must not contain '..'``, to go on from "… ".
    """
    if ".." in key.split("/") or "." in key.split("/") or "//" in key or "%" in key or "\\" in key:
        return "must not contain '..', '//', '%', '\\' or a folder '.': name the prefix plainly"
    if key.startswith("/"):
        return "must not begin with '/' after the bucket: name the prefix plainly"
    if not _SAFE_KEY.fullmatch(key):
        return "has a character that is not safe in an S3 key; write letters, digits and ! - _ . ' ( ) = + , @"
    if len(key) > _MAX_KEY:
        return f"has {len(key)} characters; write at most {_MAX_KEY}"
    return None


def is_bucket_name(name: str) -> bool:
    """Whether a text is the name of an S3 bucket, and not an ARN, an address or a path.

    :param name: The text.
    """
    return bool(_BUCKET.fullmatch(name)) and ".." not in name and not re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name)
