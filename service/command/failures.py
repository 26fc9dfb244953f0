# SPDX-License-Identifier: Apache-2.0
"""How a command ends when it cannot do what it was asked: one line, and an exit code."""

from __future__ import annotations


class CommandError(Exception):
    """The command failed (exit code 1). The message is one line for whoever typed the command."""


class UsageError(Exception):
    """The command or its settings make no sense (exit code 2). The message is one line."""
