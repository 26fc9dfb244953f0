# SPDX-License-Identifier: Apache-2.0
"""The service as a channel in the same process: what the stubs take for a `grpc.aio.Channel`.

The same interceptors and servicers run, with no serialization and no socket. A request message is handed over, not
copied: its sender must not change it afterwards.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

import grpc
from grpc.aio import EOF, AbortError, AioRpcError, Metadata

from service.rpc.streams import writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

Resolve: TypeAlias = "Callable[[str], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]"

_NO_METADATA = Metadata()
_NOT_FOUND = "Method not found!"
_END = object()
"""What comes after the last message of a stream."""

_SERVING: set[asyncio.Task[None]] = set()
"""The streams that run: an event loop alone does not keep a task from being collected."""


class LocalChannel:
    """Takes servicers as a server does, and serves calls as a channel does.

    The generated `add_XServicer_to_server` functions accept it as their server, the generated stubs as their channel.
    """

    def __init__(self, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> None:
        """`interceptors` are the server's, outermost first."""
        self._interceptors = tuple(interceptors)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[object]) -> None:
        """Does nothing: `add_registered_method_handlers` brings the same methods by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Takes the methods of one service."""
        for name, handler in handlers.items():
            self._handlers[f"/{service}/{name}"] = handler

    def unary_unary(self, method: str, *_args: object, **_options: object) -> LocalMethod:
        """Returns the method as a callable, as `grpc.aio.Channel.unary_unary` does."""
        return LocalMethod(method, self._resolve)

    def unary_stream(self, method: str, *_args: object, **_options: object) -> LocalStreamMethod:
        """Returns the method as a callable, as `grpc.aio.Channel.unary_stream` does."""
        return LocalStreamMethod(method, self._resolve)

    def stream_unary(self, method: str, *_args: object, **_options: object) -> Callable[..., NoReturn]:
        """Returns a callable that refuses: streams of requests, of which this API has none, need a real channel."""
        return _refuse_requests(method)

    stream_stream = stream_unary

    async def close(self, grace: float | None = None) -> None:
        """Does nothing: the service ends with its owner, not with a channel to it."""

    async def _resolve(self, method: str) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Returns a method inside all interceptors."""

        async def innermost(details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
            return self._handlers.get(details.method)

        continuation: Any = innermost
        for interceptor in reversed(self._interceptors):
            continuation = _around(interceptor, continuation)
        return cast("grpc.RpcMethodHandler[Any, Any] | None", await continuation(_Details(method)))


class LocalMethod:
    """One unary method of the service, as a stub calls it."""

    def __init__(self, method: str, resolve: Resolve) -> None:
        """`resolve` finds the method at the first call."""
        self._method = method
        self._resolve = resolve
        self._behavior: Callable[[Any, Any], Awaitable[Any]] | None = None

    async def __call__(
        self,
        request: object,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is gRPC's
        metadata: Sequence[tuple[str, str | bytes]] | Metadata | None = None,
        **_options: object,
    ) -> Any:
        """Serves one call.

        Args:
            request: The request message.
            timeout: Seconds until the deadline; None: the server's own limit.
            metadata: Pairs to send.

        Raises:
            AioRpcError: the call ends with another status than OK.
        """
        behavior = self._behavior
        if behavior is None:
            handler = await self._resolve(self._method)
            if handler is None or handler.unary_unary is None:
                raise _error(grpc.StatusCode.UNIMPLEMENTED, _NOT_FOUND, _NO_METADATA)
            behavior = self._behavior = cast("Callable[[Any, Any], Awaitable[Any]]", handler.unary_unary)
        context = LocalContext(tuple(metadata or ()), timeout)
        try:
            response = await behavior(request, context)
        except AbortError:
            raise context.error() from None
        if context.code() is not grpc.StatusCode.OK:
            raise context.error()
        return response


class LocalStreamMethod:
    """One method of the service that streams, as a stub calls it."""

    def __init__(self, method: str, resolve: Resolve) -> None:
        """`resolve` finds the method."""
        self._method = method
        self._resolve = resolve

    def __call__(
        self,
        request: object,
        *,
        timeout: float | None = None,
        metadata: Sequence[tuple[str, str | bytes]] | Metadata | None = None,
        **_options: object,
    ) -> LocalStream:
        """Begins one call; arguments as those of `LocalMethod`."""
        context = LocalStreamContext(tuple(metadata or ()), timeout)
        return LocalStream(asyncio.create_task(self._serve(request, context)), context)

    async def _serve(self, request: object, context: LocalStreamContext) -> None:
        handler = await self._resolve(self._method)
        try:
            if handler is None or handler.unary_stream is None:
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, _NOT_FOUND)
            await writing(cast("Any", handler.unary_stream))(request, context)
        except AbortError:
            raise context.error() from None
        if context.code() is not grpc.StatusCode.OK:
            raise context.error()


class LocalStream:
    """A call that streams: what of `grpc.aio.UnaryStreamCall` clients use."""

    def __init__(self, serving: asyncio.Task[None], context: LocalStreamContext) -> None:
        """`serving` is the call as the service runs it."""
        self._serving = serving
        self._context = context
        _SERVING.add(serving)
        serving.add_done_callback(_SERVING.discard)
        serving.add_done_callback(context.end)

    def __del__(self) -> None:
        # A stream that nobody reads any more would wait for its reader for ever.
        self._serving.cancel()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not EOF:
            yield message

    async def read(self) -> Any:
        """Returns the next message, or `grpc.aio.EOF` after the last one.

        Raises:
            AioRpcError: the call has ended with another status than OK.
            CancelledError: it was cancelled.
        """
        try:
            message = await self._context.take()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if message is not _END:
            return message
        await self._serving
        return EOF

    def cancel(self) -> bool:
        """Ends the call, and says whether it was running."""
        return self._serving.cancel()

    def cancelled(self) -> bool:
        """Whether the call was cancelled."""
        return self._serving.cancelled()

    def done(self) -> bool:
        """Whether the call has ended."""
        return self._serving.done()

    async def code(self) -> grpc.StatusCode:
        """Waits for the end of the call and returns its status."""
        await asyncio.wait((self._serving,))
        return grpc.StatusCode.CANCELLED if self._serving.cancelled() else self._context.code()

    async def details(self) -> str:
        """Waits for the end of the call and returns the text of its status."""
        await asyncio.wait((self._serving,))
        return self._context.details()

    async def trailing_metadata(self) -> Metadata:
        """Waits for the end of the call and returns the metadata that it ends with."""
        await asyncio.wait((self._serving,))
        return self._context.trailing_metadata()


class LocalContext:
    """What a servicer knows of its call, as `grpc.aio.ServicerContext` tells it."""

    __slots__ = ("_code", "_deadline", "_details", "_metadata", "_trailing")

    def __init__(self, metadata: tuple[tuple[str, str | bytes], ...], timeout: float | None) -> None:
        """`timeout` is in seconds."""
        self._metadata = metadata
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._code = grpc.StatusCode.OK
        self._details = ""
        self._trailing: tuple[tuple[str, str | bytes], ...] = ()

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Returns what the client sent."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Returns the seconds until the client's deadline, None where there is none."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def peer(self) -> str:
        """Returns who is calling: this process."""
        return "inprocess:"

    def code(self) -> grpc.StatusCode:
        """Returns the status code so far."""
        return self._code

    def details(self) -> str:
        """Returns the status text so far."""
        return self._details

    def set_code(self, code: grpc.StatusCode) -> None:
        """Sets the status code to end with."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Sets the status text to end with."""
        self._details = details

    def set_trailing_metadata(self, trailing_metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Sets the metadata to end with."""
        self._trailing = tuple(trailing_metadata)

    async def send_initial_metadata(self, initial_metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Does nothing: a call that does not stream has no use for them."""

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Sequence[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """Ends the call.

        Raises:
            AbortError: always.
        """
        self._code, self._details, self._trailing = code, details, tuple(trailing_metadata)
        raise AbortError

    def trailing_metadata(self) -> Metadata:
        """Returns the metadata so far that the call ends with."""
        return Metadata(*self._trailing)

    def error(self) -> AioRpcError:
        """Returns the status as the error that the caller gets."""
        return _error(self._code, self._details, self.trailing_metadata())


class LocalStreamContext(LocalContext):
    """The context of a method that streams. A message is handed over before the method makes the next one."""

    __slots__ = ("_messages",)

    def __init__(self, metadata: tuple[tuple[str, str | bytes], ...], timeout: float | None) -> None:
        super().__init__(metadata, timeout)
        self._messages: asyncio.Queue[Any] = asyncio.Queue()

    async def write(self, message: object) -> None:
        """Hands a message over, and waits until it has been taken."""
        self._messages.put_nowait(message)
        await self._messages.join()

    async def take(self) -> Any:
        """Waits for a message; returns _END where none will come any more."""
        message = await self._messages.get()
        if message is _END:
            self.end()
        else:
            self._messages.task_done()
        return message

    def end(self, serving: asyncio.Task[None] | None = None) -> None:
        """Tells the reader that no message will come any more."""
        if serving is not None and not serving.cancelled():
            serving.exception()  # Whoever reads to the end gets it; nobody has to.
        self._messages.put_nowait(_END)


class _Details:
    """`grpc.HandlerCallDetails` of a method: interceptors look at its name only."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


def _around(interceptor: grpc.aio.ServerInterceptor, continuation: Any) -> Any:
    async def call(details: grpc.HandlerCallDetails) -> Any:
        return await interceptor.intercept_service(continuation, details)

    return call


def _refuse_requests(method: str) -> Callable[..., NoReturn]:
    def call(*_args: object, **_options: object) -> NoReturn:
        raise _error(
            grpc.StatusCode.UNIMPLEMENTED, f"{method} takes a stream, which needs a real channel", _NO_METADATA
        )

    return call


def _error(code: grpc.StatusCode, details: str, trailing: Metadata) -> AioRpcError:
    return AioRpcError(code, cast("Any", _NO_METADATA), cast("Any", trailing), details)
