"""Texts taken apart once, so that filling one is a single join. Nothing in a text is executed.

It knows placeholders and forms, not languages: which form a count takes is told from outside. Pure.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
OTHER = "other"
"""The form every plural has (CLDR's word)."""


class Template:
    """One text: literals and names in turn."""

    __slots__ = ("names", "parts", "source")

    def __init__(self, source: str) -> None:
        # re.split with one group gives literal, name, literal, name, ..., literal.
        self.source = source
        self.parts = tuple(PLACEHOLDER.split(source))
        self.names = self.parts[1::2]

    @property
    def forms(self) -> tuple["Template", ...]:
        return (self,)

    def form(self, _category: str) -> "Template":
        """Itself: a text that does not count reads the same for every number."""
        return self

    def without(self, name: str) -> "Template":
        """The same without the lines that show this value."""
        return Template(_lines_without(self.source, name))

    def fill(self, values: Mapping[str, str]) -> str:
        """Raises KeyError when a placeholder has no value."""
        return self.fill_in_order([values[name] for name in self.names])

    def fill_in_order(self, written: Sequence[str]) -> str:
        """One value for each of `names`, in their order. Raises ValueError for another number."""
        if not self.names:
            return self.source
        pieces = list(self.parts)
        pieces[1::2] = written
        return "".join(pieces)


class Plural:
    """One text in the forms its language counts with; `source` is the form `other`."""

    __slots__ = ("_by_category", "_category_of", "count", "names", "source")

    def __init__(
        self, by_category: Mapping[str, str], count: str, category_of: Callable[[int], str]
    ) -> None:
        """`count` is the variable that counts. Raises KeyError without the form `other`."""
        self._by_category = {name: Template(source) for name, source in by_category.items()}
        self._category_of = category_of
        self.count = count
        self.source = self._by_category[OTHER].source
        # The count is needed to choose, also where a form does not show it.
        self.names = tuple(
            dict.fromkeys([count, *(name for form in self.forms for name in form.names)])
        )

    @property
    def forms(self) -> tuple[Template, ...]:
        return tuple(self._by_category.values())

    @property
    def categories(self) -> tuple[str, ...]:
        return tuple(self._by_category)

    def form(self, category: str) -> Template:
        """`other` stands in for a category that this text has no form for."""
        return self._by_category.get(category) or self._by_category[OTHER]

    def fill(self, values: Mapping[str, str]) -> str:
        """Raises KeyError when the count or a placeholder has no value."""
        return self.form(self._category(values[self.count])).fill(values)

    def fill_in_order(self, written: Sequence[str]) -> str:
        """One value for each of `names`, in their order. Raises ValueError for another number."""
        return self.fill(dict(zip(self.names, written, strict=True)))

    def without(self, name: str) -> "Plural":
        """The same without the lines that show this value, in every form."""
        forms = self._by_category.items()
        return self.with_lines({form: _lines_without(text.source, name) for form, text in forms})

    def with_lines(self, sources: Mapping[str, str]) -> "Plural":
        """The same counting over other forms."""
        return Plural(sources, self.count, self._category_of)

    def _category(self, written: str) -> str:
        """CLDR chooses by the number as it is written: its visible digits."""
        digits = "".join(c for c in written if c in "0123456789")
        return self._category_of(int(digits)) if digits else OTHER


def _lines_without(source: str, name: str) -> str:
    return "\n".join(line for line in source.split("\n") if f"{{{name}}}" not in line)


Sentence: TypeAlias = Template | Plural


def join(sentences: Sequence[Sentence]) -> Sentence:
    """Several texts as one, each on lines of its own. Raises ValueError when two of them count
    differently.
    """
    plurals = [sentence for sentence in sentences if isinstance(sentence, Plural)]
    if not plurals:
        return Template("\n".join(sentence.source for sentence in sentences))
    if len({plural.count for plural in plurals}) > 1:
        raise ValueError("one text cannot count two things")
    categories = dict.fromkeys(name for plural in plurals for name in plural.categories)
    return plurals[0].with_lines(
        {
            category: "\n".join(sentence.form(category).source for sentence in sentences)
            for category in categories
        }
    )
