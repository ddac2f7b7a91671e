"""The few BCS layouts the native libraries speak in; what the bytes mean is known elsewhere."""

from collections.abc import Iterable

ADDRESS_BYTES = 32


def uleb128(number: int) -> bytes:
    """A length or a variant: seven bits a byte, lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def blob(content: bytes) -> bytes:
    """Bytes behind their length."""
    return uleb128(len(content)) + content


def text(content: str) -> bytes:
    """UTF-8 behind its length in bytes."""
    return blob(content.encode())


def optional_text(content: str | None) -> bytes:
    """`Option<String>`."""
    return b"\0" if content is None else b"\1" + text(content)


def boolean(claim: bool) -> bytes:
    """One byte."""
    return b"\1" if claim else b"\0"


def u64(number: int) -> bytes:
    """Eight bytes, lowest first; `OverflowError` when it does not fit."""
    return number.to_bytes(8, "little")


def vector(items: Iterable[bytes]) -> bytes:
    """Encoded items behind their number."""
    whole = list(items)
    return uleb128(len(whole)) + b"".join(whole)


def address(written: str) -> bytes:
    """An address written in hex, short or long, as its 32 bytes; `ValueError` when it is none."""
    digits = written.removeprefix("0x")
    if not digits or len(digits) > 2 * ADDRESS_BYTES:
        raise ValueError(f"not an address: {written!r}")
    return bytes.fromhex(digits.zfill(2 * ADDRESS_BYTES))


class Reader:
    """What the virtual machine answered, read from front to end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes; `ValueError` where they end too early."""
        piece = self._content[self._at : self._at + count]
        if len(piece) != count:
            raise ValueError("the answer ends too early")
        self._at += count
        return piece

    def uleb128(self) -> int:
        """The next length."""
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def text(self) -> str:
        """The next string."""
        return self.take(self.uleb128()).decode()
