"""`/openapi.json`, and the same as pages for people at `/docs`.

Whoever may knock may read them: they say what the API is and nothing of this installation, and name
all else from where they stand. Every byte comes from here: pages load nothing from any other host.
"""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.api.description import describe
from channels.api.endpoints import AnyEndpoint

_HEADERS: Final = {
    "cache-control": "public, max-age=300",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
}
_PAGE: Final = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CAPP for businesses</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="pages"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# No validator: it is a foreign host. Keys that are typed in are forgotten with the page.
_START: Final = b"""SwaggerUIBundle({
  url: "openapi.json", dom_id: "#pages", deepLinking: true, validatorUrl: null,
  persistAuthorization: false, presets: [SwaggerUIBundle.presets.apis]
});
"""
_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
"""Of the package `swagger-ui-py`: Swagger UI 5, which reads OpenAPI 3.1."""


def pages(
    prefix: str, table: Iterable[AnyEndpoint], messages: Sequence[type[msgspec.Struct]] = ()
) -> list[Route]:
    """The description of a table and of what we send, and its pages. Written once, at the start."""
    return [
        _constant("/openapi.json", describe(prefix, table, messages), "application/json"),
        _constant("/docs", _PAGE, "text/html; charset=utf-8"),
        _constant("/docs/start.js", _START, "text/javascript"),
        *(
            _constant(f"/docs/{name}", (_folder() / name).read_bytes(), media_type)
            for name, media_type in _ASSETS.items()
        ),
    ]


def _folder() -> Path:
    """Where the package keeps its files; its code is never run."""
    found = find_spec("swagger_ui")
    assert found is not None and found.submodule_search_locations, "it is among our dependencies"
    return Path(found.submodule_search_locations[0]) / "static"


def _constant(path: str, body: bytes, media_type: str) -> Route:
    async def answer(_: Request) -> Response:
        return Response(body, media_type=media_type, headers=_HEADERS)

    return Route(path, answer)
