"""The namespaces of an index as wholes: what they hold, and their end."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from pinecone import NotFoundError

from embedding_lakehouse.clients.pinecone.connection import IndexConnection
from embedding_lakehouse.errors import LakehouseError

PAGE_IDS = 100


class Namespaces(IndexConnection):
    """The namespaces of one index."""

    def list_ids(self, namespace: str, prefix: str = "") -> Iterator[str]:
        """The ids of all records of the namespace that begin with the prefix, rising, page by page; none where there is no namespace.

        A listing that ends without an error is whole: raises TransientError where a page cannot be read, LakehouseError where the
        service does not answer in the order of the ids, so that pages may have been lost.
        """
        token, latest = None, ""
        while True:
            page = self._patiently("list", partial(self._page, namespace, prefix, token))
            if page is None:
                return
            for item in page.vectors:
                if item.id <= latest:
                    raise LakehouseError(
                        f"the index listed {item.id!r} of namespace {namespace} after {latest!r}: its listing is out of order"
                    )
                latest = item.id
                yield latest
            token = page.pagination.next if page.pagination else None
            if not token:
                return

    def _page(self, namespace: str, prefix: str, token: str | None) -> Any:
        try:
            return self._sdk.list_paginated(prefix=prefix or None, limit=PAGE_IDS, pagination_token=token, namespace=namespace)
        except NotFoundError:
            # A namespace that was deleted while its pages were read is not an empty one.
            if token:
                raise
            return None

    def record_count(self, namespace: str) -> int:
        """Records that the namespace says it holds, which lags behind writes; 0 where there is none."""
        described = self._patiently("describe namespace", partial(self._described, namespace))
        return described.record_count if described else 0

    def namespace_exists(self, namespace: str) -> bool:
        """Whether there is a namespace of that name."""
        return self._patiently("describe namespace", partial(self._described, namespace)) is not None

    def delete_namespace(self, namespace: str) -> None:
        """Delete the namespace with all its records; one that is not there is deleted already."""
        self._patiently("delete namespace", partial(self._delete_namespace, namespace))

    def _described(self, namespace: str) -> Any:
        try:
            return self._sdk.describe_namespace(name=namespace)
        except NotFoundError:
            return None

    def _delete_namespace(self, namespace: str) -> None:
        try:
            self._sdk.delete_namespace(name=namespace)
        except NotFoundError:
            return
