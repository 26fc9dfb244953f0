# SPDX-License-Identifier: Apache-2.0
"""The five interceptors of every call, outermost first: telemetry, errors, deadline, authentication, validation.

Each wraps a method's behavior once, when the method is first called, and looks at the call through its context only:
the same chain serves a socket and the in-process channel.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import unquote

import grpc
import protovalidate
import structlog
from google.protobuf.message import DecodeError, Message
from opentelemetry import propagate, trace
from prometheus_client import Counter, Gauge, Histogram
from typing_extensions import override

from service.access.authorization import denied
from service.access.permissions import Permission
from service.access.scopes import limited
from service.errors import DeadlineExceeded, DomainError, InvalidField, PermissionDenied, Reason, Violation
from service.rpc import call as calls
from service.rpc import status
from service.rpc.streams import writing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message as AnyMessage

    from service.access.authentication import Authenticator
    from service.access.caller import Caller

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Behavior: TypeAlias = Callable[[Any, Context], Coroutine[Any, Any, Any]]

OWN_METHODS: Final = "/almoner."
"""Prefix of our own services; health and reflection are anybody's."""

ANONYMOUS_METHODS: Final = frozenset(
    f"/almoner.v1.{name}"
    for name in (
        "ApplicationService/RotateOwnSecret",
        "ProfileService/CompleteAuthorization",
        "TokenService/ExchangeApiToken",
        "TokenService/IssueClientToken",
        "TokenService/IssueToken",
        "TokenService/ListSigningKeys",
        "TokenService/RefreshToken",
        "TokenService/RevokeToken",
        "TokenService/StartDeviceAuthorization",
        "TokenService/VerifyToken",
    )
)
"""Methods that need no caller: their messages hold the credential, and metadata may hold one that is long stale."""

_LOG = structlog.get_logger(__name__)
_TRACER = trace.get_tracer("almoner")

