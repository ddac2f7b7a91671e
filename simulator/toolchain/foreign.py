"""How bytes cross into the native libraries and back: the C structures both of them share."""

import ctypes
from pathlib import Path


class UnmanagedVector(ctypes.Structure):
    """Bytes that the library allocated; also its error slot, set when it failed."""

    _fields_ = (
        ("is_none", ctypes.c_bool),
        ("pointer", ctypes.POINTER(ctypes.c_uint8)),
        ("length", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
    )

    def content(self) -> bytes:
        """A copy of the bytes."""
        if self.is_none or not self.length:
            return b""
        return ctypes.string_at(self.pointer, self.length)


class ByteSliceView(ctypes.Structure):
    """Bytes of ours that the library may read during one call."""

    _fields_ = (
        ("is_nil", ctypes.c_bool),
        ("pointer", ctypes.c_char_p),
        ("length", ctypes.c_size_t),
    )


def view(content: bytes) -> ByteSliceView:
    """Lend `content`, which must live as long as the call."""
    return ByteSliceView(False, content, len(content))


def error_slot() -> UnmanagedVector:
    """An empty slot."""
    return UnmanagedVector(True, None, 0, 0)


def open_library(file: Path) -> ctypes.CDLL:
    """Load it into this process; `file` must have been checked, see `libraries.py`."""
    return ctypes.CDLL(str(file))
