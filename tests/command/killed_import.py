# SPDX-License-Identifier: Apache-2.0
"""Runs `almoner import` in small batches and kills itself in the middle: killed_import.py BATCHES ARGUMENT...

It dies as kill -9 would have it, in the transaction behind this many batches, whose rows are written by then.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from service.cli import main
from service.transfer import bulk, importing

left = int(sys.argv[1])
insert_rows = bulk.insert_rows
vars(importing)["ROWS_AT_ONCE"] = 2


def insert_and_die(*arguments: Any) -> None:
    global left  # noqa: PLW0603 - the whole program is this one count
    insert_rows(*arguments)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1


vars(bulk)["insert_rows"] = insert_and_die
main(["import", *sys.argv[2:]])
