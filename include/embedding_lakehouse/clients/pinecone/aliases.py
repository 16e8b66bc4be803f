"""Namespace aliases: a name that readers use for a namespace, moved in one step. Not every service has them."""

import logging
from functools import partial
from typing import Any

import orjson
from pinecone import NotFoundError
from pinecone.errors import ApiError, ConflictError

from embedding_lakehouse.clients.pinecone.connection import IndexConnection

log = logging.getLogger(__name__)

NOT_IMPLEMENTED = 501


class Aliases(IndexConnection):
    """The namespace aliases of one index."""

    def alias_target(self, name: str) -> str | None:
        """The namespace that the alias leads to; None where there is no such alias, or no aliases at all."""
        return self._patiently("read alias", partial(self._alias, name))

    def point_alias(self, name: str, namespace: str) -> bool:
        """Let the alias lead to the namespace, whether it exists or not; False where the service has no aliases.

        Readers see the old namespace or the new one, never neither.
        """
        return self._patiently("point alias", partial(self._point, name, namespace))

    def release_alias(self, name: str, namespace: str) -> None:
        """Delete the alias where it leads to the namespace, which could not be deleted otherwise."""
        self._patiently("delete alias", partial(self._release, name, namespace))

    def _release(self, name: str, namespace: str) -> None:
        if self._alias(name) == namespace:
            self._sdk._http.delete(f"/namespace-aliases/{name}")

    def _alias(self, name: str) -> str | None:
        try:
            answer = self._sdk._http.get(f"/namespace-aliases/{name}")
        except ApiError as error:
            if _is_unknown(error):
                return None
            raise
        return orjson.loads(answer.content)["target_namespace"]

    def _point(self, name: str, namespace: str) -> bool:
        target = self._alias(name)
        if target == namespace:
            return True
        body: dict[str, Any] = {"target_namespace": namespace}
        try:
            if target is None:
                self._sdk._http.post("/namespace-aliases", json=body | {"name": name})
            else:
                self._sdk._http.patch(f"/namespace-aliases/{name}", json=body)
        except ConflictError:
            # Made by somebody else in this very moment, or the name of a namespace, which then no alias can have.
            return self._alias(name) == namespace
        except ApiError as error:
            if _is_unknown(error):
                log.info("the service has no namespace aliases: the release's row alone says which namespace is live")
                return False
            raise
        return True


def _is_unknown(error: ApiError) -> bool:
    return isinstance(error, NotFoundError) or error.status_code == NOT_IMPLEMENTED
