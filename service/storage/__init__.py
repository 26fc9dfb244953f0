# SPDX-License-Identifier: Apache-2.0
"""Where everything is kept: two backends behind one unit of work, and what the rooms' tables share."""
