"""`python -m simulator record`: a phone in line mode, and a transcript of what was done with it.

It reads keys and steps, shows what comes, and leaves the writing to `recording`.
"""

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path

import httpx
import msgspec

from simulator import mishaps, places, transcript
from simulator.operators.world import World
from simulator.places import NowhereToGo, Places
from simulator.play import AS_WRITTEN, UNUSABLE, open_client, play_files
from simulator.recording import TITLE, Known, Recording
from simulator.steps import VERBS
from simulator.steps.person import Person, fill
from simulator.steps.stage import PATIENCE_SECONDS, Stage
from simulator.steps.step import NotSo, Step
from simulator.transcript import Unreadable
from simulator.ussd import PHONE_FAULT

PEOPLE: Mapping[str, str] = {"payer": "+25471???????", "payee": "+25677???????"}
FINAL = ("paid", "refunded", "collect_failed", "expired", "cancelled")
POLL_SECONDS = 0.2
STOPPED = 130
"""The exit code of what was stopped before it was done, as shells have it."""
LAST_WORDS_SECONDS = 2.0
"""So long may it take to learn what must not stand in the file of what was broken off, and to hang
up."""

OF_SOMEBODY = (
    "dial", "type", "repeat", "hang up", "ended", "text", "network", "settled", "payment",
    "payments", "open",
)  # fmt: skip
"""What is done on a phone: the file says on whose."""

HOW_TO = """\
Type what you would dial (*384*96#) and then keys, a line each. {pin} is a PIN made for you.
Any step of the transcripts may stand there too: `payee: dial *384*96#`, `prompt payer`, `approve`,
`sms payer`, `hang up`. End with Ctrl-D."""

Say = Callable[[str], None]


