"""Runs as stages over batches and shards: each stage takes as long as the scarcest of what it needs, and the DAGs work side by side."""

from collections.abc import Iterable
from math import ceil

from benchmarks.capacity.measured import DIMENSIONS, Measured
from benchmarks.capacity.scenario import Plan
from benchmarks.capacity.stages import Amounts, Run, Stage
from embedding_lakehouse.clients.import_files import FILE_GROUPS, GROUP_ROWS
from embedding_lakehouse.clients.pinecone.index import IN_FLIGHT
from embedding_lakehouse.clients.sync_plans import MOST_SHARDS, SHARD_RECORDS
from embedding_lakehouse.core.batches import shard_count
from embedding_lakehouse.core.pacing import HEADROOM
from embedding_lakehouse.core.packing import fit_checkpoint
from embedding_lakehouse.core.providers import PROVIDERS
from embedding_lakehouse.core.rebuilds import RECEIPT_BYTES
from embedding_lakehouse.core.records import BODY_BYTES, BODY_RECORDS
from embedding_lakehouse.steps.rebuild_index.verifying import LISTINGS

BYTES_PER_TOKEN = 4
# Tasks of a run beside its mapped ones: the checks, and those that plan, price, commit, publish.
OTHER_TASKS = 30

TOKENS, REQUESTS, ANSWERS = "tokens a minute of the model", "requests a minute of the model", "requests under way at the model"
QUEUE, WORKERS, ENGINE = "bulk jobs of the model", "worker slots", "the SQL engine"
COMMITS, STARTS = "commits, one after the other", "starts of tasks"
WRITES, UPSERTS, UPSERTING = "bytes a second of the index", "requests a second of the index", "upserts under way at the index"
DELETES, LISTS, LISTING = "deletes a second of the index", "listings a second of the index", "listings under way at the index"
IMPORTS = "the service's import"
IN_BULK = "first load in bulk, at most"
RUNS = ("first load", IN_BULK, "a day of edits", "another model", "index rebuilt by import", "index rebuilt by upserts")
REMEDIES = {
    TOKENS: "a higher rate of the account, or another model",
    REQUESTS: "a higher rate, or a larger `batch.checkpoint_chunks`, which makes larger requests",
    ANSWERS: "more slots, or a higher `limits.requests_in_flight` with a larger `batch.checkpoint_chunks`",
    QUEUE: "a larger `batch.documents` where a batch leaves room in the account's queue, a larger queue where it does not; or buy at once",
    WORKERS: "more slots on more workers, up to `batch.most_shards`",
    ENGINE: "more cores and memory for Trino; a larger `batch.documents`, so that it looks at the corpus less often",
    COMMITS: "a larger `batch.documents`, and `maintain_tables` daily",
    STARTS: "more slots; larger `batch.shard_documents`",
    WRITES: "an import where the namespace is fresh; fewer dimensions; ask the service for more",
    UPSERTS: "an import where the namespace is fresh; ask the service for more",
    UPSERTING: "more slots, up to the 64 shards of a sync; an import where the namespace is fresh",
    DELETES: "ask the service for more",
    LISTS: "ask the service for more",
    LISTING: f"more listings at a time than {LISTINGS} (`LISTINGS` in steps/rebuild_index/verifying.py)",
    IMPORTS: "nothing of ours",
}


