"""The application: both services' routes, the behaviour that a test puts in force, and what was asked."""

from dataclasses import asdict

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dev.model_server import bedrock_plane, bulk_plane, openai_plane
from dev.model_server.behaviour import Behaviour, Fault, Record
from dev.model_server.bulk import Bulk
from dev.model_server.connections import CutConnection


def create_app(api_key: str) -> ASGIApp:
    """The application, which asks OpenAI's clients for the key."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.record = Record()
    app.state.bulk = Bulk(app.state.record)
    app.state.api_key = api_key
    app.include_router(openai_plane.router)
    app.include_router(bulk_plane.router)
    app.include_router(bedrock_plane.router)
    app.put("/behaviour")(put_behaviour)
    app.put("/faults")(put_faults)
    app.get("/asked")(show_asked)
    return HangingUp(app)


async def put_behaviour(request: Request) -> dict:
    """Put a behaviour in force, and forget all that was: `{"poison": "bad", "faults": [{"kind": "throttled", "times": 2}]}`."""
    wanted = await request.json()
    faults = [Fault(**fault) for fault in wanted.pop("faults", [])]
    request.app.state.record.put(Behaviour(**wanted, faults=faults))
    request.app.state.bulk.forget()
    return asdict(request.app.state.record.behaviour)


async def put_faults(request: Request) -> dict:
    """Put faults in the place of those in force: `[{"kind": "unauthorized", "on": "GET /v1/batches"}]`. All else stays as it was."""
    behaviour: Behaviour = request.app.state.record.behaviour
    behaviour.faults = [Fault(**fault) for fault in await request.json()]
    return asdict(behaviour)


def show_asked(request: Request) -> dict:
    """The requests since then, how often each text was embedded and put in a batch, how often each call was made, and the files kept."""
    record: Record = request.app.state.record
    return {
        "requests": [asked._asdict() for asked in record.asked],
        "texts": record.texts,
        "batched": record.batched,
        "calls": record.calls,
        "files": len(request.app.state.bulk.files),
    }


class HangingUp:
    """Lets a route cut its connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["hang_up"] = lambda: send.__self__.transport.abort()  # type: ignore[attr-defined]
        try:
            await self._app(scope, receive, send)
        except CutConnection:
            return
