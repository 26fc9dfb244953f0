# SPDX-License-Identifier: Apache-2.0
"""What every servicer shares: interceptors, status mapping, the current call, units of work, masks."""
