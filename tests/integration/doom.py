"""A process that dies before any step that waits for somebody."""

from typing import Any


class Died(BaseException):
    """The process is no more: nothing of it catches that."""


class Doom:
    """Counts every step that waits for somebody; the `at`-th and later ones are not taken."""

    def __init__(self, at: int) -> None:
        self._left = at

    @property
    def has_come(self) -> bool:
        return self._left <= 0

    def step(self) -> None:
        self._left -= 1
        if self.has_come:
            raise Died


class Doomed:
    """Somebody we wait for, until the doom comes. What is no coroutine is passed through."""

    def __init__(self, inner: Any, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in ("terms_hash", "account_for", "dispute_id", "submit"):
            return found
        if name == "acquire":
            return lambda: DoomedLoan(found(), self._doom)
        if name == "transaction":
            return found

        async def stepped(*arguments: Any, **options: Any) -> Any:
            self._doom.step()
            return await found(*arguments, **options)

        return stepped


class DoomedLoan:
    def __init__(self, loan: Any, doom: Doom) -> None:
        self._loan, self._doom = loan, doom

    async def __aenter__(self) -> Any:
        return Doomed(await self._loan.__aenter__(), self._doom)

    async def __aexit__(self, *exc: Any) -> None:
        await self._loan.__aexit__(*exc)
