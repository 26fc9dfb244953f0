# SPDX-License-Identifier: Apache-2.0
"""The usual way: aiohttp, and one ORM session and commit per request. `python -m benchmarks.ceilings.orm PORT FILE`.

It does what a durable, audited update must do and nothing else: find the caller by the digest of the credentials, read
the row, change it, store an audit event beside it, commit. It spares what the product also does: no sealing, no
permissions, no etag check, no password hashing. Sessions run on the event loop: one on a thread was slower.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from typing import Any

import uvloop
from aiohttp import web
from sqlalchemy import Engine, event
from sqlmodel import Field, Session, SQLModel, create_engine, select

from benchmarks.servers import BASIC


class User(SQLModel, table=True):
    """Who may call."""

    id: int | None = Field(default=None, primary_key=True)
    username: str
    credentials: str = Field(index=True)


class Profile(SQLModel, table=True):
    """What is kept."""

    id: int | None = Field(default=None, primary_key=True)
    owner_id: int
    name: str
    description: str
    application_number: int
    access_token: str
    refresh_token: str
    updated: int = 0
    revision: int = 1


class AuditEvent(SQLModel, table=True):
    """What was done."""

    id: int | None = Field(default=None, primary_key=True)
    time: int
    user_id: int
    action: str
    profile_id: int


def _digest(authorization: str) -> str:
    return hashlib.sha256(authorization.encode()).hexdigest()


def open_engine(file: str) -> Engine:
    """Opens a file as durable as the product's, with a user and a profile."""
    engine = create_engine(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(User(username="admin", credentials=_digest(BASIC)))
        session.add(
            Profile(
                owner_id=1,
                name="User_1",
                description="",
                application_number=1,
                access_token="111c334445e55",
                refresh_token="222d",
            )
        )
        session.commit()
    return engine


def _caller(session: Session, request: web.Request) -> User:
    digest = _digest(request.headers.get("Authorization", ""))
    user = session.exec(select(User).where(User.credentials == digest)).first()
    if user is None:
        raise web.HTTPUnauthorized
    return user


def _found(session: Session, request: web.Request) -> Profile:
    profile = session.get(Profile, int(request.match_info["id"]))
    if profile is None:
        raise web.HTTPNotFound
    return profile


def application(engine: Engine) -> web.Application:
    """Returns the two routes over an engine."""

    async def get(request: web.Request) -> web.Response:
        with Session(engine) as session:
            _caller(session, request)
            return web.json_response(_found(session, request).model_dump())

    async def update(request: web.Request) -> web.Response:
        body = await request.json()
        with Session(engine) as session:
            user = _caller(session, request)
            profile = _found(session, request)
            profile.name = body["name"]
            profile.description = body["description"]
            profile.application_number = body["oauthAppId"]
            profile.access_token = body["accessToken"]
            profile.refresh_token = body["refreshToken"]
            profile.updated = time.time_ns() // 1000
            profile.revision += 1
            session.add(
                AuditEvent(
                    time=profile.updated, user_id=user.id or 0, action="profile.update", profile_id=profile.id or 0
                )
            )
            session.commit()
            session.refresh(profile)
            return web.Response(text=json.dumps(profile.model_dump()), content_type="application/json")

    app = web.Application()
    app.router.add_get("/profiles/{id}", get)
    app.router.add_put("/profiles/{id}", update)
    return app


async def serve(port: int, file: str) -> None:
    """Serves until the process is ended."""
    runner = web.AppRunner(application(open_engine(file)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
