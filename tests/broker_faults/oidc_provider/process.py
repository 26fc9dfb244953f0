# SPDX-License-Identifier: Apache-2.0
"""The `oidc-provider` of npm as tests have it: installed from its hashed lock, run as a process, and consented to."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import secrets
import shutil
import subprocess
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from yarl import URL

from tests.broker_faults.provider.process import PATIENCE, SCOPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HERE: Final = Path(__file__).parent
CLIENT_ID: Final = "almoner"
CLIENT_SECRET: Final = "secret of almoner"
CALLBACK: Final = "http://127.0.0.1/v1/oauth/callback"

_INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
_UNREACHABLE: Final = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")


class UnavailableError(Exception):
    """The provider cannot run on this machine; the message says what it lacks."""


@dataclass
class OidcProvider:
    """The provider that runs.

    Attributes:
        url: Where it is, without a path: /auth, /token and /token/revocation are its endpoints.
        session: What tests reach it by.
    """

    url: str
    session: aiohttp.ClientSession

    async def grant(self, scope: str = SCOPE) -> Any:
        """Goes through the authorization code flow with PKCE as a new user, and returns the body with the tokens."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": CALLBACK,
            "scope": scope,
            "state": "xyz",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        callback = await self.consent(URL(self.url).with_path("/auth").with_query(query))
        form = {
            "grant_type": "authorization_code",
            "code": callback.query["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        async with self.session.post(f"{self.url}/token", data=form, headers=_BASIC) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.json()

    async def consent(self, authorization: URL) -> URL:
        """Follows an authorization URL as a new user's browser would, and returns where that is sent back to."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            location = authorization
            while location.host == authorization.host and location.port == authorization.port:
                async with browser.get(location, allow_redirects=False) as reply:
                    assert reply.status in {302, 303}, await reply.text()
                    location = location.join(URL(reply.headers["Location"]))
        return location

    async def refresh(self, refresh_token: str) -> tuple[int, Any]:
        """Refreshes as the client would, and returns status and body."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        async with self.session.post(f"{self.url}/token", data=form, headers=_BASIC) as reply:
            return reply.status, await reply.json()

    async def counts(self) -> tuple[int, int]:
        """Returns how many refreshes gave tokens, and how often a refresh token came that was used before."""
        async with self.session.get(f"{self.url}/counts") as reply:
            counts = await reply.json(content_type=None)
            return counts["refreshes"], counts["reuses"]

    async def lose_next_answer(self) -> None:
        """Lets the next answer of the token endpoint be lost, after everything about it was done."""
        async with self.session.post(f"{self.url}/lose") as reply:
            assert reply.status == 200


_BASIC: Final = {"Authorization": aiohttp.encode_basic_auth(CLIENT_ID, CLIENT_SECRET.replace(" ", "+"))}


@asynccontextmanager
async def oidc_provider_process() -> AsyncIterator[OidcProvider]:
    """Installs the provider where that was not done, and runs it.

    Raises:
        UnavailableError: there is no Node.js, or its packages cannot be had.
    """
    await asyncio.to_thread(_install)
    process = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / "server.mjs"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        async with aiohttp.ClientSession() as session:
            yield OidcProvider(f"http://127.0.0.1:{port}", session)
    finally:
        process.kill()
        await process.wait()


def _install() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise UnavailableError("the second provider needs Node.js 20 or later, with npm")
    version = subprocess.run(("node", "--version"), capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        raise UnavailableError(f"the second provider needs Node.js 20 or later, not {version.strip()}")
    lock = HERE / "package-lock.json"
    stamp = HERE / "node_modules" / ".installed"
    with _alone():
        if stamp.exists() and stamp.read_text() == lock.read_text():
            return
        result = subprocess.run(_INSTALL, cwd=HERE, capture_output=True, text=True, check=False)
        if any(code in result.stderr for code in _UNREACHABLE):
            raise UnavailableError("the second provider needs a registry of npm packages, which cannot be reached")
        assert result.returncode == 0, result.stderr
        stamp.write_text(lock.read_text())


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps the other test processes from installing at the same time."""
    with (HERE / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
