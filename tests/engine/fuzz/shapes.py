"""Values for botocore's shapes: mostly what the API takes, now and then what it does not."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.just("x" * 9000),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)
"""Any type, and sizes beyond any limit."""


class Shapes:
    """Strategies for the shapes of one service's model."""

    def __init__(self, model: Mapping[str, Any], known: Mapping[str, Sequence[Any]]) -> None:
        """Draw from a model.

        Args:
            model: botocore's ``service-2.json``.
            known: values that exist on the engine, by the name of the member.
        """
        self._model, self._known = model, known

    def request(self, operation: str) -> st.SearchStrategy[Any]:
        """Parameters of an operation."""
        shape = self._model["operations"][operation].get("input", {}).get("shape")
        return self._structure(self._model["shapes"][shape]) if shape else st.just({})

    def _value(self, member: str, name: str) -> st.SearchStrategy[Any]:
        shape = self._model["shapes"][name]
        right: st.SearchStrategy[Any] = getattr(self, f"_{shape['type']}")(shape)
        if member in self._known:
            right = st.one_of(
                st.sampled_from(self._known[member]), st.sampled_from(self._known[member]), right
            )
        # One in seven is junk: more, and nothing would get past the first check.
        return st.integers(0, 6).flatmap(lambda luck: right if luck else JUNK)

    def _structure(self, shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        required = set(shape.get("required", ()))
        members = {name: self._value(name, member["shape"]) for name, member in shape["members"].items()}
        given = st.fixed_dictionaries(
            {name: value for name, value in members.items() if name in required},
            optional={name: value for name, value in members.items() if name not in required},
        )
        names = st.sampled_from([*members, "Unheard"]) if members else st.just("Unheard")
        without = st.builds(lambda made, name: {k: v for k, v in made.items() if k != name}, given, names)
        more = st.builds(lambda made, junk: {**made, "Unheard": junk}, given, JUNK)
        return st.one_of(given, given, without, more)

    def _list(self, shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.lists(self._value("", shape["member"]["shape"]), max_size=3)

    def _map(self, shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.dictionaries(st.text(max_size=8), self._value("", shape["value"]["shape"]), max_size=3)

    def _string(self, shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        if "enum" in shape:
            return st.sampled_from(shape["enum"])
        return st.text(max_size=min(shape.get("max", 40), 40) + 1)

    def _blob(self, shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        encoded = st.binary(max_size=64).map(lambda raw: base64.b64encode(raw).decode())
        long = st.just(base64.b64encode(bytes(shape.get("max", 5000) + 1)).decode())
        return st.one_of(encoded, encoded, encoded, long, st.text(max_size=9))

    def _integer(self, shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.integers(shape.get("min", 0) - 1, shape.get("max", 2**31) + 1)

    _long = _integer

    def _boolean(self, _shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.booleans()

    def _timestamp(self, _shape: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.one_of(st.integers(0, 2**33), st.floats(-1e18, 1e18), st.just("2027-01-01T00:00:00Z"))
