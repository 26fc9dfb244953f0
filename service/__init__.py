# SPDX-License-Identifier: Apache-2.0
"""The gRPC service: storage, authorization and the rules of applications, profiles and grants."""
