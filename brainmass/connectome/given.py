"""What may be given as the connections of a network, besides a Connectome, Edges, an array or a Param."""

from __future__ import annotations

from typing import Any, Protocol

from brainstate.nn import Param

from brainmass._common.foreign import is_graph, is_sparse, is_table, opened
from brainmass._common.messages import Argument
from brainmass._common.typing import Weights
from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges

__all__ = ["Connections", "as_connections"]


class Shaped(Protocol):
    """A matrix of another library, such as those of scipy.sparse, pandas and xarray."""

    @property
    def shape(self) -> Any: ...


class Graph(Protocol):
    """A graph of networkx."""

    @property
    def nodes(self) -> Any: ...


Connections = Connectome | Edges | Param | Weights | Shaped | Graph | None


def as_connections(owner: str, conn: Any) -> Any:
    """Sparse matrices and graphs as Edges, square tables as a Connectome; others as an array, or as they are."""
    if is_sparse(conn):
        return (
            # A matrix between two populations need not be square, and has no list of regions.
            Edges.from_scipy(conn) if conn.shape[0] == conn.shape[1] else opened(Argument("conn", owner), conn).values
        )
    if is_graph(conn):
        return Edges.from_networkx(conn)
    if is_table(conn) and len(conn.shape) == 2 and conn.shape[0] == conn.shape[1]:
        return Connectome(conn)
    return opened(Argument("conn", owner), conn).values
