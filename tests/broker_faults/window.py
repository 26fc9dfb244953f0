# SPDX-License-Identifier: Apache-2.0
"""The one window that nobody can close: a provider rotated, and its answer was lost before it was stored.

The refresh token that is left then was used already. To try it once is the only way to find out, and where it was
used, the provider's detector fires. Tests note every time; the summary of the run tells how often, and of how many.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.broker_faults.provider.process import ClientAtProvider

REFRESHES: Final = "refreshes_at_the_provider"
REUSES: Final = "reuses_in_the_window"


class Window:
    """Where a test notes what the provider has counted, and says whether the detector may have fired."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        """`record_property` is pytest's fixture, which brings numbers to the summary from every test process."""
        self._record = record_property

    async def note_client(self, client: ClientAtProvider, *, lost: bool = False) -> None:
        """Notes what the provider of the suite's own has counted of a client; see `note`."""
        report = await client.report()
        self.note(refreshes=report.refreshes, reuses=report.reuses, lost=lost)

    def note(self, *, refreshes: int, reuses: int, lost: bool) -> None:
        """Notes the counts of a provider.

        Args:
            refreshes: For how many refreshes it made tokens.
            reuses: How often its detector fired, which is at most once, and never unless `lost`.
            lost: Whether an answer was lost after it had rotated.
        """
        assert reuses <= int(lost), "a refresh token was used twice"
        self._record(REFRESHES, refreshes)
        self._record(REUSES, reuses)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what was noted. A hook of the root conftest: test processes do not print, and others see no other."""
    reports = terminalreporter.stats.get("passed", ())
    noted = [report.user_properties for report in reports if any(name == REUSES for name, _ in report.user_properties)]
    if noted:
        refreshes, reuses = (
            sum(int(str(value)) for name, value in chain(*noted) if name == of) for of in (REFRESHES, REUSES)
        )
        terminalreporter.write_line(
            f"broker faults: {len(noted)} tests, {refreshes} refreshes at providers, {reuses} refresh tokens used twice: only "
            "where an answer was lost after the provider had rotated and before we had committed"
        )
