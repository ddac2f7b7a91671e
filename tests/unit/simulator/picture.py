"""What a terminal shows, as lines of text: read from the picture that the library draws."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from textual.app import App

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_CELL_WIDTH = 12.2
_CELL_HEIGHT = 24.4
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?")
_DURATION = re.compile(r"after \d+ ms")


def read_picture(app: App[Any]) -> str:
    """All lines of the terminal without the blanks at their ends; times are nobody's claim."""
    picture = ElementTree.fromstring(app.export_screenshot(title=""))
    width, height = app.size
    cells = [[" "] * width for _ in range(height)]
    for part in picture.iter(f"{_NAMESPACE}text"):
        if "clip-path" not in part.attrib:
            continue  # The title of the window.
        column = round(float(part.attrib["x"]) / _CELL_WIDTH)
        row = int(float(part.attrib["y"]) / _CELL_HEIGHT)
        for offset, sign in enumerate((part.text or "").replace("\xa0", " ")):
            if column + offset < width:
                cells[row][column + offset] = sign
    text = "\n".join("".join(row).rstrip() for row in cells)
    return _DURATION.sub(_without_digits, _TIME.sub(_without_time, text)) + "\n"


def _without_time(found: re.Match[str]) -> str:
    return "hh:mm:ss"[: len(found[0])]


def _without_digits(found: re.Match[str]) -> str:
    """As wide as before, so that the frame stays where it is."""
    return "after n ms".ljust(len(found[0]))