_DURATION = Histogram(
    "almoner_rpc_duration_seconds",
    "Time from when a call is taken up to its end.",
    ("method", "code"),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_RUNNING = Gauge("almoner_rpc_running", "Calls that are being served.")
_REFUSED = Counter("almoner_authentication_refused_total", "Calls whose credentials were refused.", ("reason",))


class _Undecodable:
    """Stands for a request that is no message of the method's type."""


_UNDECODABLE = _Undecodable()


class CallInterceptor(grpc.aio.ServerInterceptor):
    """An interceptor of calls with one request, whether one reply or a stream of them answers it.

    Streams of requests, of which this API has none, pass through.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    @abstractmethod
    def around(self, method: str, behavior: Behavior) -> Behavior:
        """Returns `behavior` of `method`, wrapped. What can be done once a method is done here."""

    def around_stream(self, method: str, behavior: Behavior) -> Behavior:
        """Returns `behavior` of a method that streams, which writes to its context and returns nothing, wrapped."""
        return self.around(method, behavior)

    def deserializer(self, of: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
        """Returns the request deserializer to use instead of `of`."""
        return of

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        method = handler_call_details.method
        wrapped = self._handlers.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return cast("grpc.RpcMethodHandler[Any, Any]", handler)
        deserializer: Any = self.deserializer(cast("Any", handler.request_deserializer))
        serializer: Any = handler.response_serializer
        if handler.unary_unary is not None:
            unary: Any = self.around(method, cast("Behavior", handler.unary_unary))
            wrapped = grpc.unary_unary_rpc_method_handler(unary, deserializer, serializer)
        else:
            stream: Any = self.around_stream(method, writing(cast("Any", handler.unary_stream)))
            wrapped = grpc.unary_stream_rpc_method_handler(stream, deserializer, serializer)
        self._handlers[method] = wrapped
        return wrapped


class TelemetryInterceptor(CallInterceptor):
    """Opens the call: request id, span, metrics, access log. Outermost, so that it sees the final status."""

    def __init__(self, *, access_log: bool = False) -> None:
        super().__init__()
        self._access_log = access_log
        self._running = 0
        _RUNNING.set_function(lambda: self._running)

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        service, _, name = method.removeprefix("/").partition("/")
        attributes = {"rpc.system.name": "grpc", "rpc.method": f"{service}/{name}"}
        # Only the codes that are met: a histogram has many series.
        observers: dict[grpc.StatusCode, Callable[[float], None]] = {}
        # Without a provider every span is a blank one, which would only cost.
        traced = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

        async def call(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            current = calls.Call(method, dict(cast("Any", context.invocation_metadata() or ())))
            token = calls.enter(current)
            self._running += 1
            span = _start_span(current, attributes) if traced else None
            cancelled = False
            try:
                return await behavior(request, context)
            except asyncio.CancelledError:
                cancelled = True
                raise
            finally:
                code: Any = grpc.StatusCode.CANCELLED if cancelled else context.code()
                if code.__class__ is not grpc.StatusCode:
                    # gRPC gives it as an enum member, as its number, or not at all.
                    code = _BY_NUMBER.get(code, _OK)
                elapsed = time.perf_counter() - started
                observe = observers.get(code)
                if observe is None:
                    observe = observers[code] = _DURATION.labels(method, code.name).observe
                observe(elapsed)
                self._running -= 1
                if span is not None:
                    span.set_attribute("rpc.response.status_code", code.name)
                    span.end()
                if self._access_log:
                    _log_access(current, code, elapsed)
                calls.leave(token)

        return call


class ErrorInterceptor(CallInterceptor):
    """Turns whatever is raised into a status. Without it gRPC would send the text of any exception to the client."""

    @override
    def deserializer(self, of: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
        if of is None:
            return None

        def deserialize(data: bytes) -> Any:
            try:
                return of(data)
            except DecodeError:
                return _UNDECODABLE

        return deserialize

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        async def call(request: Any, context: Context) -> Any:
            try:
                if request is _UNDECODABLE:
                    raise InvalidField(Violation("", "the request is no message of this method"))  # noqa: TRY301
                return await behavior(request, context)
            except grpc.aio.AbortError:
                raise
            except DomainError as error:
                abort = status.to_abort(error)
            except Exception as error:  # noqa: BLE001 - the one place: nothing of it may reach the client
                request_id = calls.current_call().request_id
                _LOG.exception("rpc.failed", method=method, request_id=request_id, error=type(error).__name__)
                abort = status.internal(request_id)
            return await context.abort(abort.code, abort.details, abort.trailing_metadata)

        return call


class DeadlineInterceptor(CallInterceptor):
    """Bounds every call by its client's deadline, and by the server's where that is sooner or there is none.

    A stream lasts as long as its client wants it to: nothing but their own deadline bounds it.
    """

    def __init__(self, limit: float) -> None:
        """`limit` is in seconds."""
        super().__init__()
        self._limit = limit
        self._deadlines = _Deadlines()

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        async def call(request: Any, context: Context) -> Any:
            work = behavior(request, context)
            try:
                waits_for = work.send(None)
            except StopIteration as answer:  # it has waited for nothing, so there was nothing to bound
                return answer.value
            remaining = cast("float | None", context.time_remaining())
            limit = self._limit if remaining is None else min(remaining, self._limit)
            deadline = self._deadlines.watch(limit)
            try:
                return await _Begun(work, waits_for)
            except asyncio.CancelledError:
                deadline.claim()
                raise
            finally:
                self._deadlines.lift(deadline)

        return call

    @override
    def around_stream(self, method: str, behavior: Behavior) -> Behavior:
        async def call(request: Any, context: Context) -> None:
            remaining = cast("float | None", context.time_remaining())
            if remaining is None:
                await behavior(request, context)
                return
            deadline = self._deadlines.watch(remaining)
            try:
                await behavior(request, context)
            except asyncio.CancelledError:
                deadline.claim()
                raise
            finally:
                self._deadlines.lift(deadline)

        return call


class _Begun(Coroutine[Any, Any, Any]):
    """A coroutine that has run up to what it waits for first."""

    __slots__ = ("_waits_for", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any], waits_for: object) -> None:
        self._work = work
        self._waits_for = [waits_for]

    def __await__(self) -> Generator[Any, Any, Any]:
        return cast("Generator[Any, Any, Any]", self)

    def __next__(self) -> Any:
        return self.send(None)

    @override
    def send(self, value: Any) -> Any:
        return self._waits_for.pop() if self._waits_for else self._work.send(value)

    @override
    def throw(self, *error: Any) -> Any:
        self._waits_for.clear()
        return self._work.throw(*error)

    @override
    def close(self) -> None:
        self._work.close()


class _Deadlines:
    """Cancels tasks when it is time, with one timer for all of them.

    To set a timer and to cancel it again takes longer than many a call, and hardly any deadline ever passes.
    """

    def __init__(self) -> None:
        self._watched: set[_Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, seconds: float) -> _Deadline:
        """Watches a deadline of the current task until it passes or is lifted."""
        loop = asyncio.get_running_loop()
        deadline = _Deadline(loop.time() + seconds)
        self._watched.add(deadline)
        timer = self._timer
        if timer is None or timer.when() > deadline.when:
            if timer is not None:
                timer.cancel()
            self._timer = loop.call_at(deadline.when, self._look, loop)
        return deadline

    def lift(self, deadline: _Deadline) -> None:
        """Ends the watch."""
        self._watched.discard(deadline)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        passed = [deadline for deadline in self._watched if deadline.when <= now]
        for deadline in passed:
            self._watched.discard(deadline)
            deadline.expire()
        if self._watched:
            # A timer may be early, by less than a millisecond.
            earliest = max(now + 0.001, min(deadline.when for deadline in self._watched))
            self._timer = loop.call_at(earliest, self._look, loop)


class _Deadline:
    """When the current task is to be cancelled; what `asyncio.timeout` is, at a fraction of its cost."""

    __slots__ = ("_before", "_passed", "_task", "when")

    def __init__(self, when: float) -> None:
        """`when` is a time of the event loop, in seconds."""
        self.when = when
        self._task = asyncio.current_task()
        # In process the task is the caller's own, which may be on its way out already.
        self._before = self._task.cancelling() if self._task is not None else 0
        self._passed = False

    def expire(self) -> None:
        """Cancels the task."""
        self._passed = True
        if self._task is not None:
            self._task.cancel()

    def claim(self) -> None:
        """Turns the cancellation into an error, if it is this deadline's and nobody else wants the task to end.

        Raises:
            DeadlineExceeded: it is.
        """
        if self._passed and self._task is not None and self._task.uncancel() <= self._before:
            raise DeadlineExceeded from None


class AuthenticationInterceptor(CallInterceptor):
    """Finds the caller of each of our own methods that has one, and whom they act for."""

    def __init__(self, authenticator: Authenticator) -> None:
        super().__init__()
        self._authenticator = authenticator

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        if not method.startswith(OWN_METHODS) or method in ANONYMOUS_METHODS:
            return behavior

        async def call(request: Any, context: Context) -> Any:
            current = calls.current_call()
            current.caller = await self.caller_of(current)
            return await behavior(request, context)

        return call

    async def caller_of(self, current: calls.Call) -> Caller:
        """Returns the caller that the metadata of a call name.

        Raises:
            Unauthenticated: see `Authenticator.authenticate`.
            PermissionDenied: they lack what a dialect asks for, or may not act for the user whom they name.
            TooManyAttempts: too many passwords wait to be checked.
            StorageUnavailable: the directory cannot be read.
        """
        try:
            caller = await self._authenticator.authenticate(current.text(calls.AUTHORIZATION))
        except DomainError as error:
            _REFUSED.labels(error.reason.value).inc()
            raise
        if scopes := current.text(calls.REQUIRED_SCOPES):
            _require_scopes(caller, scopes)
        if required := current.text(calls.REQUIRED_PERMISSIONS):
            _require(caller, required)
        subject = current.text(calls.ON_BEHALF_OF)
        return await self._acting_for(caller, unquote(subject)) if subject else caller

    async def _acting_for(self, caller: Caller, username: str) -> Caller:
        if username == caller.username:
            return caller
        refused = PermissionDenied(
            Reason.ON_BEHALF_REFUSED,
            f"you may not act on behalf of {username!r}",
            metadata={"user": username},
        )
        if not caller.holds_anywhere(Permission.ON_BEHALF_OF) or "\x00" in username:
            raise refused
        login = await self._authenticator.find(username)
        if login is None or Permission.ON_BEHALF_OF not in caller.holds(login.caller.organization):
            raise refused
        return limited(caller.acting_for(login.caller), caller.scopes)


class ValidationInterceptor(CallInterceptor):
    """Holds every request to the rules that its proto file states."""

    def __init__(self) -> None:
        super().__init__()
        self._validator = protovalidate.Validator()

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        if not method.startswith(OWN_METHODS):
            return behavior
        collect = self._validator.collect_violations

        async def call(request: AnyMessage, context: Context) -> Message:
            violations = collect(request)
            if violations:
                raise InvalidField(*(_violation(violation) for violation in violations))
            return cast("Message", await behavior(request, context))

        return call


def _start_span(current: calls.Call, attributes: Mapping[str, str]) -> trace.Span:
    """Starts the span of a call, in the trace that its client names (W3C traceparent)."""
    parent = propagate.extract(current.metadata)
    return _TRACER.start_span(current.method, parent, kind=trace.SpanKind.SERVER, attributes=attributes)


def _log_access(current: calls.Call, code: grpc.StatusCode, elapsed: float) -> None:
    _LOG.info(
        "rpc.served",
        method=current.method,
        code=code.name,
        milliseconds=round(elapsed * 1_000, 3),
        user=current.caller.username if current.caller else None,
        request_id=current.request_id,
    )


def _require(caller: Caller, names: str) -> None:
    for name in names.split(","):
        permission = Permission.__members__.get(name)
        if permission is None or not caller.holds_anywhere(permission):
            raise denied(permission)


def _require_scopes(caller: Caller, names: str) -> None:
    if caller.scopes is None:
        return
    for scope in names.split(","):
        if scope not in caller.scopes:
            raise PermissionDenied(
                Reason.SCOPE_MISSING, f"the access token lacks the scope {scope}", metadata={"scope": scope}
            )


def _violation(violation: protovalidate.Violation) -> Violation:
    """Returns a violation with its path in the form `profile.client.client_id`, `user.role_ids[3]`."""
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return Violation(path, violation.proto.message or violation.proto.rule_id)


_OK: Final = grpc.StatusCode.OK
_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}
