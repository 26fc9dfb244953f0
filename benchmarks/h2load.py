# SPDX-License-Identifier: Apache-2.0
"""Load from outside for gRPC, by h2load: it posts one recorded frame over and over.

h2load does not read grpc-status, which travels in the trailers. What a call answers is therefore seen once, by a real
client, and the round must bring as many bytes of data for each request: a call that is refused brings none.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from benchmarks.load import Result, installed

if TYPE_CHECKING:
    from google.protobuf.message import Message

FRAME_HEADER = 5
"""Bytes before each message: whether it is compressed, and its length (gRPC over HTTP/2)."""


@dataclass(frozen=True)
class Call:
    """A unary call that is sent over and over.

    Attributes:
        address: HOST:PORT of the server.
        method: "/package.Service/Method".
        message: The request.
        authorization: The credentials that are sent with it.
        each_second: Calls a second of each caller; 0: one after the other, as fast as they are answered.
    """

    address: str
    method: str
    message: Message
    authorization: str = ""
    each_second: int = 0

    def run(self, callers: int, seconds: int) -> Result:
        """Sends it from a number of connections for some seconds.

        Raises:
            grpc.RpcError: the server refuses it.
        """
        expected = FRAME_HEADER + len(self.answer())
        with tempfile.TemporaryDirectory(prefix="almoner-h2load-") as name:
            frame, log = Path(name, "frame"), Path(name, "log")
            frame.write_bytes(framed(self.message.SerializeToString()))
            command = [installed("h2load", "nghttp2-client"), "-t1", f"-c{callers}", "-m1", f"-D{seconds}"]
            command += [f"--log-file={log}", "-d", str(frame), "-H", "content-type: application/grpc"]
            command += ["-H", "te: trailers"]
            command += ["-H", f"authorization: {self.authorization}"] if self.authorization else []
            command += [f"--rps={self.each_second}"] if self.each_second else []
            command += [f"http://{self.address}{self.method}"]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            return read(output, log.read_text(), seconds, expected)

    def answer(self) -> bytes:
        """Sends it once and returns the reply."""
        with grpc.insecure_channel(self.address) as channel:
            metadata = (("authorization", self.authorization),) if self.authorization else ()
            send: grpc.UnaryUnaryMultiCallable[Message, bytes] = channel.unary_unary(
                self.method, request_serializer=lambda message: message.SerializeToString()
            )
            return send(self.message, metadata=metadata, timeout=60)


def framed(message: bytes) -> bytes:
    """Returns a message as gRPC sends it, not compressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def read(output: str, log: str, seconds: float, expected: int) -> Result:
    """Reads what h2load prints, and its log of a line a request: start, status and microseconds.

    Args:
        output: What it prints.
        log: The log.
        seconds: How long it sent.
        expected: Bytes of data that an answer has.

    Raises:
        RuntimeError: it is no report of h2load's.
    """
    counts = re.search(r"requests: .* (\d+) done, (\d+) succeeded", output)
    data = re.search(r"\((\d+)\) data", output)
    if counts is None or data is None:
        raise RuntimeError(output)
    done = int(counts[1])
    latencies = sorted(int(line.rpartition("\t")[2]) for line in log.splitlines())
    refused = done - int(counts[2]) + missing(done, int(data[1]), expected)
    return Result(done / seconds, percentile(latencies, 50), percentile(latencies, 99), done, refused)


def missing(requests: int, data: int, expected: int) -> int:
    """Returns how many requests were answered without data; 0 if an answer in a hundred could be missing at the most.

    Answers differ by a few bytes (a revision has one digit more), so that no exact count can be had.
    """
    return 0 if data >= 0.99 * requests * expected else requests - data // expected


def percentile(latencies: list[int], percent: int) -> float:
    """Returns a percentile of sorted microseconds, in seconds."""
    if not latencies:
        return float("nan")
    return latencies[min(len(latencies) - 1, len(latencies) * percent // 100)] / 1e6
