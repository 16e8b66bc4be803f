"""An erasure: what somebody asked for, the plan that is approved, and the certificate that says what was done."""

from dataclasses import asdict, dataclass, field
from typing import Any

from embedding_lakehouse.core.forgetting import Forgotten
from embedding_lakehouse.core.texts import one_line
from embedding_lakehouse.errors import InputError

# As hold_documents calls its tags.
HOLD_TAG = "hold-"
# What no run of ours can reach, with what a person does about it.
UNREACHABLE = (
    "backups and snapshots of the index service (Pinecone backups, collections): delete those made before now there",
    "versions and backups of the lake's storage (S3 versioning, replication, Object Lock, snapshots of disks): expire those there",
    "what the model's provider keeps of the texts it embedded, and purchases in bulk of profiles that are not declared any more or buy "
    "nothing in bulk any more: ask it, delete them there",
    "files exported for an import to a folder or prefix of its own (Param import_uri of rebuild_index): delete that folder",
    "Airflow's own database and task logs: Params of runs and lines of logs may name a document; delete the runs and their logs",
    "copies that others made: exports, caches, dashboards, answers already given, namespaces that no release names",
    "the files or the bucket that the documents were read from: remove them there, or they are refused at each ingestion",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run was asked for, checked. Raises InputError for a wish that is not whole."""

    doc_ids: tuple[str, ...]
    doc_id_prefix: str
    source_uri_prefix: str
    metadata_field: str
    metadata_value: str
    requested_by: str
    reason: str
    despite_holds: tuple[str, ...]
    dry_run: bool
    lift: bool

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "Wish":
        """The Params of the DAG."""
        given = {name: params[name] for name in cls.__slots__}
        texts = {name: one_line(name, params[name] or "") for name in ("requested_by", "reason")}
        lists = {name: tuple(dict.fromkeys(one for one in given[name] or [] if one)) for name in ("doc_ids", "despite_holds")}
        wish = cls(**given | texts | lists)
        wish._check()
        return wish

    def _check(self) -> None:
        has_filter = bool(self.doc_id_prefix or self.source_uri_prefix or self.metadata_field)
        if bool(self.doc_ids) == has_filter:
            raise InputError("say either `doc_ids`, the documents by their ids, or a filter: a prefix, or a metadata field with its value")
        if bool(self.metadata_field) != bool(self.metadata_value):
            raise InputError("a metadata field needs its value, and a value its field")
        if self.lift and not self.doc_ids:
            raise InputError("`lift` allows documents by their ids again: give them in `doc_ids`")
        if not self.dry_run and not (self.requested_by and self.reason):
            raise InputError(
                "an erasure is kept with who asked for it and why: give `requested_by` and `reason`, a ticket's number for example"
            )

    def check_holds(self, holds: list[str]) -> None:
        """Raise InputError where a hold keeps what is to be erased and the wish does not say that it is erased all the same."""
        if keeping := [hold for hold in holds if hold not in self.despite_holds]:
            raise InputError(
                f"the hold {keeping[0]!r} keeps snapshots that have these documents: lift it (hold_documents), or name it in "
                "`despite_holds`: it goes on to keep everything else in them"
            )

    def check_says_nothing_of(self, doc_ids: frozenset[str]) -> None:
        """Raise InputError where the reason, which is kept, names a document."""
        if not self.lift and Forgotten(doc_ids).is_quoted(f"{self.reason} {self.requested_by}"):
            raise InputError("the reason or the requester names a document that is to be forgotten: both are kept; give a ticket's number")


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What an erasure will do. It travels between tasks as a dict, with hashes and counts alone."""

    digest: str
    document_count: int
    unknown_count: int
    chunk_count: int
    rows: dict[str, int]
    files: dict[str, int]
    snapshots: dict[str, int]
    kept_refs: dict[str, list[str]]
    releases: list[str]
    given_up_batches: list[str]
    dropped_releases: list[str]
    stopped_ingestions: list[str]
    is_lift: bool = False
    is_begun: bool = False
    erasure_id: str = ""
    accounts: list[str] = field(default_factory=list)

    @property
    def holds(self) -> list[str]:
        """The names of the holds that keep what is to be erased."""
        tags = {name.removeprefix(HOLD_TAG) for names in self.kept_refs.values() for name in names if name.startswith(HOLD_TAG)}
        return sorted({tag.partition(".")[0] for tag in tags})

    @property
    def description(self) -> str:
        """The plan as a person approves it, in Markdown."""
        if self.is_begun:
            return f"The erasure {self.erasure_id} was approved and begun before: it is finished now."
        if self.is_lift:
            return f"The tombstones of {self.document_count:,} documents are lifted: they may be ingested again from now on."
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        lines = [
            f"**{self.document_count:,} documents are erased for good**, with every version and {self.chunk_count:,} chunks. "
            "It cannot be undone.",
        ]
        if self.unknown_count:
            lines.append(f"- {self.unknown_count:,} of them are known nowhere in the lake; they are refused from now on all the same")
        lines += [f"- {table}: {count:,} stored rows in {self.files[table]:,} files" for table, count in sorted(self.rows.items()) if count]
        lines.append(f"- releases searched for their records: {', '.join(self.releases) or 'none'}")
        lines += [f"- purchases in bulk looked for behind: {', '.join(self.accounts)}"] if self.accounts else []
        lines += [f"- {table}: {count:,} snapshots expire" for table, count in sorted(self.snapshots.items()) if count]
        lines += [f"- {table}: rewritten and kept: {', '.join(names)}" for table, names in sorted(self.kept_refs.items()) if names]
        for what, names in (
            ("holds that keep them", self.holds),
            ("open batches given up", self.given_up_batches),
            ("half-built releases dropped", self.dropped_releases),
            ("ingestions stopped", self.stopped_ingestions),
        ):
            if names:
                lines.append(f"- {what}: {', '.join(names)}")
        return [*lines, "", "**Out of reach** (see docs/forgetting.md):", *(f"- {one}" for one in UNREACHABLE)]

    def as_keys(self) -> dict[str, Any]:
        """The plan as XCom carries it."""
        return asdict(self) | {"description": self.description}

    @classmethod
    def of_keys(cls, keys: dict[str, Any]) -> "ErasurePlan":
        """The plan that travelled as keys."""
        return cls(**{name: value for name, value in keys.items() if name != "description"})
