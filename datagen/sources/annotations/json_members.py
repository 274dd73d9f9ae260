"""A large JSON file, such as the 1.1 GB of LVIS, read one element of its arrays at a time, in bounded memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

_PIECE_BYTES = 4 << 20
_BLANKS = " \t\r\n"
_LOOK_AHEAD = 3
"""Characters to see behind a value: cut off inside ".5" or "e-7", a number looks whole to the decoder."""


class ArrayElement(NamedTuple):
    """One element of an array of the top-level object: the array's name, the element, and where its bytes lie."""

    array: str
    value: Any
    offset: int
    size: int


def scan_arrays(path: Path, names: tuple[str, ...]) -> Iterator[ArrayElement]:
    """Yield the elements of the arrays `names` of the top-level object, in the order of the file.

    Raises ValueError that names the file, and the byte where it is no JSON object; OSError when it cannot be read.
    """
    with path.open("rb") as file:
        text = _Text(file)
        try:
            yield from _scan(text, names)
        except (_NotExpected, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is broken at byte {text.offset()}: {error}") from error


def read_element(file: IO[bytes], offset: int, size: int) -> Any:
    """Return the element that `scan_arrays` found at these bytes of the open file; ValueError when it is another."""
    file.seek(offset)
    return json.loads(file.read(size))


class _NotExpected(ValueError):
    """The text goes on with another character than JSON, or this reader, allows."""


class _Text:
    """A window of the file as text of one character a byte, so that positions are byte offsets."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._text, self._position, self._start = file, "", 0, 0
        self._decoder = json.JSONDecoder()

    def offset(self) -> int:
        """Return the byte that comes next."""
        return self._start + self._position

    def peek(self) -> str:
        """Return the next character that is no blank, "" at the end."""
        while True:
            while self._position < len(self._text):
                if self._text[self._position] not in _BLANKS:
                    return self._text[self._position]
                self._position += 1
            if not self._read_on():
                return ""

    def take(self, allowed: str) -> str:
        """Return the next character and step over it; it must be one of `allowed`."""
        character = self.peek()
        if not character or character not in allowed:
            raise _NotExpected(f"expected {' or '.join(allowed)}, found {character or 'the end of the file'}")
        self._position += 1
        return character

    def value(self) -> tuple[Any, int, int]:
        """Return the next value with its offset and size in bytes."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if self._read_on():
                    continue
                raise _NotExpected(error.msg) from error
            if len(self._text) - end < _LOOK_AHEAD and self._read_on():
                continue
            offset, element = self.offset(), self._text[self._position : end]
            if not element.isascii():
                value = json.loads(element.encode("latin-1").decode("utf-8"))
            self._position = end
            return value, offset, len(element)

    def _read_on(self) -> bool:
        piece = self._file.read(max(_PIECE_BYTES, len(self._text) - self._position))
        if piece:
            self._start += self._position
            self._text, self._position = self._text[self._position :] + piece.decode("latin-1"), 0
        return bool(piece)


def _scan(text: _Text, names: tuple[str, ...]) -> Iterator[ArrayElement]:
    text.take("{")
    while text.peek() != "}":
        name, _, _ = text.value()
        text.take(":")
        if text.peek() != "[":
            text.value()
        else:
            for value, offset, size in _elements(text):
                if name in names:
                    yield ArrayElement(name, value, offset, size)
        if text.peek() != "}":
            text.take(",")
    text.take("}")


def _elements(text: _Text) -> Iterator[tuple[Any, int, int]]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return
