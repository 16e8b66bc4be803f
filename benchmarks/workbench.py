"""What the groups share: the corpora in two sizes, our lake and the peers over each, and the cold runs that most groups start from."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from benchmarks.corpus import Corpus, write_files
from benchmarks.lake import OurLake
from benchmarks.measures import Cost
from benchmarks.peers.peer import Peer, PeerFailed

WARM_UP_DOCUMENTS = 20
# Half a minute a round over 20,000 documents.
SLOW = frozenset({"langchain", "llamaindex"})


@dataclass(frozen=True, slots=True)
class Options:
    """The sizes of a run, and where it finds real edits."""

    documents: int
    small_documents: int
    rounds: int
    edited_share: float
    rows: int
    page_documents: int
    corpus_rows: int
    batch_rows: int
    scale_documents: int
    upkeep_batches: int
    warm_up_batches: int
    peers: tuple[str, ...]
    history: Path | None
    seed: int = 0


class Subject(Protocol):
    """What is measured: it brings its store up to date with the documents."""

    name: str

    def bring_up_to_date(self) -> Cost: ...


class Site:
    """One corpus with our lake and the peers over it, all up to date since their cold runs. A peer that fails is left out from then on."""

    def __init__(
        self,
        corpus: Corpus,
        folder: Path,
        options: Options,
        failures: dict[str, str],
        report: Callable[[str], None],
    ) -> None:
        self.corpus = corpus
        self._warm_up_batches = options.warm_up_batches
        self.files = folder / "documents"
        self.lake = OurLake(folder / "home")
        self._peers = [Peer(name, self.files, folder / name) for name in options.peers]
        self._failures = failures
        self._report = report
        self.costs: dict[str, list[Cost]] = {}

    def start(self) -> Self:
        """Write the documents, start the lake, and run everybody cold; `cold` has what it cost."""
        self._report(f"{self.corpus.documents} documents")
        write_files(self.files, self.corpus.texts())
        self.lake.start()
        self.lake.warm_up(Corpus(min(WARM_UP_DOCUMENTS, self.corpus.documents), self.corpus.seed).texts(), self._warm_up_batches)
        self.lake.put(self.corpus.texts())
        self.cold = self.round("cold")
        return self

    def change(self, texts: dict[str, str]) -> None:
        """Put new texts of documents before everybody."""
        write_files(self.files, texts.items())
        self.lake.put(texts.items())

    def remove(self, doc_ids: Iterable[str]) -> None:
        """Take documents away from everybody."""
        gone = list(doc_ids)
        for doc_id in gone:
            (self.files / doc_id).unlink()
        self.lake.remove(gone)

    def round(self, what: str, number: int = 0) -> dict[str, Cost]:
        """The cost of bringing a store up to date once, of everybody in turn, by name; the slow ones take part in the first round only."""
        costs = {}
        subjects: list[Subject] = [self.lake, *self._peers]
        for subject in subjects:
            if subject.name in self._failures or (number and subject.name in SLOW):
                continue
            try:
                cost = subject.bring_up_to_date()
            except PeerFailed as failure:
                self._failures[subject.name] = str(failure)
                self._report(f"{subject.name} failed: {failure}")
                continue
            self._report(f"  {what}, {subject.name}: {cost.wall:.1f} s, {cost.texts_embedded} texts embedded")
            costs[subject.name] = cost
            self.costs.setdefault(subject.name, []).append(cost)
        return costs


class Workbench:
    """Hands out sites, each made when it is first asked for; as a context manager it stops their servers."""

    def __init__(self, options: Options, folder: Path, report: Callable[[str], None]) -> None:
        self.options = options
        self.failures: dict[str, str] = {}
        self._folder = folder
        self._report = report
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    @cached_property
    def large(self) -> Site:
        """Everybody over the corpus of full size."""
        return self._site(self.options.documents)

    @cached_property
    def small(self) -> Site:
        """Everybody over the small corpus."""
        return self._site(self.options.small_documents)

    def folder(self, name: str) -> Path:
        """An empty folder for a group's own use."""
        made = self._folder / name
        made.mkdir(parents=True)
        return made

    def stop_at_end(self, lake: OurLake) -> None:
        """Stop a group's own lake when the bench ends, whatever happens until then."""
        self._open.callback(lake.stack.stop)

    def _site(self, documents: int) -> Site:
        site = Site(Corpus(documents, self.options.seed), self.folder(str(documents)), self.options, self.failures, self._report)
        self._open.callback(site.lake.stack.stop)
        return site.start()
