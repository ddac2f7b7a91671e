"""A screen as text: sentence, numbered lines, footer, filled with the session's values, paged."""

from collections.abc import Mapping
from typing import Any

from engine.errors import CustomerMistake
from engine.menu.layout import Laid, in_full, lay_out, numbered, pages_of
from engine.menu.networks import Network
from engine.menu.paging import shortened
from engine.menu.screens import PAGED, Menu
from engine.septets import fits
from engine.session.session import Session
from engine.session.variables import FACTS, SUBJECTS
from engine.texts import FALLBACK, Sentence, Texts


class Renderer:
    """All screens in all languages, laid out once. Rendering parses nothing."""

    def __init__(self, menu: Menu, texts: Texts) -> None:
        self._texts = texts
        self._menu = menu
        self._laid: Mapping[str, Mapping[str, Laid]] = {
            language: {
                name: lay_out(texts, language, screen) for name, screen in menu.screens.items()
            }
            for language in texts.languages
        }
        self._wide = frozenset(
            language for language in texts.languages if texts.encoding(language) == "ucs2"
        )
        self._shorter: dict[tuple[Sentence, str], Sentence] = {}  # as many as are in the texts
        self._subjects = {name: SUBJECTS[screen.about] for name, screen in menu.screens.items()}

    def screen(
        self, session: Session, network: Network, mistake: CustomerMistake | None = None
    ) -> str:
        """The page the session stands on, with the sentence of a mistake above its first.

        The pages behind a mistake go on where the one with its sentence ended; back on the first,
        the screen stands there as without it. What is agreed to stands below a mistake in full,
        not as its shorter text, unless it was one page: nobody may agree to pages that were never
        shown. Notes in the session how many pages there are, so that the next turn knows what `98`
        means.
        """
        language = self._language(session.language, network)
        laid = self._laid[language][session.screen]
        if mistake is not None:
            session.page = 0
            sentence = self.last_words(session, network, mistake.text_key, mistake.variables)
            session.mistake = sentence + "\n"
        elif session.page == 0:
            session.mistake = ""
        if session.mistake and self._is_agreed_to_on_pages(session, network, laid, language):
            laid = in_full(laid)
        pages = self._pages(session, network, laid, language, session.mistake)
        session.pages = len(pages)
        session.page = min(session.page, session.pages - 1)
        if session.pages == 1:
            session.mistake = ""
        return shortened(pages[session.page], network.budget_septets)

    def sentence(
        self, language: str, key: str, variables: Mapping[str, Any], country: str | None = None
    ) -> str:
        """One text on its own. A key that no text has (a new refusal) is told as our fault."""
        voice = self._texts.voice(language, country)
        return (
            voice.render(key, **variables)
            if self._texts.has(key)
            else voice.render("session.sorry")
        )

    def last_words(
        self, session: Session, network: Network, key: str, variables: Mapping[str, Any]
    ) -> str:
        """A sentence that ends a session, in a language the network carries."""
        language = self._language(session.language, network)
        return self.sentence(language, key, variables, session.country)

    def default_of(self, country: str) -> str:
        """The language of somebody we only know the country of."""
        return self._texts.default_of(country)

    def _language(self, language: str, network: Network) -> str:
        """A script that the network cannot carry would arrive as question marks."""
        if language not in self._laid or (language in self._wide and network.encoding == "gsm7"):
            return FALLBACK
        return language

    def _is_agreed_to_on_pages(
        self, session: Session, network: Network, laid: Laid, language: str
    ) -> bool:
        if self._menu.screens[session.screen].kind != "confirm":
            return False
        return len(self._pages(session, network, laid, language, "")) > 1

    def _pages(
        self, session: Session, network: Network, laid: Laid, language: str, told: str
    ) -> list[str]:
        budget = network.budget_septets
        if laid.whole is not None and laid.whole_again is not None:
            template = laid.whole_again if told else laid.whole
            text = told + self._filled(template, session, language)
            if fits(text, budget):
                return [text]
        template = laid.again if told else laid.body
        body = told + self._filled(template, session, language)
        screen = self._menu.screens[session.screen]
        lines = [line.text for line in laid.lines if line.when is None or FACTS[line.when](session)]
        if screen.lists is not None and screen.lists == session.listed:
            labels = [item.label for item in session.items]
            lines += numbered(labels, len(laid.lines))
        if screen.kind not in PAGED:
            # The check at start-up proved that it fits; an amount beyond its width may still not.
            footer = laid.footer.line(first=True, last=True)
            return ["\n".join([body, *lines, *([footer] if footer else [])])]
        return pages_of(laid, body, lines, lambda text: fits(text, budget))

    def _filled(self, sentence: Sentence, session: Session, language: str) -> str:
        if not sentence.names:
            return sentence.source
        subject = self._subjects[session.screen]
        values = [subject[name](session) for name in sentence.names]
        if None in values:
            return self._filled(self._without(sentence, values.index(None)), session, language)
        write = self._texts.voice(language, session.country).write
        return sentence.fill_in_order(
            [write(name, value) for name, value in zip(sentence.names, values, strict=True)]
        )

    def _without(self, sentence: Sentence, missing: int) -> Sentence:
        """The text without the lines of a value that there is nothing to tell of."""
        name = sentence.names[missing]
        known = self._shorter.get((sentence, name))
        if known is None:
            known = self._shorter[sentence, name] = sentence.without(name)
        return known
