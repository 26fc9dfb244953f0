# SPDX-License-Identifier: Apache-2.0
"""The dialects that the gateway speaks. A new one is a folder here and an entry in this tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dialects.broker import BROKER
from gateway.dialects.broker.callback import CALLBACK_PAGE
from gateway.dialects.hdp import HDP
from gateway.dialects.venafi import VENAFI
from gateway.dialects.venafi.activation import ACTIVATION_PAGE
from gateway.dialects.venafi.vedauth import VEDAUTH
from gateway.dialects.vmware import CPN, CSP
from gateway.dialects.workato import WORKATO

if TYPE_CHECKING:
    from gateway.routing import Dialect

DIALECTS: tuple[Dialect, ...] = (HDP, WORKATO, VENAFI, VEDAUTH, ACTIVATION_PAGE, CPN, CSP, CALLBACK_PAGE, BROKER)
