# SPDX-License-Identifier: Apache-2.0
"""The benchmarks read what wrk and h2load print."""

from __future__ import annotations

import pytest

from benchmarks import h2load, load

WRK = """\
Running 2s test @ http://127.0.0.1:8080/profiles/33
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.14ms    1.02ms  21.41ms   96.40%
    Req/Sec    29.61k     3.33k   33.36k    85.00%
  Latency Distribution
     50%    0.98ms
     75%    1.14ms
     90%    1.42ms
     99%  912.00us
  58926 requests in 2.00s, 17.03MB read
{more}Requests/sec:  29441.78
Transfer/sec:      8.51MB
"""
H2LOAD = """\
Application protocol: h2c

finished in 2.00s, 6404.00 req/s, 907.79KB/s
requests: 12808 total, 12840 started, {done} done, {succeeded} succeeded, 0 failed, 0 errored, 0 timeout
status codes: 12808 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1.77MB (1859149) total, 54.49KB (55794) headers (space savings 96.13%), 1.46MB ({data}) data
                     min         max         mean         sd        +/- sd
time for request:      211us     16.00ms      4.98ms      1.97ms    78.69%
"""
LOG = "".join(f"1795385473826833\t200\t{microseconds}\n" for microseconds in range(1, 101))


def test_a_report_of_wrk_is_read() -> None:
    assert load.read(WRK.format(more="")) == load.Result(29441.78, 0.98 * 1e-3, 912 * 1e-6, 58926)


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ("  Non-2xx or 3xx responses: 17\n", 17),
        ("  Socket errors: connect 0, read 1, write 2, timeout 3\n", 6),
        ("  Socket errors: connect 1, read 0, write 0, timeout 0\n  Non-2xx or 3xx responses: 17\n", 18),
    ],
)
def test_what_wrk_was_refused_is_counted(more: str, refused: int) -> None:
    assert load.read(WRK.format(more=more)).refused == refused


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        load.read("unable to connect to 127.0.0.1:8080 Connection refused")
    with pytest.raises(RuntimeError, match="could not"):
        h2load.read("could not connect to the specified host", "", 2, 86)


def test_a_report_of_h2load_is_read_with_its_log() -> None:
    printed = H2LOAD.format(done=100, succeeded=100, data=8600)
    assert h2load.read(printed, LOG, 2, 86) == load.Result(50.0, 51e-6, 100e-6, 100)


@pytest.mark.parametrize(
    ("succeeded", "data", "refused"),
    [
        pytest.param(100, 8600, 0, id="all answered"),
        pytest.param(100, 8590, 0, id="answers a little shorter"),
        pytest.param(100, 8600 - 30 * 86, 30, id="calls without data were refused"),
        pytest.param(90, 90 * 86, 20, id="a status of HTTP counts, too"),
        pytest.param(100, 0, 100, id="everything refused"),
    ],
)
def test_what_h2load_was_refused_is_counted(succeeded: int, data: int, refused: int) -> None:
    assert h2load.read(H2LOAD.format(done=100, succeeded=succeeded, data=data), LOG, 2, 86).refused == refused


def test_a_message_is_framed_as_grpc_does() -> None:
    assert h2load.framed(b"\x08\x21") == b"\0\0\0\0\2\x08\x21"
