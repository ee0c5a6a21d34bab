"""Reads along the frames of a WebSocket, far enough to tell data from the pings that keep it open (RFC 6455)."""

_CONTROL = 0x8
_LENGTH_OF_LENGTH = {126: 2, 127: 8}


class Frames:
    """One direction of a WebSocket."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        """Bytes of the current frame's payload that are still to come."""
        self._is_data = False

    def feed(self, piece: bytes) -> bool:
        """Whether there was data in these bytes."""
        saw_data, place = False, 0
        while place < len(piece):
            if self._left:
                step = min(self._left, len(piece) - place)
                self._left -= step
                place += step
                saw_data = saw_data or self._is_data
                continue
            missing = self._wanted() - len(self._head)
            self._head += piece[place : place + missing]
            place += min(missing, len(piece) - place)
            if len(self._head) >= 2 and len(self._head) == self._wanted():
                self._begin()
                saw_data = saw_data or self._is_data
        return saw_data

    def _wanted(self) -> int:
        """How long the head of the frame is, as far as can be told."""
        if len(self._head) < 2:
            return 2
        mask = 4 if self._head[1] & 0x80 else 0
        return 2 + _LENGTH_OF_LENGTH.get(self._head[1] & 0x7F, 0) + mask

    def _begin(self) -> None:
        size = self._head[1] & 0x7F
        if size in _LENGTH_OF_LENGTH:
            size = int.from_bytes(self._head[2 : 2 + _LENGTH_OF_LENGTH[size]], "big")
        self._is_data = not self._head[0] & _CONTROL
        self._left, self._head = size, b""
