"""Errors in the wire form of each AWS protocol, so that every SDK reads what local_aws refuses.

See https://smithy.io/2.0/aws/protocols/index.html. Must not import moto.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error to answer instead of serving the call.

    :param drop: close the connection without an answer.
    """

    code: str
    message: str
    status: int
    drop: bool = False


def _cbor_text(value: str) -> bytes:
    raw = value.encode()
    if len(raw) < 24:
        return bytes([0x60 | len(raw)]) + raw
    if len(raw) < 0x100:
        return bytes([0x78, len(raw)]) + raw
    return b"\x79" + min(len(raw), 0xFFFF).to_bytes(2, "big") + raw[:0xFFFF]


def render(
    protocol: str, code: str, message: str, request_id: str | None = None
) -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and body of an error answer.

    :param protocol: botocore protocol name (``json``, ``rest-json``, ``query``, ``rest-xml``,
        ``cbor``, ``ec2``).
    :param code: error code, for example ``ThrottlingException``.
    :param message: the text shown to the caller.
    :param request_id: defaults to a fresh one.
    """
    request_id = request_id or secrets.token_hex(16)
    headers = [("x-amzn-RequestId", request_id), ("x-amzn-errortype", code)]
    if protocol == "cbor":
        pairs = b"".join(_cbor_text(text) for text in ("__type", code, "message", message))
        headers += [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
        return headers, b"\xa2" + pairs
    if protocol in ("query", "rest-xml", "ec2"):
        text, name = escape(message), escape(code)
        if protocol == "query":
            body = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{name}</Code><Message>{text}</Message></Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        else:
            body = f"<Error><Code>{name}</Code><Message>{text}</Message><RequestId>{request_id}</RequestId></Error>"
        headers += [("Content-Type", "application/xml"), ("x-amz-request-id", request_id)]
        return headers, f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()
    headers.append(("Content-Type", "application/x-amz-json-1.0" if protocol == "json" else "application/json"))
    return headers, json.dumps({"__type": code, "message": message, "Message": message}).encode()


def code_of(headers: list[tuple[str, str]], body: bytes) -> str | None:
    """Return the error code in an error answer of any service, ``None`` if it cannot be told."""
    for name, value in headers:
        if name.lower() == "x-amzn-errortype":
            return value.split(":")[0].rsplit("#", 1)[-1]
    text = body[:4096].decode("utf-8", "replace")
    match = re.search(r"<Code>([^<]+)</Code>", text) or re.search(r'"(?:__type|code|Code)"\s*:\s*"([^"]+)"', text)
    return match.group(1).rsplit("#", 1)[-1] if match else None
