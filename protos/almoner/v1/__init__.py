# SPDX-License-Identifier: Apache-2.0
"""Generated from the .proto files beside it by scripts/gen_protos.py. Do not edit."""
