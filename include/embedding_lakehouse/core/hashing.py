"""The identities of documents, texts and chunks: SHA-256, as lower-case hex."""

from hashlib import sha256


def content_hash(document_text: str) -> str:
    """The hash by which a document's text counts as changed: SHA-256 of its normalised text in UTF-8."""
    return sha256(document_text.encode()).hexdigest()


def text_hash(chunk_text: str) -> str:
    """The hash that finds the same chunk text in other documents, so that its vector is copied and not bought again."""
    return sha256(chunk_text.encode()).hexdigest()


def chunk_id(doc_id: str, chunk_text: str) -> str:
    """The chunk's identity: SHA-256 of `doc_id || '||' || chunk_text`. A text repeated inside one document has one identity."""
    return sha256(f"{doc_id}||{chunk_text}".encode()).hexdigest()
