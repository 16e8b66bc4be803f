"""One write to a namespace, and the bytes it has in the log."""

import struct
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import orjson

# Length and CRC-32 of what follows: the head's length, the head as JSON, and the vectors as little-endian float32.
FRAME = struct.Struct("<II")
HEAD = struct.Struct("<I")


@dataclass(frozen=True)
class Change:
    """Records to put (`ids`, `vectors` of shape ids x dimension in float32, `metadata`), ids to remove, or everything to clear first."""

    ids: list[str] = field(default_factory=list)
    vectors: np.ndarray | None = None
    metadata: list[dict] = field(default_factory=list)
    clear: bool = False

    def first(self, count: int) -> "Change":
        """Return the change that puts only the first records of this one."""
        return Change(self.ids[:count], None if self.vectors is None else self.vectors[:count], self.metadata[:count])

    def encode(self, lsn: int) -> bytes:
        """Return the entry of the log that carries this change under its log sequence number."""
        head = orjson.dumps([lsn, self.clear, self.ids, self.metadata])
        vectors = b"" if self.vectors is None else np.ascontiguousarray(self.vectors, dtype="<f4").tobytes()
        payload = b"".join([HEAD.pack(len(head)), head, vectors])
        return FRAME.pack(len(payload), crc32(payload)) + payload


def decode(payload: bytes, dimension: int) -> tuple[int, Change]:
    """Return the log sequence number and the change of an entry's payload."""
    (length,) = HEAD.unpack_from(payload)
    lsn, clear, ids, metadata = orjson.loads(payload[HEAD.size : HEAD.size + length])
    values = np.frombuffer(payload, dtype="<f4", offset=HEAD.size + length)
    return lsn, Change(ids, values.reshape(-1, dimension) if values.size else None, metadata, clear)
