"""What the lakehouse should hold after any history, said as simply as possible: plain lists, searched through again for each question."""

from dataclasses import dataclass, field
from itertools import count

Chunk = tuple[str, str]


@dataclass
class Version:
    """A document's chunks as a batch left them, or None where it was found deleted."""

    doc_id: str
    number: int
    batch: str
    made_by: str
    texts: list[str] | None


@dataclass
class Vector:
    """A chunk's row: the batch that wrote it and the one that made the vector."""

    chunk: Chunk
    batch: str
    made_by: str


@dataclass
class SimpleModel:
    """All versions and vectors ever written, and which batch undoes which."""

    versions: list[Version] = field(default_factory=list)
    vectors: list[Vector] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    undone: dict[str, list[str]] = field(default_factory=dict)
    number: count = field(default_factory=lambda: count(1))

    def rejected(self) -> set[str]:
        """The batches that roll-backs in force undo; the newest roll-back is always in force."""
        rejected: set[str] = set()
        for batch in reversed(self.batches):
            if batch not in rejected:
                rejected.update(self.undone.get(batch, []))
        return rejected

    def latest(self) -> dict[str, Version]:
        """The newest version of every document, deleted ones among them."""
        return {version.doc_id: version for version in sorted(self.versions, key=lambda version: version.number)}

    def current(self) -> dict[str, list[str]]:
        """The chunks of every current document."""
        return {doc: version.texts for doc, version in self.latest().items() if version.texts is not None}

    def row(self, chunk: Chunk) -> Vector | None:
        """The chunk's newest row that no rejected batch wrote or made."""
        rejected = self.rejected()
        usable = [vector for vector in self.vectors if vector.chunk == chunk and not {vector.batch, vector.made_by} & rejected]
        return usable[-1] if usable else None

    def embed(self, batch: str, source: dict[str, list[str]]) -> list[str]:
        """A batch makes the source current; the texts that the model is asked for."""
        rejected, current, number = self.rejected(), self.current(), next(self.number)
        changed = {doc: texts for doc, texts in source.items() if current.get(doc) != texts}
        known = {vector.chunk[1]: vector.made_by for vector in self.vectors if not {vector.batch, vector.made_by} & rejected}
        bought: list[str] = []
        for doc, texts in changed.items():
            self.versions.append(Version(doc, number, batch, batch, texts))
            for text in dict.fromkeys(texts):
                if self.row((doc, text)) is None:
                    self.vectors.append(Vector((doc, text), batch, known.get(text, batch)))
                    bought += [] if text in known or text in bought else [text]
        self.versions += [Version(doc, number, batch, batch, None) for doc in current.keys() - source.keys()]
        self.batches.append(batch)
        return bought

    def roll_back(self, batch: str, undone: list[str]) -> None:
        """Batches are undone: every document gets its newest version that counts and whose chunks all have a vector that counts."""
        self.batches.append(batch)
        self.undone[batch] = undone
        rejected, latest, number = self.rejected(), self.latest(), next(self.number)
        for doc, now in latest.items():
            versions = [version for version in self.versions if version.doc_id == doc and self._counts(version, rejected)]
            chosen = max(versions, key=lambda version: version.number, default=None)
            texts, made_by = (chosen.texts, chosen.made_by) if chosen else (None, batch)
            if texts != now.texts or made_by != now.made_by:
                self.versions.append(Version(doc, number, batch, made_by, texts))

    def _counts(self, version: Version, rejected: set[str]) -> bool:
        has_vectors = all(self.row((version.doc_id, text)) for text in version.texts or [])
        return has_vectors and not {version.batch, version.made_by} & rejected
