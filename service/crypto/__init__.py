# SPDX-License-Identifier: Apache-2.0
"""Keyring, sealing, digests, password checks and token generation. Knows no table and no protocol."""
