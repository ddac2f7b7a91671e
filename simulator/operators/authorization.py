"""Reads `Authorization` headers. It knows no user and no token."""

from __future__ import annotations

import base64
import binascii


def basic_credentials(header: str) -> tuple[str, str] | None:
    """User and password of a Basic `Authorization` header; None when it is not one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def bearer_token(header: str) -> str | None:
    """The token of a Bearer `Authorization` header; None when it is not one."""
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else None
