# SPDX-License-Identifier: Apache-2.0
"""What is fast, measured beside its own ceiling in one run. `python -m benchmarks` runs all of it."""
