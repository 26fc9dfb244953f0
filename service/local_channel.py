# SPDX-License-Identifier: Apache-2.0
"""The service as a channel in the same process: what the stubs take for a `grpc.aio.Channel`.

The same interceptors and servicers run, with no serialization and no socket. A request message is handed over, not
copied: its sender must not change it afterwards.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
from grpc.aio import AbortError, AioRpcError, Metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

_NO_METADATA = Metadata()


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

    def unary_stream(self, method: str, *_args: object, **_options: object) -> Callable[..., NoReturn]:
        """Returns a callable that refuses: streams need a real channel."""
        return _refuse_stream(method)

    stream_unary = stream_stream = unary_stream

    async def close(self, grace: float | None = None) -> None:
        """Does nothing: the service ends with its owner, not with a channel to it."""

    async def _resolve(self, method: str) -> Callable[[Any, Any], Awaitable[Any]] | None:
        """Returns the behavior of a method inside all interceptors."""

        async def innermost(details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
            return self._handlers.get(details.method)

        continuation: Any = innermost
        for interceptor in reversed(self._interceptors):
            continuation = _around(interceptor, continuation)
        handler = await continuation(_Details(method))
        return handler.unary_unary if handler is not None else None


class LocalMethod:
    """One unary method of the service, as a stub calls it."""

    def __init__(
        self, method: str, resolve: Callable[[str], Awaitable[Callable[[Any, Any], Awaitable[Any]] | None]]
    ) -> None:
        """`resolve` finds the behavior at the first call."""
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
            behavior = await self._resolve(self._method)
            if behavior is None:
                raise _error(grpc.StatusCode.UNIMPLEMENTED, "Method not found!", _NO_METADATA)
            self._behavior = behavior
        context = LocalContext(tuple(metadata or ()), timeout)
        try:
            response = await behavior(request, context)
        except AbortError:
            raise context.error() from None
        if context.code() is not grpc.StatusCode.OK:
            raise context.error()
        return response


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

    def error(self) -> AioRpcError:
        """Returns the status as the error that the caller gets."""
        return _error(self._code, self._details, Metadata(*self._trailing))


class _Details:
    """`grpc.HandlerCallDetails` of a method: interceptors look at its name only."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


def _around(interceptor: grpc.aio.ServerInterceptor, continuation: Any) -> Any:
    async def call(details: grpc.HandlerCallDetails) -> Any:
        return await interceptor.intercept_service(continuation, details)

    return call


def _refuse_stream(method: str) -> Callable[..., NoReturn]:
    def call(*_args: object, **_options: object) -> NoReturn:
        raise _error(grpc.StatusCode.UNIMPLEMENTED, f"{method} streams, which needs a real channel", _NO_METADATA)

    return call


def _error(code: grpc.StatusCode, details: str, trailing: Metadata) -> AioRpcError:
    return AioRpcError(code, cast("Any", _NO_METADATA), cast("Any", trailing), details)
