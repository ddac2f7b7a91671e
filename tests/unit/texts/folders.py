"""Folders of texts for tests: the shipped ones, and small ones written on the spot."""

from pathlib import Path

from engine.texts import Texts

SHIPPED = Path(__file__).parents[3] / "menus" / "texts"
COUNTRIES = """
home: KE
elsewhere: {languages: [en], utc_offset_hours: 0}
countries:
  KE: {languages: [en], utc_offset_hours: 3}
  ZM: {languages: [en], utc_offset_hours: 2}
"""
WIDTHS = "widths: {name: 5, left: 2, total: 14}\ncounts: [left]"
EN = "language: {name: English}\n"


def write(folder: Path, **files: str) -> Path:
    """Each file by its stem; what every folder needs is there unless it is written here."""
    usual = {"countries": COUNTRIES, "widths": WIDTHS, "en": f"{EN}a: x"}
    for stem, content in (usual | files).items():
        (folder / f"{stem}.yaml").write_text(content, encoding="utf-8")
    return folder


def load(folder: Path, **files: str) -> Texts:
    return Texts.load(write(folder, **files))
