# SPDX-License-Identifier: Apache-2.0
"""The REST gateway: translates vendors' HTTP dialects into calls of the gRPC service, which it knows by its stubs only."""
