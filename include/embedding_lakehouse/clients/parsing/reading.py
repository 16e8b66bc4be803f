"""Read one file of a source into documents and rejections, whatever its format."""

import re
from collections.abc import Iterator

from embedding_lakehouse.clients.parsing.sandbox import Sandbox
from embedding_lakehouse.clients.sources import Source
from embedding_lakehouse.core.documents import (
    BYTE_ORDER_MARKS,
    Document,
    Rejected,
    Rejection,
    check_id,
    check_size,
    decode,
    encode,
    first_heading,
    normalise,
    shorten,
)
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import HTML, MARKDOWN, PARSED_TYPES, PDF, ROW_TYPES, RST, ListedFile, media_type
from embedding_lakehouse.core.rows import Outcome, documents_of_rows

WITH_HEADINGS = frozenset({MARKDOWN, RST})
CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
CHARSET_WITHIN = 2_048
# What browsers take these labels for (WHATWG Encoding); the rest goes by Python's names.
ENCODINGS = {
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
    "latin-1": "windows-1252",
    "ascii": "windows-1252",
    "us-ascii": "windows-1252",
}


def documents_of(source: Source, file: ListedFile, settings: IngestSettings, sandbox: Sandbox) -> Iterator[Outcome]:
    """The file's documents and rejections. A rejection with line 0 is the whole file's: the documents before it must not be used."""
    doc_id = f"{settings.id_prefix}{file.path}"
    try:
        if file.problem:
            raise Rejected(file.etag, file.problem)
        kind = media_type(file.path) or "text/plain"
        if kind in ROW_TYPES:
            with source.open(file.path) as stream:
                yield from documents_of_rows(stream, file.path, kind, settings)
        else:
            yield _document(source, file, check_id(doc_id), kind, settings, sandbox)
    except Rejected as error:
        yield Rejection(doc_id, error.code, str(error))


def _document(source: Source, file: ListedFile, doc_id: str, kind: str, settings: IngestSettings, sandbox: Sandbox) -> Document:
    check_size(file.size_bytes, settings.max_document_bytes, "the file")
    # One byte more than allowed shows that a file grew since it was listed, without reading all of it.
    content = source.read(file.path, settings.max_document_bytes + 1)
    check_size(len(content), settings.max_document_bytes, "the file")
    if kind not in PARSED_TYPES:
        text = normalise(decode(content), settings.max_document_bytes)
        return Document(doc_id, text, first_heading(text) if kind in WITH_HEADINGS else None, kind)
    parsed, named = sandbox.parse(encode(_decoded_page(content)) if kind == HTML else content, kind, settings.max_document_bytes)
    if kind == PDF and not parsed.strip():
        raise Rejected("empty", "it has no text, at most pictures of it: run text recognition (OCR) over it")
    text = normalise(parsed, settings.max_document_bytes)
    titles = (shorten(named), first_heading(text))
    # A page's <title> is meant for readers; the property of an office file is often its template's.
    return Document(doc_id, text, next(filter(None, titles if kind == HTML else reversed(titles)), None), kind)


def _decoded_page(content: bytes) -> str:
    """An HTML page's text: by its byte order mark, else by the charset that it declares, else as UTF-8."""
    declared = CHARSET.search(content[:CHARSET_WITHIN])
    label = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
    encoding = ENCODINGS.get(label, label)
    if encoding in ("utf-8", "utf8") or any(content.startswith(mark) for mark, _ in BYTE_ORDER_MARKS) or encoding.startswith("utf-16"):
        return decode(content)
    try:
        return content.decode(encoding)
    except (LookupError, UnicodeError) as error:
        raise Rejected("broken_encoding", f"the page says that it is {label!r}, and is not ({error}): save it as UTF-8") from error
