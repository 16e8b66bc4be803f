"""The child process that parses: one request at a time over a socket, and it ends itself when a document takes too long.

Request: the media type and the seconds allowed as JSON, then the file's bytes. Answer: JSON with `text` and `title`, or `error`.
"""

import html
import json
import re
import resource
import signal
import sys
from multiprocessing.connection import Connection

HTML = "text/html"
# The parser takes 0.5 GB of address space by itself; a decompression bomb must not take the machine's memory.
ADDRESS_SPACE = 3 * 1024**3
TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)


def main(socket: int) -> None:
    """Answer requests until the other side closes the socket."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(socket)
    while True:
        try:
            request = json.loads(connection.recv_bytes())
            content = connection.recv_bytes()
        except EOFError:
            return
        # SIGALRM keeps its default: it ends the process wherever it is, in native code too, and also when nobody waits any more.
        signal.alarm(request["seconds"])
        answer = _answer(request["media_type"], content)
        signal.alarm(0)
        connection.send_bytes(json.dumps(answer, ensure_ascii=False).encode())


def _answer(media_type: str, content: bytes) -> dict[str, str | None]:
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
    title = TITLE.search(page)
    return converted.content or "", html.unescape(title[1]) if title else None


def _office(media_type: str, content: bytes) -> tuple[str, str | None]:
    import kreuzberg

    # Without its cache, which would write to the working folder; OCR stays off, since its models are downloaded.
    configuration = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False)
    extracted = kreuzberg.extract_bytes_sync(content, media_type, config=configuration)
    title = (extracted.metadata or {}).get("title")
    return extracted.content, title if isinstance(title, str) else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
