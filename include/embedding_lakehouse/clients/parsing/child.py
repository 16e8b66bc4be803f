"""The child process that parses: one request at a time over a socket, and it ends itself when a document takes too long.

Request: the media type, the seconds and the bytes of text allowed as JSON, then the file's bytes. Answer: JSON with `text` and `title`, or
`size` of a text that is too large, or `error`.
"""

import html
import json
import os
import re
import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from shutil import rmtree
from typing import Any

HTML, PDF = "text/html", "application/pdf"
# The parser takes 0.5 GB of address space by itself; a decompression bomb must not take the machine's memory.
ADDRESS_SPACE = 3 * 1024**3
# No document, but enough of one for the parser to unpack what it reads PDF with.
EMPTY_PDF = b"%PDF-1.4\n%%EOF"
TITLE = re.compile(r"<title(?:\s[^>]{0,200})?>", re.IGNORECASE)
TITLE_END = re.compile(r"</title", re.IGNORECASE)


def main(socket: int, folder: str) -> None:
    """Answer requests until the other side closes the socket; then remove the folder, which is for this process alone."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _unpack(folder)
    # Parsing writes no file, whatever a document talks a parser into.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    connection = Connection(socket)
    while True:
        try:
            request = json.loads(connection.recv_bytes())
            content = connection.recv_bytes()
        except EOFError:
            # Whoever asked may have been killed.
            rmtree(folder, ignore_errors=True)
            return
        # SIGALRM keeps its default: it ends the process wherever it is, in native code too, and also when nobody waits any more.
        signal.alarm(request["seconds"])
        answer = _answered(request["media_type"], content, request["most_bytes"])
        signal.alarm(0)
        connection.send_bytes(answer)


def _unpack(folder: str) -> None:
    """Let the parser write the library by which it reads PDF into the folder: it does so with the first PDF that it sees, when it may
    write nothing any more. A folder that others write to would do for them what they like: the library is loaded from there."""
    os.environ["TMPDIR"] = folder
    # What is wrong with the folder, the first real PDF says again.
    with suppress(Exception):
        _office(PDF, EMPTY_PDF)


def _answered(media_type: str, content: bytes, most_bytes: int) -> bytes:
    """The answer as JSON: of a text that is larger than allowed only its size, so that no few bytes fill the memory of who asked."""
    answer = _answer(media_type, content)
    try:
        size = len((answer.get("text") or "").encode())
        if size > most_bytes:
            answer = {"size": size}
        return json.dumps(answer, ensure_ascii=False).encode()
    except (MemoryError, UnicodeError) as error:
        return json.dumps({"error": type(error).__name__}).encode()


def _answer(media_type: str, content: bytes) -> dict[str, Any]:
    try:
        text, title = _html(content.decode()) if media_type == HTML else _office(media_type, content)
    except MemoryError:
        return {"error": "it needs more memory than a document may take"}
    except Exception as error:
        # Whatever a parser raises, the fault is the file's: it is rejected and the next one gets its turn.
        return {"error": f"{error}"[:500] or type(error).__name__}
    return {"text": text, "title": title}


def _html(page: str) -> tuple[str, str | None]:
    import html_to_markdown

    options = html_to_markdown.ConversionOptions(
        extract_metadata=False,
        inline_data_media="drop_element",
        preprocessing=html_to_markdown.PreprocessingOptions(remove_navigation=True, remove_forms=False),
    )
    converted = html_to_markdown.convert(page, options)
    for warning in converted.warnings:
        raise ValueError(f"a part of it would be lost: {warning.message}")
    return converted.content or "", _title(page)


def _title(page: str) -> str | None:
    """What stands between the first pair of title tags; looked for once each, however many of them never end."""
    start = TITLE.search(page)
    end = TITLE_END.search(page, start.end()) if start else None
    return html.unescape(page[start.end() : end.start()]) if start and end else None


def _office(media_type: str, content: bytes) -> tuple[str, str | None]:
    import kreuzberg

    # Without its cache, which would write to the working folder; OCR stays off, since its models are downloaded.
    configuration = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False)
    extracted = kreuzberg.extract_bytes_sync(content, media_type, config=configuration)
    title = (extracted.metadata or {}).get("title")
    return extracted.content, title if isinstance(title, str) else None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
