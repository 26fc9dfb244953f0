# SPDX-License-Identifier: Apache-2.0
"""Letting a device in (RFC 8628), by the page as a browser without scripts has it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, CookieJar
from typing_extensions import override

from tests.vedauth import DEVICE_CODE, VERIFY, allow, ask, ask_by_form, bearer, person, public_client, register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

    from tests.rest import Answer, Rest
    from tests.vedauth import Person

PAGE = "/aperture/activate"
XSS = "\"><script>alert(1)</script><b a='&amp;"


class Page(HTMLParser):
    """A page, read."""

    def __init__(self, status: int, headers: Any, text: str) -> None:
        super().__init__()
        self.status = status
        self.headers = headers
        self.source = text
        self.tags: list[str] = []
        self.fields: dict[str, str] = {}
        self.labels: set[str] = set()
        self.ids: set[str] = set()
        self.buttons: list[str] = []
        self.action = ""
        self.alert = ""
        self.lang = ""
        self.title = ""
        self._inside = ""
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._inside = "alert" if given.get("role") == "alert" else tag
        if tag == "html":
            self.lang = given["lang"]
        elif tag == "form":
            assert given["method"] == "post"
            self.action = given["action"]
        elif tag == "input":
            self.fields[given["name"]] = given.get("value", "")
            self.ids |= {given["id"]} if given.get("type") != "hidden" else set()
        elif tag == "label":
            self.labels.add(given["for"])
        elif tag == "button":
            self.buttons.append(given["value"])

    @override
    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    @override
    def handle_data(self, data: str) -> None:
        if self._inside == "alert":
            self.alert += data
        elif self._inside == "title":
            self.title += data

    @property
    def text(self) -> str:
        """What there is to read."""
        return re.sub(r"<style>.*?</style>|<[^>]*>", " ", self.source, flags=re.DOTALL)


@dataclass
class Browser:
    """A browser of one user."""

    session: ClientSession
    page: Page = field(init=False)

    async def open(self, path: str = PAGE, **headers: str) -> Page:
        """Opens a page."""
        async with self.session.get(path, headers=headers) as response:
            return await self._read(response)

    async def press(self, button: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
        """Fills in fields of the form and presses a button."""
        assert button in self.page.buttons
        data = {**self.page.fields, **fields, "decision": button}
        async with self.session.post(self.page.action, data=data, headers=headers) as response:
            return await self._read(response)

    async def sign_in(self, who: Person, user_code: str) -> Page:
        """Opens the page of a code and signs in."""
        await self.open(f"{PAGE}/{user_code}")
        return await self.press("look", username=who.username, password=who.password)

    async def _read(self, response: ClientResponse) -> Page:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        self.page = Page(response.status, response.headers, await response.text())
        return self.page


@pytest.fixture
async def browser(rest: Rest) -> AsyncIterator[Browser]:
    # Not the session that tests share, since a browser has cookies of its own; unsafe: of an address, too.
    jar = CookieJar(unsafe=True)
    async with ClientSession(rest.client.make_url("/"), cookie_jar=jar) as session:
        yield Browser(session)


async def start(rest: Rest, client_id: str, scope: str = "certificate:manage;ssh") -> dict[str, Any]:
    """Starts a device and returns its codes."""
    answer = await ask(rest, "device", {"client_id": client_id, "scope": scope})
    assert answer.status == 200, answer
    codes: dict[str, Any] = answer.json()
    return codes


async def poll(rest: Rest, client_id: str, codes: dict[str, Any]) -> Answer:
    """Asks for the tokens of a device."""
    body = {"client_id": client_id, "grant_type": DEVICE_CODE, "device_code": codes["device_code"]}
    return await ask_by_form(rest, "token", body)


# --- The device -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asking", [ask, ask_by_form])
async def test_a_device_is_told_where_its_user_goes(rest_over: Rest, asking: Any) -> None:
    who = await person(rest_over)

    answer = await asking(rest_over, "device", {"client_id": who.client_id, "scope": "ssh"})

    body = answer.json()
    page = str(rest_over.client.make_url(PAGE))
    assert answer.status == 200
    assert body.keys() == {
        "device_code",
        "expires",
        "expires_in",
        "interval",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
    }
    assert body["expires_in"] == 300
    assert body["verification_uri"] == page
    assert body["verification_uri_complete"] == f"{page}/{body['user_code']}"


async def test_a_device_waits_and_does_not_ask_too_often(rest: Rest) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)

    first, second = await poll(rest, who.client_id, codes), await poll(rest, who.client_id, codes)

    assert (first.status, first.json()["error"]) == (400, "authorization_pending")
    assert (second.status, second.json()["error"]) == (400, "slow_down")
    assert second.headers["Retry-After"] == "5"


async def test_a_user_lets_a_device_in(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)

    asked = await browser.sign_in(who, codes["user_code"])
    shown = asked.text
    allowed = await browser.press("allow", password=who.password)
    answer = await poll(rest, who.client_id, codes)

    assert asked.status == 200
    assert f"Client {who.client_id}" in shown
    assert who.client_id in shown
    assert "certificate:manage;ssh" in shown
    assert (allowed.status, allowed.title) == (200, "The device is allowed - Almoner")
    tokens = answer.json()
    assert answer.status == 200
    assert tokens["scope"] == "certificate:manage;ssh"
    verified = (await rest.get(VERIFY, by=bearer(tokens))).json()
    assert (verified["application"], verified["identity"]) == (who.client_id, tokens["identity"])
    assert (await poll(rest, who.client_id, codes)).json()["error"] == "expired_token"


async def test_a_user_refuses_a_device(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)

    await browser.sign_in(who, codes["user_code"])
    refused = await browser.press("refuse", password=who.password)

    assert (refused.status, refused.title) == (200, "The device is refused - Almoner")
    assert (await poll(rest, who.client_id, codes)).json()["error"] == "access_denied"


async def test_looking_decides_nothing(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)

    await browser.sign_in(who, codes["user_code"])

    assert (await poll(rest, who.client_id, codes)).json()["error"] == "authorization_pending"


# --- What goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong"}, 401),
        ({"username": "nobody here"}, 401),
        ({"username": "with:colon"}, 401),
        ({"password": ""}, 400),
        ({"username": ""}, 400),
        ({"user_code": ""}, 400),
        ({"user_code": "BBBB-BBBB"}, 400),
        ({"user_code": "no code at all"}, 400),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said_and_can_be_corrected(
    rest: Rest, browser: Browser, change: dict[str, str], status: int
) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)
    right = {"user_code": codes["user_code"], "username": who.username, "password": who.password}
    await browser.open()

    page = await browser.press("look", **{**right, **change})
    corrected = await browser.press("look", **right)

    assert page.status == status
    assert page.alert
    assert page.fields["password"] == ""
    assert corrected.buttons == ["allow", "refuse"]


async def test_a_password_that_is_wrong_the_second_time_allows_nothing(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)

    await browser.sign_in(who, codes["user_code"])
    page = await browser.press("allow", password="wrong")

    assert (page.status, page.buttons) == (401, ["look"])
    assert (await poll(rest, who.client_id, codes)).json()["error"] == "authorization_pending"


async def test_a_user_without_a_rule_cannot_let_it_in(rest: Rest, browser: Browser) -> None:
    who, other = await person(rest), await person(rest)
    codes = await start(rest, other.client_id)

    await browser.sign_in(who, codes["user_code"])
    page = await browser.press("allow", password=who.password)

    assert page.status == 403
    assert "may not use this application" in page.alert


async def test_a_code_is_used_once(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)
    await browser.sign_in(who, codes["user_code"])
    await browser.press("refuse", password=who.password)

    page = await browser.sign_in(who, codes["user_code"])

    assert page.status == 400
    assert "used already" in page.alert


@pytest.mark.parametrize("code", ["lower", "without hyphen", "blanks"])
async def test_a_code_may_be_written_carelessly(rest: Rest, browser: Browser, code: str) -> None:
    who = await person(rest)
    shown = (await start(rest, who.client_id))["user_code"]
    written = {"lower": shown.lower(), "without hyphen": shown.replace("-", ""), "blanks": f" {shown} "}[code]
    await browser.open()

    page = await browser.press("look", user_code=written, username=f"local:{who.username}", password=who.password)

    assert page.buttons == ["allow", "refuse"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/aperture", 404),
        ("GET", "/aperture/other", 404),
        ("PUT", PAGE, 405),
        ("GET", f"{PAGE}/{'x' * 65}", 404),
    ],
)
async def test_failures_are_pages(rest: Rest, method: str, path: str, status: int) -> None:
    answer = await rest.send(method, path, by=None)

    page = Page(answer.status, answer.headers, answer.content.decode())
    assert page.status == status
    assert page.alert
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# --- Other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[bad"},
    ],
    ids=str,
)
async def test_a_form_of_another_site_is_refused(rest: Rest, browser: Browser, headers: dict[str, str]) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)
    await browser.sign_in(who, codes["user_code"])

    page = await browser.press("allow", headers, password=who.password)

    assert (page.status, page.buttons) == (403, [])
    assert (await poll(rest, who.client_id, codes)).json()["error"] == "authorization_pending"


async def test_a_form_of_this_site_is_taken(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)
    own = {"Origin": str(rest.client.make_url("/").origin()), "Sec-Fetch-Site": "same-origin"}
    await browser.sign_in(who, codes["user_code"])

    assert (await browser.press("allow", own, password=who.password)).status == 200


async def test_a_proxy_may_end_tls(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)
    await browser.sign_in(who, codes["user_code"])

    origin = f"https://{rest.client.make_url('/').authority}"

    assert (await browser.press("allow", {"Origin": origin}, password=who.password)).status == 200


@pytest.mark.parametrize("token", ["", "A" * 22, "other", "\u00e9"])
async def test_a_form_without_the_browsers_token_is_refused(rest: Rest, browser: Browser, token: str) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)
    await browser.sign_in(who, codes["user_code"])

    page = await browser.press("allow", password=who.password, form_token=token)

    assert page.status == 403
    assert "out of date" in page.alert


async def test_a_form_without_a_cookie_is_refused(rest: Rest) -> None:
    form = [("Content-Type", "application/x-www-form-urlencoded")]

    answer = await rest.post(PAGE, data=b"form_token=&user_code=a&username=b&password=c", by=None, headers=form)

    assert answer.status == 403


async def test_a_browser_keeps_its_token_between_forms(browser: Browser) -> None:
    first = (await browser.open()).fields["form_token"]

    assert (await browser.open()).fields["form_token"] == first


async def test_the_cookie_stays_with_the_page(browser: Browser) -> None:
    page = await browser.open()

    cookie = page.headers["Set-Cookie"]
    token = page.fields["form_token"]
    assert cookie == f"almoner-activation={token}; Path=/aperture; HttpOnly; SameSite=Strict"
    assert len(base64.urlsafe_b64decode(token + "==")) == 16


# --- The page ---------------------------------------------------------------------------------------------------------


async def test_whatever_is_put_into_a_page_is_escaped(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    client_id = "named-by-an-attacker"
    application = public_client(client_id)
    application.name = XSS
    await register(rest, application)
    await allow(rest, client_id, who.id)
    codes = await start(rest, client_id)

    asked = await browser.sign_in(who, codes["user_code"])
    entered = await browser.open()
    again = await browser.press("look", user_code=XSS, username=XSS, password="p")

    assert "&lt;script&gt;" in asked.source
    assert "script" not in {*asked.tags, *entered.tags, *again.tags}
    assert "b" not in {*asked.tags, *again.tags}
    assert (again.fields["user_code"], again.fields["username"]) == (XSS, XSS)


async def test_a_code_in_the_path_is_escaped(browser: Browser) -> None:
    page = await browser.open(f"{PAGE}/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")

    assert "script" not in page.tags
    assert page.fields.get("user_code", "") in {'"><script>alert(1)</script>', ""}


async def test_the_page_can_do_nothing_but_be_read_and_sent(browser: Browser) -> None:
    page = await browser.open()

    style = page.source.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert "script" not in page.tags


async def test_the_page_can_be_used_by_everybody(rest: Rest, browser: Browser) -> None:
    who = await person(rest)
    codes = await start(rest, who.client_id)

    entered = await browser.open(f"{PAGE}/{codes['user_code']}")
    assert (entered.lang, entered.title) == ("en", "Activate a device - Almoner")
    assert entered.fields["user_code"] == codes["user_code"]
    assert entered.ids == entered.labels == {"user_code", "username", "password"}
    asked = await browser.press("look", username=who.username, password=who.password)
    assert asked.ids == asked.labels == {"password"}
    assert asked.title == "Allow this device? - Almoner"


async def test_a_browsers_remembered_credentials_do_not_count(rest: Rest, browser: Browser) -> None:
    await browser.open()

    page = await browser.press(
        "look", {"Authorization": "Basic bm9ib2R5Ondyb25n"}, user_code="a", username="b", password="c"
    )

    assert page.status == 401
    assert page.alert
