# SPDX-License-Identifier: Apache-2.0
"""Public keys of issuers and the signatures that they make; the only module of the room that knows joserfc.

Imported only where there is a JWT to verify: joserfc takes 80 ms and three megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc import jwk, jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def fits(text: str, key: jwk.Key, algorithms: Collection[str]) -> bool:
    """Whether a compact JWS was signed with a key, by one of the algorithms."""
    try:
        jws.deserialize_compact(text, key, registry=_Registry(algorithms))
    except (JoseError, ValueError, RecursionError):
        return False
    return True


def public_key(members: Mapping[str, Any]) -> jwk.Key | None:
    """Returns the key that a JWK describes, None where it describes none."""
    try:
        return jwk.import_key(dict(members))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


class _Registry(jws.JWSRegistry):
    """Takes the given algorithms and no others, and header parameters that it does not know (RFC 7515 section 4)."""

    max_header_length = 16_384

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=list(algorithms), strict_check_header=False)
        self._accepted = algorithms

    @override
    def get_alg(self, name: str) -> Any:
        # The library's own warns of EdDSA by its older name, which most issuers write.
        if name not in self._accepted or name not in self.algorithms:
            raise UnsupportedAlgorithmError(f"algorithm {name} is not accepted")
        return self.algorithms[name]
