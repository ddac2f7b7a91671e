"""`python -m simulator COMMAND`: the phone, transcripts, the sandboxes, the demo."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

# Imported only when asked for: the sandboxes need no terminal, the phone needs no web server.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "demo": ("simulator.demo", "run_demo", "everything at once: servers, sandboxes, phone"),
    "phone": ("simulator.phone.command", "run_phone", "two phones in the terminal"),
    "play": ("simulator.play", "run_play", "play transcripts: exit code 0 when all is as written"),
    "record": ("simulator.record", "run_record", "a phone in line mode, kept as a transcript"),
    "screens": ("simulator.phone.screens", "run_screens", "draw the pictures of the README"),
    "operators": (
        "simulator.sandbox_command",
        "run_sandboxes",
        "the operators' and gateway's sandboxes, at a terminal with their console",
    ),
    "console": ("simulator.console.command", "run_console", "the console over a running demo's"),
    "devnet": ("simulator.devnet.command", "run_devnet", "a chain beside us, for settlement"),
    "move": ("simulator.toolchain.command", "run_move", "compile and test the contracts"),
    "load": ("simulator.load.command", "run_load", "thousands of phones walking transcripts"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code is ours. 2 for a command nobody knows."""
    if arguments and arguments[0] in COMMANDS:
        module, function, _ = COMMANDS[arguments[0]]
        run: Callable[[list[str]], int] = getattr(import_module(module), function)
        return run(list(arguments[1:]))
    asked_for_help = bool(arguments) and arguments[0] in ("-h", "--help")
    out = sys.stdout if asked_for_help else sys.stderr
    out.write("usage: python -m simulator COMMAND [options]\n\n")
    for name, (_, _, purpose) in COMMANDS.items():
        out.write(f"  {name:<10} {purpose}\n")
    return 0 if asked_for_help else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
