# SPDX-License-Identifier: Apache-2.0
"""Revisions, newest last."""
