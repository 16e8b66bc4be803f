"""Asking a model: how full its requests are, and what our way through wordllama gains over the library's own."""

import time
from pathlib import Path
from statistics import mean, median

import numpy as np
import wordllama

from benchmarks.corpus import Corpus
from benchmarks.embedder import profile
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Row, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.core.chunking import StructureChunking, chunk_document
from embedding_lakehouse.core.packing import fit_checkpoint, pack
from embedding_lakehouse.core.profiles import BatchLimits
from embedding_lakehouse.core.providers import PROVIDERS
from embedding_lakehouse.core.tokens import estimated_tokens

MOST_TEXTS = 6_000
# A task's share of a small account's rate, which a request is kept below as well.
SMALL_REQUEST = 8_000
NOTES = [
    "Packing: the share of a request's token limit that its texts use, of the median request over all chunks of the small corpus, in "
    "tokens as they are estimated before a model is asked. The mean has the last request in it, which is what is left over.",
    "With checkpoints a request is kept smaller than its limit, so that a kill loses at most a checkpoint over all requests in flight.",
    "All chunks are cut by the default chunking. wordllama: ours and the library's own `embed` (64 texts at once, its default) over the "
    "same chunks in turn, round after round; the weights are loaded before. Nearly all of our time is the tokenizer's.",
]


def measure(bench: Workbench) -> Section:
    """How full requests are, and our wordllama beside the library's."""
    texts = _chunks(bench)
    tokens = [estimated_tokens(text) for text in texts]
    openai, cohere = PROVIDERS["openai"].limits, PROVIDERS["bedrock_cohere"].limits
    checkpoint = BatchLimits().checkpoint_chunks
    kept_small = fit_checkpoint(checkpoint, openai.requests_in_flight, openai.inputs_per_request)[0]
    ways = {
        "OpenAI's limits": (openai.inputs_per_request, openai.tokens_per_request),
        f"requests of {SMALL_REQUEST:,} tokens": (openai.inputs_per_request, SMALL_REQUEST),
        f"OpenAI's limits, checkpoints of {checkpoint:,} texts": (kept_small, openai.tokens_per_request),
        "Cohere's limit of texts": (cohere.inputs_per_request, 0),
    }
    packed = {name: pack(tokens, *limits) for name, limits in ways.items()}
    shares = {name: [sum(tokens[number] for number in one) / (ways[name][1] or 1) for one in packed[name]] for name in ways}
    full, small = list(ways)[:2]
    processors, walls, difference = _wordllama(texts[:MOST_TEXTS], bench.options.rounds)
    figures = [
        Figure("share of the token limit used per request, 300,000 tokens", Spread.of([median(shares[full])]), least=0.95, counted=True),
        Figure(
            f"share of the token limit used per request, {SMALL_REQUEST:,} tokens",
            Spread.of([median(shares[small])]),
            least=0.95,
            counted=True,
        ),
        Figure("wordllama, texts a processor second: ours / its own embed", processors, least=1.5),
        Figure("wordllama, texts a second of wall clock: ours / its own embed", walls),
        Figure("wordllama, largest difference of a vector's value", Spread.of([difference]), most=1e-6, beside=f"{difference:.1e}"),
    ]
    rows = [_row(name, ways[name], packed[name], shares[name]) for name in ways]
    columns = [
        "",
        "texts a request, at most",
        "tokens a request, at most",
        "requests",
        "texts a request, mean",
        "token limit used, median",
        "mean",
    ]
    return Section("Asking a model", figures, [Table(f"{len(texts):,} chunks, {sum(tokens):,} tokens", columns, rows)], NOTES)


def _chunks(bench: Workbench) -> list[str]:
    corpus = Corpus(bench.options.small_documents, bench.options.seed)
    return [chunk.text for _, text in corpus.texts() for chunk in chunk_document(text, StructureChunking(), "text/plain")]


def _row(name: str, limits: tuple[int, int], requests: list[list[int]], shares: list[float]) -> Row:
    inputs, most_tokens = limits
    used = [short(median(shares)), short(mean(shares))] if most_tokens else ["", ""]
    return [name, f"{inputs:,}", f"{most_tokens:,}" if most_tokens else "", f"{len(requests):,}", short(mean(map(len, requests))), *used]


def _wordllama(texts: list[str], rounds: int) -> tuple[Spread, Spread, float]:
    """How many times as fast as the library we are by processor and by wall clock, and by how much a value differs at most."""
    ours = load_model(profile())
    own = wordllama.WordLlama.load(
        profile().model_name, cache_dir=Path(wordllama.__file__).parent, dim=profile().dimensions, disable_download=True
    )
    moments: list[list[tuple[float, float]]] = []
    for _ in range(rounds):
        begun = _now()
        vectors = ours.embed(texts).vectors
        between = _now()
        stock = own.embed(texts, norm=True)
        moments.append([begun, between, _now()])
    processors, walls = (
        Spread.of_ratios(
            [end[kind] - between[kind] for _, between, end in moments], [between[kind] - begun[kind] for begun, between, _ in moments]
        )
        for kind in (0, 1)
    )
    return processors, walls, float(np.abs(vectors - stock).max())


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()
