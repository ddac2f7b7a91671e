"""The compiler's own process: it prints where it likes and may exit, so it never runs in ours.

`python -m simulator.toolchain.native LIBRARY FUNCTION ANSWER`, arguments in hex on standard input,
one a line. `ANSWER` gets one byte, 1 for done or 0 for refused, and the library's bytes or message.
"""

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path

from simulator.toolchain.foreign import (
    ByteSliceView,
    UnmanagedVector,
    error_slot,
    open_library,
    view,
)


def main(arguments: Sequence[str]) -> int:
    """0 when the library answered at all, whatever it answered."""
    library, name, answer = arguments
    payloads = [bytes.fromhex(line) for line in sys.stdin.read().splitlines()]
    done, content = _call(Path(library), name, payloads)
    Path(answer).write_bytes(bytes([done]) + content)
    return 0


def _call(library: Path, name: str, payloads: Sequence[bytes]) -> tuple[bool, bytes]:
    function = getattr(open_library(library), name)
    function.restype = UnmanagedVector
    function.argtypes = [ctypes.POINTER(UnmanagedVector), *[ByteSliceView] * len(payloads)]
    error = error_slot()
    returned = function(ctypes.byref(error), *[view(payload) for payload in payloads])
    if not error.is_none:
        return False, error.content()
    return True, returned.content()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
