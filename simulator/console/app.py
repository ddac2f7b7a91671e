"""The console in the terminal: the sandboxes on the left, one of them on the right.

It draws what the hands have found and passes keys on; it knows no operator and no wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Literal, TypeVar

import httpx
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Input, Static

from simulator import amounts
from simulator.console.hands import (
    ALWAYS,
    Desk,
    Hands,
    Refused,
    Wallet,
    read_setting,
    write_setting,
)

LOOK_SECONDS = 1.0
T = TypeVar("T")
Page = Literal["prompts", "wallets", "faults", "settings"]
PAGES: Mapping[Page, tuple[str, ...]] = {
    "prompts": ("number", "the phone shows"),
    "wallets": ("number", "name", "balance", "takes part"),
    "faults": ("on", "fault", "strikes"),
    "settings": ("setting", "value"),
}
HELP: Mapping[Page, str] = {
    "prompts": "a approve  d decline",
    "wallets": "e balance  b block or let in",
    "faults": "Enter on or off  1 once  x all off",
    "settings": "e another value",
}


class Console(App[None]):
    """Every sandbox: who waits for a PIN, what wallets hold, what goes wrong on purpose."""

    TITLE = "Operators"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: #0d0f12; color: #e8e8e8; }
    #table { height: 1fr; }
    #sandboxes { width: 30; height: 100%; border: round #8a8f98; }
    #right { width: 1fr; height: 100%; border: round #8a8f98; }
    #money { height: 1; }
    #page { height: 1fr; }
    DataTable { background: #0d0f12; }
    #says { height: 1; }
    #help { height: 1; background: #30353d; }
    #value { display: none; }
    #value.-asked { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "open('prompts')"),
        Binding("w", "open('wallets')"),
        Binding("f", "open('faults')"),
        Binding("s", "open('settings')"),
        Binding("tab,shift+tab", "switch", priority=True),
        Binding("a", "approve"),
        Binding("d", "decline"),
        Binding("b", "block"),
        Binding("e", "edit"),
        Binding("1", "once"),
        Binding("x", "all_off"),
        Binding("escape", "put_down", priority=True),
        Binding("ctrl+c,ctrl+q", "quit", priority=True),
    ]

    def __init__(self, client: httpx.AsyncClient, sandboxes: Mapping[str, str]) -> None:
        """`sandboxes`: name -> address. `client` stays the caller's."""
        super().__init__()
        self._hands = Hands(client, sandboxes)
        self._desks: dict[str, Desk] = {name: Desk(name) for name in sandboxes}
        self._page: Page = "prompts"
        self._shown: tuple[str, Page] | None = None
        self._take: Callable[[str], None] | None = None  # what is done with a typed value
        self._listing: DataTable[str] = DataTable(id="sandboxes", cursor_type="row")
        self._table: DataTable[str] = DataTable(id="page", cursor_type="row")
        self._right = Vertical(id="right")
        self._money = Static(id="money", markup=False)
        self._says = Static(id="says", markup=False)
        self._help = Static(id="help", markup=False)
        self._value = Input(id="value")

    def compose(self) -> ComposeResult:
        with Horizontal(id="table"):
            yield self._listing
            with self._right:
                yield self._money
                yield self._table
        yield self._says
        yield self._value
        yield self._help

    def on_mount(self) -> None:
        listing = self._listing
        listing.border_title = "Sandboxes"
        self._right.border_subtitle = "p prompts w wallets f faults s settings"
        listing.add_columns("name", "ask", "faults")
        for name in self._hands.names:
            listing.add_row(name, "", "", key=name)
        listing.focus()
        self.run_worker(self._look_on(), exit_on_error=True)
        self.set_interval(LOOK_SECONDS, self._look_soon)

    @property
    def desk(self) -> Desk:
        """The sandbox that is looked at."""
        return self._desks[self._hands.names[max(self._listing.cursor_row, 0)]]

    # Looking.

    def _look_soon(self) -> None:
        self.run_worker(self._look_on(), exclusive=True, group="look", exit_on_error=True)

    async def _look_on(self) -> None:
        for desk in await asyncio.gather(*map(self._hands.look, self._hands.names)):
            self._desks[desk.name] = desk
        self.draw()

    def draw(self) -> None:
        """Bring the terminal up to what was seen last."""
        for row, name in enumerate(self._hands.names):
            desk = self._desks[name]
            asking = "away" if desk.trouble else str(len(desk.prompts) or "")
            self._listing.update_cell_at((row, 1), asking)  # type: ignore[arg-type]
            armed = len({(fault.on, fault.fault) for fault in desk.faults})
            self._listing.update_cell_at((row, 2), str(armed or ""))  # type: ignore[arg-type]
        self._draw_page()

    def _draw_page(self) -> None:
        desk, table = self.desk, self._table
        rows = desk_rows(desk, self._page)
        changed = self._shown != (desk.name, self._page)
        cursor = 0 if changed else table.cursor_row
        if changed:
            table.clear(columns=True)
            table.add_columns(*PAGES[self._page])
            self._shown = (desk.name, self._page)
        else:
            table.clear()
        for row in rows:
            table.add_row(*row)
        table.move_cursor(row=min(max(cursor, 0), max(len(rows) - 1, 0)))
        self._right.border_title = f"{desk.name}: {self._page}"
        self._money.update(_money(desk))
        self._help.update(f" {HELP[self._page]} | Tab other side | Ctrl-Q quit")

    # Keys.

    def action_open(self, page: Page) -> None:
        self._page = page
        self._draw_page()
        self._table.focus()

    def action_switch(self) -> None:
        other = self._table if self._listing.has_focus else self._listing
        other.focus()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.data_table is self._listing and self._shown is not None:
            self._draw_page()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table is self._listing:
            self._table.focus()
        elif self._page == "faults":
            self._switch_fault()

    def action_approve(self) -> None:
        if prompt := self._chosen("prompts", self.desk.prompts):
            self._do(self._hands.approve(self.desk, prompt), "approved")

    def action_decline(self) -> None:
        if prompt := self._chosen("prompts", self.desk.prompts):
            self._do(self._hands.decline(self.desk, prompt), "declined")

    def action_block(self) -> None:
        if wallet := self._chosen("wallets", self.desk.wallets):
            self._do(
                self._hands.set_active(self.desk, wallet, active=not wallet.active),
                "blocked" if wallet.active else "let in",
            )

    def action_once(self) -> None:
        if chosen := self._chosen("faults", self.desk.catalogue):
            on, fault = chosen
            self._do(self._hands.arm(self.desk, on, fault, times=1), f"{fault} once more")

    def action_all_off(self) -> None:
        if self._page == "faults":
            self._do(self._hands.disarm_all(self.desk), "all faults are off")

    def _switch_fault(self) -> None:
        if chosen := self._chosen("faults", self.desk.catalogue):
            on, fault = chosen
            if self.desk.armed(on, fault):
                self._do(self._hands.disarm(self.desk, on, fault), f"{fault} is off")
            else:
                work = self._hands.arm(self.desk, on, fault, times=ALWAYS)
                self._do(work, f"{fault} is on")

    # Values.

    def action_edit(self) -> None:
        """Ask for a balance or a setting; Enter takes it, Esc puts it away."""
        desk = self.desk
        if wallet := self._chosen("wallets", desk.wallets):
            shown = amounts.show(wallet.balance_minor, desk.currency).partition(" ")[2]
            self._ask(shown, partial(self._take_balance, desk, wallet))
        elif name := self._chosen("settings", list(desk.settings)):
            self._ask(write_setting(desk.settings[name]), partial(self._take_setting, desk, name))

    def action_put_down(self) -> None:
        self._value.remove_class("-asked")
        self._take = None
        self._table.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        take = self._take
        self.action_put_down()
        if take is None:
            return
        try:
            take(event.value)
        except (ArithmeticError, ValueError) as error:
            self._say(f"! {event.value!r} is no value: {error}")

    def _ask(self, value: str, take: Callable[[str], None]) -> None:
        self._value.value = value
        self._value.add_class("-asked")
        self._value.focus()
        self._take = take

    def _take_balance(self, desk: Desk, wallet: Wallet, typed: str) -> None:
        minor = amounts.to_minor(typed, desk.currency)
        self._do(self._hands.set_balance(desk, wallet, minor), "the balance is set")

    def _take_setting(self, desk: Desk, name: str, typed: str) -> None:
        value = read_setting(typed, desk.settings[name])
        self._do(self._hands.change_setting(desk, name, value), f"{name} is set")

    # Hands.

    def _chosen(self, page: Page, things: Sequence[T]) -> T | None:
        """What the cursor is on, if that page is open and has such a row."""
        row = self._table.cursor_row
        if self._page != page or not 0 <= row < len(things):
            return None
        return things[row]

    def _do(self, work: Awaitable[None], done: str) -> None:
        async def carry_out() -> None:
            try:
                await work
            except (Refused, httpx.HTTPError) as error:
                self._say(f"! {error}")
            else:
                self._say(done)
            await self._look_on()

        self.run_worker(carry_out(), exit_on_error=True)

    def _say(self, line: str) -> None:
        self._says.update(f" {line}")


def desk_rows(desk: Desk, page: Page) -> Sequence[tuple[str, ...]]:
    """What a page shows of a sandbox, a row each."""
    match page:
        case "prompts":
            return [(f"+{prompt.msisdn}", prompt.text) for prompt in desk.prompts]
        case "wallets":
            return [
                (
                    f"+{wallet.msisdn}", wallet.name,
                    amounts.show(wallet.balance_minor, desk.currency),
                    "yes" if wallet.active else "blocked",
                )
                for wallet in desk.wallets
            ]  # fmt: skip
        case "faults":
            return [(on, fault, _strikes(desk.armed(on, fault))) for on, fault in desk.catalogue]
        case "settings":
            return [(name, write_setting(value)) for name, value in desk.settings.items()]


def _strikes(left: int) -> str:
    if not left:
        return ""
    return "on" if left >= ALWAYS // 2 else str(left)


def _money(desk: Desk) -> str:
    if desk.trouble:
        return f"! it does not answer: {desk.trouble}"
    ours = [f"{name} {amounts.show(m, desk.currency)}" for name, m in desk.accounts.items()]
    return "ours: " + ", ".join(ours) if ours else ""
