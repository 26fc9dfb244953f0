# SPDX-License-Identifier: Apache-2.0
"""The service and its gateway in processes of their own, and the health check of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.command.processes import until

if TYPE_CHECKING:
    from tests.command.processes import Almoner

PROFILES = "/api/mgmt/oauthprofiles"


def test_a_gateway_serves_what_a_service_elsewhere_answers_and_says_when_it_does_not(started: Almoner) -> None:
    with (
        started.serving("serve-grpc") as service,
        started.serving("serve-gateway", "--service", service.grpc) as gateway,
    ):
        assert "REST" not in service.output
        assert "gRPC" not in gateway.output
        assert "Database" not in gateway.output
        assert gateway.get(PROFILES).status == 200
        nobody = {"ALMONER_REST_LISTEN": "127.0.0.1:1", "ALMONER_GRPC_LISTEN": "127.0.0.1:1"}
        assert started.run("healthcheck", **nobody).returncode == 1
        asked = started.run("healthcheck", **{**nobody, "ALMONER_REST_LISTEN": gateway.rest})
        assert (asked.returncode, asked.stdout) == (0, f"{gateway.rest}: ready\n")
        asked = started.run("healthcheck", **{**nobody, "ALMONER_GRPC_LISTEN": service.grpc})
        assert (asked.returncode, asked.stdout) == (0, f"{service.grpc}: ready\n")

        assert service.stop() == 0
        until(lambda: gateway.get("/readyz").status == 503, "the gateway has noticed")
        assert gateway.get("/healthz").status == 200
        assert gateway.get(PROFILES).status == 503
        asked = started.run("healthcheck", **{**nobody, "ALMONER_REST_LISTEN": gateway.rest})
        assert (asked.returncode, asked.stdout) == (1, f"{gateway.rest}: not ready (status 503)\n")
        assert gateway.stop() == 0
