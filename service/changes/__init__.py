# SPDX-License-Identifier: Apache-2.0
"""What becomes of profiles, told to those who watch: an outbox that is written with every change."""
