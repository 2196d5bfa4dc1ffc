"""The synthesized templates of the stacks' tests, made once for them and for these."""

from tests.stacks.conftest import assemblies

__all__ = ["assemblies"]
