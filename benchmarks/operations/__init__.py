# SPDX-License-Identifier: Apache-2.0
"""What is measured, one module an API.

A new operation is a line of its module's `operations`, and measured from then on; a new module is a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.operations import grpc_api, hdp, token_server, venafi, vmware, workato
from benchmarks.operations.subjects import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measuring import Operation
    from benchmarks.operations.subjects import Subjects
    from benchmarks.servers import Running

APIS: tuple[Callable[[Subjects], list[Operation]], ...] = (
    grpc_api.operations,
    hdp.operations,
    workato.operations,
    venafi.operations,
    vmware.operations,
    token_server.operations,
)


def operations(server: Running) -> list[Operation]:
    """Prepares a server and returns all operations on it."""
    subjects = prepare(server)
    return [operation for api in APIS for operation in api(subjects)]
