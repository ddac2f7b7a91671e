"""The sentence catalogue: every text a customer reads, by language and key.

It knows neither screens nor receipts, and no language by itself: those are files.
"""

from engine.texts.catalogue import Texts, Voice
from engine.texts.formats import PLAINEST
from engine.texts.reading import FALLBACK, BrokenTexts, Encoding
from engine.texts.templates import Plural, Sentence, Template, join

__all__ = [
    "FALLBACK",
    "PLAINEST",
    "BrokenTexts",
    "Encoding",
    "Plural",
    "Sentence",
    "Template",
    "Texts",
    "Voice",
    "join",
]