class Recorder:
    """The session itself. Whoever drives it gives it lines, and `close` gives the file's text."""

    def __init__(self, stage: Stage, recording: Recording, *, say: Say) -> None:
        self._stage = stage
        self._recording = recording
        self._say = say

    async def meet(self, people: Mapping[str, str]) -> None:
        """The phones there are, by name; every `?` becomes a digit."""
        for name, pattern in people.items():
            msisdn = fill(pattern, self._stage.world.random, self._stage.taken)
            await self._stage.add_person(name, self._stage.new_line(msisdn))

    async def take(self, line: str) -> None:
        """Carry out one line and keep it. What cannot be carried out is told and not kept."""
        step = _read(line.strip())
        if step is None:
            return
        try:
            person = await self._stage.person(step)
            # A phone's own words for a bad answer are something to record.
            lenient = replace(step, expected=(PHONE_FAULT,))
            text = await VERBS[step.verb].perform(self._stage, lenient)
        except NotSo as error:
            self._say(f"  not kept: {error}")
            return
        came = None if text is None else text.split("\n")
        self._keep(step, person, came)
        if VERBS[step.verb].shows_text and _is_over(step, person):
            ended = replace(step, verb="ended", source="ended", arguments={})
            self._keep(ended, person, None)

    async def close(self, patience_seconds: float = PATIENCE_SECONDS) -> str:
        """What came of it, kept as well: messages, the payment's end, the books. Then the file."""
        codes: list[str] = []
        with suppress(httpx.HTTPError, msgspec.DecodeError):  # no door: nothing to claim there
            codes = await self._keep_the_end(patience_seconds)
        return self._write(codes, frozenset(await self._stage.admin.holders()))

    async def break_off(self) -> str:
        """The file's text as it is now: nothing is waited for, and nothing more is kept."""
        codes: list[str] = []
        holders: frozenset[str] = frozenset()
        with suppress(httpx.HTTPError, msgspec.DecodeError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                holders = frozenset(await self._stage.admin.holders())
                for person in self._stage.people.values():
                    codes += [p.code for p in await self._stage.inspector.payments(person.msisdn)]
        return self._write(codes, holders)

    def _write(self, codes: Sequence[str], holders: frozenset[str]) -> str:
        people = {name: person.msisdn for name, person in self._stage.people.items()}
        pins = {name: person.pins for name, person in self._stage.people.items()}
        return self._recording.write(Known(people, pins, codes, holders))

    async def _keep_the_end(self, patience_seconds: float) -> list[str]:
        codes: list[str] = []
        for name, person in self._stage.people.items():
            payments = await self._stage.inspector.payments(person.msisdn)
            codes += [payment.code for payment in reversed(payments)]
            if payments and name == next(iter(self._stage.people)):
                await self._keep_state(person, patience_seconds)
        for name, person in self._stage.people.items():
            while await self._stage.admin.messages(
                person.msisdn, after=self._stage.heard[person.msisdn]
            ):
                await self.take(f"sms {name}")
        await self.take("ledger balanced")
        return codes

    async def _keep_state(self, person: Person, patience_seconds: float) -> None:
        """Only an end is worth a claim: every other state is passed through in each play."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                while True:
                    latest = (await self._stage.inspector.payments(person.msisdn, limit=1))[0]
                    if latest.state.lower() in FINAL:
                        break
                    await asyncio.sleep(POLL_SECONDS)
            await self.take(f"{person.name}: payment {latest.state.lower()}")
            await asyncio.sleep(self._stage.quiet_seconds)  # receipts follow the state

    def _keep(self, step: Step, person: Person, came: Sequence[str] | None) -> None:
        source = step.source.removeprefix(f"{step.person}: ")
        if step.verb in OF_SOMEBODY:
            source = f"{person.name}: {source}"
        self._recording.add(replace(step, source=source), person.name, came)
        for line in came or ():
            self._say(f"  | {line}".rstrip())


def run_record(arguments: list[str]) -> int:
    """0: recorded (with --prove: and played as written); 1: not as written; 2: unusable.

    130: broken off; what was taken until then is written.
    """
    parser = argparse.ArgumentParser(prog="python -m simulator record", epilog=HOW_TO)
    parser.add_argument("file", type=Path, metavar="FILE", help="the transcript to write")
    parser.add_argument("--title", default=TITLE, help="the file's first line")
    parser.add_argument(
        "--secret", action="append", default=[], metavar="TEXT",
        help="typed text that must not be written; known PINs and doubtful digits never are",
    )  # fmt: skip
    parser.add_argument(
        "--phone", action="append", default=[], metavar="NAME=+25471???????",
        help="somebody's number, every ? a new digit (default: a payer and a payee)",
    )  # fmt: skip
    parser.add_argument("--prove", action="store_true", help="play the file at once")
    mishaps.add_options(parser)
    places.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        where = places.from_options(options)
        weather = mishaps.from_options(options)
        people = dict(pair.split("=", 1) for pair in options.phone) or PEOPLE
        recording = Recording(options.title, options.secret)
        asyncio.run(_record(options.file, where, recording, people, weather))
        if options.prove:
            return asyncio.run(play_files([options.file], where, quiet=True))
    except (NowhereToGo, NotSo, Unreadable, ValueError, OSError, httpx.HTTPError) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    except KeyboardInterrupt:
        return STOPPED
    return AS_WRITTEN


async def _record(
    file: Path,
    where: Places,
    recording: Recording,
    people: Mapping[str, str],
    weather: mishaps.Weather,
) -> None:
    with _ready(file):
        async with open_client() as client:
            stage = Stage(client, where, World(), play=file.stem, weather=weather)
            recorder = Recorder(stage, recording, say=_say)
            patience: float | None = None
            try:
                await recorder.meet(people)
                _say(HOW_TO)
                async for line in _typed_lines():
                    await recorder.take(line)
                _save(file, await recorder.close())
            except asyncio.CancelledError:  # Ctrl-C
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over in LAST_WORDS_SECONDS
                patience = LAST_WORDS_SECONDS
                _save(file, await recorder.break_off())
                raise
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await stage.leave()


@contextmanager
def _ready(file: Path) -> Iterator[None]:
    """That it can be written is known before the session begins. An empty new one does not stay."""
    is_new = not file.exists()
    with file.open("a"):
        pass
    try:
        yield
    finally:
        if is_new and file.is_file() and not file.stat().st_size:
            file.unlink()


def _save(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError:
        _say(text)  # rather here than nowhere
        raise
    _say(f"{file} is written; read it before you share it")


def _read(line: str) -> Step | None:
    """A step of the format; else something dialled or typed. None when nothing stands there."""
    if not line or line.startswith("#"):
        return None
    try:
        return transcript.parse_step(line, 0, where="here")
    except Unreadable:
        person, _, rest = line.rpartition(": ")
        verb, name = ("dial", "code") if _is_code(rest) else ("type", "text")
        return Step(0, f"{verb} {rest}", verb, {name: rest}, person or None)


def _is_code(text: str) -> bool:
    return text.startswith("*") and text.endswith("#") and " " not in text


def _is_over(step: Step, person: Person) -> bool:
    is_dialogue = step.verb in ("dial", "type", "repeat")
    return is_dialogue and person.session is not None and not person.session.is_open


async def _typed_lines() -> AsyncIterator[str]:
    """Read by a thread that nobody waits for: Ctrl-C must not wait for another line."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        # Unbuffered: a thread that held the lock of a buffer would break the interpreter's end.
        with FileIO(sys.stdin.fileno(), closefd=False) as keys, suppress(RuntimeError):
            while typed := keys.readline():
                loop.call_soon_threadsafe(lines.put_nowait, typed.decode(errors="replace"))
            loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        yield line


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
