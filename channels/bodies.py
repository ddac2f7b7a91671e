"""Reading a request's body within a limit, before anything is believed."""

from starlette.requests import Request


class TooLarge(Exception):
    """The body is longer than the route allows; answer 413."""


async def read_body(request: Request, largest: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it is, without reading on."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise TooLarge
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)
