# SPDX-License-Identifier: Apache-2.0
"""Runs the `almoner` command with every span written to a file: observed.py FILE ARGUMENT..."""

from __future__ import annotations

import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from service.cli import main

with Path(sys.argv[1]).open("a") as spans:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=spans)))
    trace.set_tracer_provider(provider)
    sys.argv[1:] = sys.argv[2:]
    main()
