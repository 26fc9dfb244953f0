# SPDX-License-Identifier: Apache-2.0
"""The broker: a live access token for any profile, and a refresh token that no crash and no race can lose."""
