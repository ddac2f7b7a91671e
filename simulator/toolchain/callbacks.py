"""What the virtual machine calls back: a state to read and write, a world it never needs."""

import ctypes
from collections.abc import Callable
from typing import Any

from simulator.toolchain.foreign import ByteSliceView, UnmanagedVector
from simulator.toolchain.state import State

DONE, REFUSED = 0, 5


class Lent(ctypes.Structure):
    """Bytes of the library that we may read during one call."""

    _fields_ = (
        ("is_none", ctypes.c_bool),
        ("pointer", ctypes.POINTER(ctypes.c_uint8)),
        ("length", ctypes.c_size_t),
    )

    def content(self) -> bytes:
        """A copy of the bytes."""
        return b"" if self.is_none else ctypes.string_at(self.pointer, self.length)


_OUT = ctypes.POINTER(UnmanagedVector)
_U64_OUT = ctypes.POINTER(ctypes.c_uint64)
_BOOL_OUT = ctypes.POINTER(ctypes.c_bool)
_READ = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, Lent, _OUT, _OUT)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, Lent, Lent, _OUT)
_REMOVE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, Lent, _OUT)
_SCAN = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, Lent, Lent, Lent, ctypes.c_int32, ctypes.c_void_p, _OUT
)
_QUERY = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, Lent, ctypes.c_uint64, _OUT, _U64_OUT, _OUT
)
_ACCOUNT = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    Lent,
    _BOOL_OUT,
    _U64_OUT,
    _U64_OUT,
    ctypes.POINTER(ctypes.c_uint8),
    _BOOL_OUT,
    _OUT,
)
# Staking and prices of another chain: never reached by our code, so their arguments are not named.
_OTHER = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


class Store(ctypes.Structure):
    """The state, as the library wants it."""

    _fields_ = (
        ("state", ctypes.c_void_p),
        ("read", _READ),
        ("write", _WRITE),
        ("remove", _REMOVE),
        ("scan", _SCAN),
    )


class Outside(ctypes.Structure):
    """The rest of a chain, as the library wants it."""

    _fields_ = (
        ("state", ctypes.c_void_p),
        ("query", _QUERY),
        ("account", _ACCOUNT),
        ("amount_to_share", _OTHER),
        ("share_to_amount", _OTHER),
        ("unbond_timestamp", _OTHER),
        ("price", _OTHER),
    )


class Bridge:
    """Lends one state at a time to the library, and keeps what went wrong while it was lent.

    Nothing may be raised through the library's own frames, so `trouble` is for the caller to raise.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.state: State = {}
        self.trouble: Exception | None = None
        self.store = Store(
            None, _READ(self._read), _WRITE(self._write), _REMOVE(self._remove), _SCAN(_refuse)
        )
        other = _OTHER(_refuse)
        self.outside = Outside(
            None, _QUERY(_refuse), _ACCOUNT(_answer_account), other, other, other, other
        )

    def _read(self, _: Any, key: Lent, out: Any, __: Any) -> int:
        def look_up() -> None:
            found = self.state.get(key.content())
            content = b"" if found is None else found
            out[0] = self._library.new_unmanaged_vector(found is None, content, len(content))

        return self._guarded(look_up)

    def _write(self, _: Any, key: Lent, value: Lent, __: Any) -> int:
        return self._guarded(lambda: self.state.__setitem__(key.content(), value.content()))

    def _remove(self, _: Any, key: Lent, __: Any) -> int:
        return self._guarded(lambda: self.state.pop(key.content(), None))

    def _guarded(self, act: Callable[[], object]) -> int:
        try:
            act()
        except Exception as trouble:  # noqa: BLE001 - raised again when the library has returned
            self.trouble = trouble
            return REFUSED
        return DONE


def declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Tell ctypes what the library's functions take and give."""
    slices = [ByteSliceView]
    gas = ctypes.POINTER(ctypes.c_uint64)
    run = [ctypes.c_void_p, gas, Store, Outside]
    shapes: dict[str, tuple[Any, list[Any]]] = {
        "new_unmanaged_vector": (
            UnmanagedVector,
            [ctypes.c_bool, ctypes.c_char_p, ctypes.c_size_t],
        ),
        "destroy_unmanaged_vector": (None, [UnmanagedVector]),
        "allocate_vm": (ctypes.c_void_p, slices),
        "release_vm": (None, [ctypes.c_void_p]),
        "execute_contract": (UnmanagedVector, [*run, *slices * 3, _OUT]),
        "execute_view_function": (UnmanagedVector, [*run, *slices * 2, _OUT]),
        "decode_move_resource": (UnmanagedVector, [Store, _OUT, *slices * 2]),
        "decode_move_value": (UnmanagedVector, [Store, _OUT, *slices * 2]),
        "decode_module_bytes": (UnmanagedVector, [_OUT, *slices]),
        "parse_struct_tag": (UnmanagedVector, [_OUT, *slices]),
        "stringify_struct_tag": (UnmanagedVector, [_OUT, *slices]),
    }
    for name, (returned, taken) in shapes.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returned, taken
    return library


def _refuse(*_: Any) -> int:
    return REFUSED


def _answer_account(*given: Any) -> int:
    """Every address is an account, so that objects may sign."""
    found, number, sequence, kind, is_blocked = given[2:7]
    found[0], number[0], sequence[0], kind[0], is_blocked[0] = True, 1, 0, 0, False
    return DONE
