"""A screen as text: sentence, numbered choices, footer, filled with the session's values."""

from collections.abc import Mapping
from typing import Any

from engine.errors import CustomerMistake
from engine.septets import cut, fits
from engine.session.menu import Menu, Screen
from engine.session.session import Session
from engine.session.variables import SUBJECTS
from engine.texts import FALLBACK, Template, Texts


def layout(texts: Texts, language: str, screen: Screen, key: str) -> str:
    """Everything a screen shows, placeholders still in place. `key` is the text on top."""
    lines = [texts.template(language, key).source]
    lines += [
        f"{choice.key}. {texts.template(language, choice.label).source}"
        for choice in screen.choices.values()
    ]
    if screen.has_home:
        lines.append(texts.template(language, "footer.back_home").source)
    elif screen.has_back:
        lines.append(texts.template(language, "footer.back").source)
    return "\n".join(lines)


class Renderer:
    """All screens in all languages, laid out once. Rendering parses nothing."""

    def __init__(self, menu: Menu, texts: Texts) -> None:
        self._texts = texts
        self._screens: Mapping[str, Mapping[str, tuple[Template, Template]]] = {
            language: {
                name: (
                    Template(layout(texts, language, screen, screen.text)),
                    Template(layout(texts, language, screen, screen.again)),
                )
                for name, screen in menu.screens.items()
            }
            for language in texts.languages
        }
        self._subjects = {name: SUBJECTS[screen.about] for name, screen in menu.screens.items()}

    def screen(self, session: Session, budget: int, mistake: CustomerMistake | None = None) -> str:
        """The screen the session stands on, with the sentence of a mistake above it."""
        screens = self._screens.get(session.language) or self._screens[FALLBACK]
        plain, again = screens[session.screen]
        if mistake is None:
            return _within(self._filled(plain, session), budget)
        sentence = self.sentence(session.language, mistake.text_key, mistake.variables)
        return _within(f"{sentence}\n{self._filled(again, session)}", budget)

    def sentence(self, language: str, key: str, variables: Mapping[str, Any]) -> str:
        """One text on its own. A key that no text has (a new refusal) is told as our fault."""
        if not self._texts.has(key):
            return self._texts.render(language, "session.sorry")
        return self._texts.render(language, key, **variables)

    def _filled(self, template: Template, session: Session) -> str:
        if not template.names:
            return template.source
        subject, texts, language = self._subjects[session.screen], self._texts, session.language
        return template.fill(
            {name: texts.write(language, name, subject[name](session)) for name in template.names}
        )


def _within(text: str, budget: int) -> str:
    """The check at start-up proved that screens fit; an amount beyond its width may still not."""
    return text if fits(text, budget) else cut(text, budget)