class Simulator:
    """The runs of one plan. What is `lifted` limits nothing: so the bottleneck behind the bottleneck is found."""

    def __init__(self, plan: Plan, measured: Measured, lifted: Iterable[str] = ()) -> None:
        self.plan, self.measured, self._lifted = plan, measured, frozenset(lifted)
        asked, provider = plan.scenario, PROVIDERS[plan.model.provider]
        self.chunks_per_document = asked.chunks_per_document or measured.chunks_per_document
        self.tokens_per_chunk = asked.tokens_per_chunk or measured.tokens_per_chunk
        self.edit_share = asked.chunk_share_per_edit or measured.chunk_share_per_edit
        self.shard_tokens = plan.batch.shard_tokens or provider.shard_tokens
        text = BYTES_PER_TOKEN * self.tokens_per_chunk
        self.row_bytes = measured.row_bytes * asked.dimensions / DIMENSIONS + text
        self.record_bytes = measured.record_bytes * asked.dimensions / DIMENSIONS + text
        self.stored_bytes = 4 * asked.dimensions + RECEIPT_BYTES
        self.records_per_request = max(1, min(BODY_RECORDS, int(BODY_BYTES // self.record_bytes)))

    def runs(self) -> list[Run]:
        """A first load, the same in bulk where the model sells so, a day of edits, another model, and the index rebuilt in both ways."""
        return [self.run(name) for name in RUNS if name != IN_BULK or self.plan.model.bulk_tokens_enqueued]

    def run(self, name: str) -> Run:
        """The run of that name, one of `RUNS`."""
        documents, daily = self.plan.scenario.documents, self.plan.scenario.daily_share
        match name:
            case "a day of edits":
                return self._run(name, max(1, round(documents * daily)), self.edit_share, beside=documents)
            case "another model":
                return self._run(name, documents, 1.0, beside=documents)
            case "index rebuilt by import" | "index rebuilt by upserts":
                return self._rebuild(name, by_import=name.endswith("import"))
        return self._run(name, documents, 1.0, beside=0, in_bulk=name == IN_BULK)

    def _rebuild(self, name: str, by_import: bool) -> Run:
        """A fresh namespace filled from the lake and verified."""
        documents = self.plan.scenario.documents
        records = documents * self.chunks_per_document
        fill = [self._export(records), self._import(records)] if by_import else [self._upserts(records)]
        shards = shard_count(round(records), SHARD_RECORDS, MOST_SHARDS)
        stages = [self._engine("sync plan", documents, self._units(documents)), *fill, self._verify(records), self._starts(2 * shards)]
        gigabytes = records * self.stored_bytes / 1e9
        usd = gigabytes * self.plan.index.usd_per_imported_gb if by_import else self._upsert_usd(records)
        sent = records * (self.stored_bytes if by_import else self.record_bytes)
        listings = ceil(records / self.plan.index.ids_per_list)
        requests = listings + (1 if by_import else ceil(records / self.records_per_request))
        amounts = Amounts(documents=documents, records=records, index_usd=usd, index_bytes=sent, index_requests=requests)
        warnings = [*self._warnings(stages, {"index": shards}), *(self._import_warnings(records, shards) if by_import else ())]
        return Run(name, amounts, [[stages]], {"index": shards}, warnings)

    def _run(self, name: str, changed: int, share: float, beside: int, in_bulk: bool = False) -> Run:
        """So many changed documents of which a share of the chunks is embedded; `beside` documents are embedded when it begins."""
        batches, left, most = [], changed, self.plan.batch.documents
        while left > 0:
            taken = min(most, left)
            left -= taken
            published = min(self.plan.scenario.documents, beside + changed - left)
            batches.append([self._embed(taken, share, published, in_bulk), self._sync(taken, share, published, replaces=share < 1)])
        texts = changed * self.chunks_per_document * share
        tokens = texts * self.tokens_per_chunk
        usd = tokens / 1e6 * self.plan.model.usd_per_million_tokens * (self.plan.model.bulk_price_share if in_bulk else 1)
        requests = ceil(texts / self.records_per_request) + (ceil(texts / BODY_RECORDS) if share < 1 else 0)
        size = texts * self.row_bytes
        amounts = Amounts(changed, texts, texts, tokens, usd, self._upsert_usd(texts), size, texts * self.record_bytes, requests)
        shards = self.shards(min(changed, most), share)
        return Run(name, amounts, batches, shards, self._warnings(batches[-1][0], shards))

    def shards(self, documents: int, share: float = 1.0) -> dict[str, int]:
        """The mapped tasks of one batch: over its documents, over the tokens to embed, and over the records of its sync."""
        batch, texts = self.plan.batch, documents * self.chunks_per_document * share
        return {
            "documents": shard_count(documents, batch.shard_documents, batch.most_shards),
            "embedding": shard_count(round(texts * self.tokens_per_chunk), self.shard_tokens, batch.most_shards),
            "index": shard_count(round(texts * (2 if share < 1 else 1)), SHARD_RECORDS, MOST_SHARDS),
        }

    def _embed(self, changed: int, share: float, published: int, in_bulk: bool) -> list[Stage]:
        """The stages of `embed_documents` for one batch. What compares with the source looks at all of its documents."""
        documents, units, shards = self.plan.scenario.documents, self._units(changed), self.shards(changed, share)
        texts, slopes = changed * self.chunks_per_document * share, self.measured.slopes
        rows_per_second = self.measured.rows_per_second * DIMENSIONS / self.plan.scenario.dimensions
        return [
            self._engine("detect", documents, units),
            self._engine("plan", documents, units),
            self._work("chunk", slopes["chunk"].per_changed * units, shards["documents"]),
            self._engine("price", published, units),
            self._bulk(texts) if in_bulk else self._model(texts, shards["embedding"]),
            self._work("stage vectors", texts / rows_per_second, shards["embedding"]),
            self._commit("commit", published, units * share),
            self._engine("audit", published, units),
            self._commit("publish", published, units * share),
            self._starts(shards["documents"] + shards["embedding"]),
        ]

    def _sync(self, changed: int, share: float, published: int, replaces: bool) -> list[Stage]:
        """The stages of `sync_index` for one batch; edited documents replace as many records as they add."""
        records, deletes = changed * self.chunks_per_document * share, self.plan.index.deleted_records_per_second
        shards = self.shards(changed, share)["index"]
        gone = [self._stage("delete", {DELETES: records / deletes})] if replaces and deletes else []
        return [self._engine("sync plan", published, self._units(changed)), self._upserts(records), *gone, self._starts(2 * shards)]

    def _model(self, texts: float, shards: int) -> Stage:
        """Embedding through the account's rates, with our own work beside it."""
        model, limits, slope = self.plan.model, self.plan.model.all_limits, self.measured.slopes["embed"]
        parallel = min(self._slots(shards), limits.most_parallel or shards)
        own = max(0.0, slope.per_changed / self.measured.texts_per_changed - self.measured.model_seconds_per_text)
        if model.is_local:
            return self._stage("embed", {WORKERS: texts * (own + self.measured.model_seconds_per_text) / parallel})
        in_flight = max(1, min(limits.requests_in_flight, self.plan.batch.checkpoint_chunks))
        most, _ = fit_checkpoint(self.plan.batch.checkpoint_chunks, in_flight, limits.inputs_per_request)
        by_tokens = limits.tokens_per_request / self.tokens_per_chunk if limits.tokens_per_request else most
        requests = texts / max(1, min(most, by_tokens))
        needs = {WORKERS: texts * own / parallel, ANSWERS: requests * model.seconds_per_request / (parallel * in_flight)}
        if limits.tokens_per_minute:
            needs[TOKENS] = texts * self.tokens_per_chunk / (limits.tokens_per_minute / 60 * HEADROOM)
        if limits.requests_per_minute:
            needs[REQUESTS] = requests / (limits.requests_per_minute / 60 * HEADROOM)
        return self._stage("embed", needs)

    def _bulk(self, texts: float) -> Stage:
        """Embedding through the Batch API: as often as its queue must be filled, each time for as long as a job may take."""
        fills = ceil(texts * self.tokens_per_chunk / self.plan.model.bulk_tokens_enqueued)
        return self._stage("embed", {QUEUE: fills * self.plan.scenario.bulk_hours * 3_600})

    def _upserts(self, records: float) -> Stage:
        index, shards = self.plan.index, shard_count(round(records), SHARD_RECORDS, MOST_SHARDS)
        requests, parallel = records / self.records_per_request, self._slots(shards)
        own = records / (self.measured.records_per_second * DIMENSIONS / self.plan.scenario.dimensions) / parallel
        needs = {WORKERS: own, UPSERTING: requests * index.seconds_per_upsert / (parallel * IN_FLIGHT)}
        if index.upsert_bytes_per_second:
            needs[WRITES] = records * self.record_bytes / index.upsert_bytes_per_second
        if index.upserts_per_second:
            needs[UPSERTS] = requests / index.upserts_per_second
        return self._stage("upsert", needs)

    def _export(self, records: float) -> Stage:
        rows_per_second = self.measured.rows_per_second * DIMENSIONS / self.plan.scenario.dimensions
        return self._work("export", records / rows_per_second, shard_count(round(records), SHARD_RECORDS, MOST_SHARDS))

    def _import(self, records: float) -> Stage:
        index = self.plan.index
        by_rate = records / index.import_records_per_second if index.import_records_per_second else 0.0
        return self._stage("import", {IMPORTS: max(index.import_seconds, by_rate)})

    def _verify(self, records: float) -> Stage:
        """Every id is listed and compared, in one task."""
        index = self.plan.index
        pages = records / index.ids_per_list
        needs = {WORKERS: records * self.measured.verify_seconds_per_record, LISTING: pages * index.seconds_per_list / LISTINGS}
        if index.lists_per_second:
            needs[LISTS] = pages / index.lists_per_second
        return self._stage("verify", needs)

    def _engine(self, phase: str, documents: float, units: float) -> Stage:
        return self._stage(phase, {ENGINE: self.measured.slopes[phase].at(documents, units) / self.plan.engine.speed})

    def _commit(self, phase: str, documents: float, units: float) -> Stage:
        return self._stage(phase, {COMMITS: self.measured.slopes[phase].at(documents, units)})

    def _work(self, name: str, seconds: float, shards: int) -> Stage:
        return self._stage(name, {WORKERS: seconds / self._slots(shards)})

    def _starts(self, mapped: int) -> Stage:
        rounds = OTHER_TASKS + ceil(mapped / self.plan.scenario.worker_slots)
        return self._stage("start tasks", {STARTS: rounds * self.plan.airflow.seconds_per_task})

    def _stage(self, name: str, needs: dict[str, float]) -> Stage:
        return Stage(name, {resource: seconds for resource, seconds in needs.items() if resource not in self._lifted})

    def _slots(self, shards: int) -> int:
        return min(self.plan.scenario.worker_slots, shards)

    def _units(self, changed: float) -> float:
        """Changed documents, as many as have so many chunks in the corpus of the measurement."""
        return changed * self.chunks_per_document / self.measured.texts_per_changed

    def _upsert_usd(self, records: float) -> float:
        index = self.plan.index
        return records * self.stored_bytes / index.bytes_per_write_unit / 1e6 * index.usd_per_million_write_units

    def _warnings(self, stages: list[Stage], shards: dict[str, int]) -> list[str]:
        mapped, most = max(shards.values()), self.plan.engine.statement_seconds
        # The others are many statements each: slices of a sync, checks of an audit.
        long = [stage for stage in stages if stage.name in ("detect", "plan", "price") and stage.seconds > most > 0]
        warnings = [f"`{stage.name}` takes {stage.seconds:,.0f} s, and Athena cancels after {most:,.0f} s" for stage in long]
        if mapped > self.plan.airflow.most_mapped > 0:
            warnings.append(f"{mapped} shards are more than Airflow maps (`[core] max_map_length`)")
        return warnings

    def _import_warnings(self, records: float, shards: int) -> list[str]:
        index, size = self.plan.index, records * self.stored_bytes
        per_file, files = GROUP_ROWS * FILE_GROUPS, shards * ceil(records / shards / (GROUP_ROWS * FILE_GROUPS))
        limits = {
            f"{size / 1e12:.2f} TB": size > index.import_bytes > 0,
            f"{files:,} files": files > index.import_files > 0,
            f"files of {per_file * self.stored_bytes / 1e9:.1f} GB": per_file * self.stored_bytes > index.import_file_bytes > 0,
        }
        passed = [what for what, is_passed in limits.items() if is_passed]
        return [f"more than one import takes: {', '.join(passed)}; use upserts, fewer dimensions, or several profiles"] if passed else []
