"""What tables, graphs and sparse matrices say of regions: their names, their order, and which end of a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brainmass._common.checks import instance, is_whole, items, one_of
from brainmass._common.foreign import Held, as_text, is_graph, is_sparse, opened, plain, positions
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers, Pytree
from brainmass.connectome.checks import argument_of, without_unit

__all__ = [
    "checked_ends",
    "frame_connections",
    "graph_connections",
    "in_one_order",
    "named_ends",
    "sparse_connections",
]

_SEND = ("source", "sources", "from", "sender", "pre", "presynaptic")
_RECEIVE = ("target", "targets", "to", "receiver", "post", "postsynaptic")
_REGION_AXES = {"weights": (0, 1), "lengths": (0, 1), "centres": (0,), "hemispheres": (0,)}
_COUNTS = re.compile(r"\d+")


def in_one_order(owner: str, labels: object, arguments: Mapping[str, object]) -> tuple[Any, dict[str, Any]]:
    """Labels and arrays of regions; what comes as a table is put in one order by its labels.

    The order is that of `labels`, else that of the first table.

    Raises
    ------
    ValueError
        If tables name other regions than `labels` or each other; the message names the first.
    """
    held = {name: _read(Argument(name, owner), name, given) for name, given in arguments.items()}
    names = labels if labels is None else _texts(Argument("labels", owner), labels)
    for argument, table in held.items():
        what = Argument(argument, owner)
        for axis in _REGION_AXES[argument]:
            found = table.texts(what, axis)
            # Labels that only count, as the index of a table without names does, take the order of what has names.
            if found is None or (names is not None and _count(found)):
                continue
            if names is None:
                names = found
            table = _ordered(what, table, axis, names, found)
        held[argument] = table
    return names if labels is None else labels, {name: table.values for name, table in held.items()}


def _read(what: str, argument: str, given: object) -> Held:
    table = opened(what, given)
    if len(_REGION_AXES[argument]) == 2:
        return _receiving_by_row(what, table)
    if argument == "centres" and len(table.labels) == 2:
        columns = [str(label).lower() for label in table.texts(what, 1) or ()]
        # Columns of a table may stand in any order, too.
        if sorted(columns) == ["x", "y", "z"]:
            return table.taken([columns.index(axis) for axis in "xyz"], 1)
    return table


def _receiving_by_row(what: str, table: Held) -> Held:
    """Turned round where the axes are named the other way."""
    ends = [str(dim).lower() for dim in table.dims]
    if len(ends) == 2 and ends[0] in _SEND and ends[1] in _RECEIVE:
        return table.transposed((1, 0))
    return table


def _texts(what: str, labels: object) -> list[str] | None:
    """Labels given as such; None where they are of no kind that can be compared, which is refused elsewhere."""
    try:
        return [as_text(what, label) for label in np.ravel(np.asarray(opened(what, labels).values, object))]
    except TypeError:
        return None


def _count(labels: Sequence[str]) -> bool:
    """Whether labels only count, from 0 or from 1."""
    if not all(_COUNTS.fullmatch(label) for label in labels):
        return False
    first = int(labels[0]) if labels else 0
    return first in (0, 1) and [int(label) for label in labels] == list(range(first, first + len(labels)))


def _ordered(what: str, table: Held, axis: int, names: Sequence[str], found: Sequence[str]) -> Held:
    if list(found) == list(names):
        return table
    stranger = next((label for label in found if label not in set(names)), None)
    if stranger is not None or len(found) != len(names):
        but = f"has {stranger!r}" if stranger is not None else f"has {len(found)} of {len(names)}"
        raise argument_error(
            what,
            f"must be a table of the regions {_few(names)}",
            f"{but}",
            hint="If it is in their order and its labels mean something else, give its numbers alone: "
            "table.to_numpy().",
        )
    return table.taken(positions(what, names, found), axis)


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")


# --- lists of connections ---------------------------------------------------------------------------------------------
def named_ends(
    what: str, source: Numbers, target: Numbers, n: int | None, labels: object, numbering: object = None
) -> dict[str, object]:
    """The arguments n, source, target and labels of `Edges`, from the ends of connections as they stand in a table.

    Texts are names. Whole numbers are names where `labels` has them all or `numbering` is 'ids', and else indices from
    `numbering`, 0 or 1.

    Raises
    ------
    ValueError
        Where numbers could be either.
    """
    if numbering is not None and not is_whole(numbering, 0, 1):
        one_of(Argument("numbering"), numbering, ("ids",), also="0, 1 or ")
    texts = [[as_text(what, end) for end in np.ravel(ends).tolist()] for ends in (source, target)]
    labels = None if labels is None else items(Argument("labels"), labels, "names")
    known = None if labels is None else [as_text(Argument("labels"), label) for label in labels]
    there = dict.fromkeys(text for pair in zip(*texts, strict=True) for text in pair)
    numbers = all(_COUNTS.fullmatch(text) for text in there) and bool(there)
    if known is None and (not numbers or numbering == "ids"):
        # Numbers in their order, 2 before 10; texts as they appear.
        known = sorted(there, key=int) if numbers else list(there)
    if known is not None and (not numbers or there.keys() <= set(known)):
        place = {label: i for i, label in enumerate(known)}
        stranger = next((text for text in there if text not in place), None)
        if stranger is not None:
            raise argument_error(what, f"must name regions of `labels` ({_few(known)})", f"has {stranger!r}")
        ends = [[place[text] for text in side] for side in texts]
        return {"n": len(known) if n is None else n, "source": ends[0], "target": ends[1], "labels": known}
    return _counted_ends(what, [[int(text) for text in side] for side in texts], n, known, numbering)


def _counted_ends(
    what: str, ends: list[list[int]], n: int | None, labels: list[str] | None, numbering: object
) -> dict[str, object]:
    every = [*ends[0], *ends[1]]
    n = len(labels) if n is None and labels is not None else n
    low, high = min(every, default=0), max(every, default=-1)
    if numbering not in (0, 1):
        # From 1 to 84: counted from 1, or from 0 with a first region that has no connection.
        if low > 0 and n is None:
            raise argument_error(
                what,
                f"has regions from {low} to {high}",
                hint="Give numbering=1 where they are counted from 1, numbering=0 where they are counted from "
                "0 and the first have no connection, numbering='ids' where the numbers are their names, "
                "or all of them as `labels`.",
            )
        numbering = 0
    count = high + 1 - numbering
    # So many regions without a connection are none: the numbers are names, as those of FreeSurfer.
    if n is None and count > max(10_000, 20 * len(every)):
        raise argument_error(
            what,
            f"has a region {high}",
            f"only {len(ends[0])} connections",
            hint=f"Give numbering='ids' where the numbers are names, or n={count} if there are so many regions.",
        )
    source, target = ([end - numbering for end in side] for side in ends)
    return {"n": count if n is None else n, "source": source, "target": target, "labels": labels}


def checked_ends(argument: str, given: object, n_edges: int, labels: tuple[str, ...]) -> np.ndarray:
    """Regions by index or label as read-only indices."""
    example = f"{argument}=[0, 1, 2]"
    ends = np.asarray(without_unit("Edges", argument, plain(Argument(argument, "Edges"), given), example))
    if ends.dtype.kind == "f" and np.isfinite(ends).all() and (ends == np.round(ends)).all():
        ends = ends.astype(np.int64)  # whole numbers, as MATLAB and pandas hold them
    if ends.shape != (n_edges,):
        raise argument_error(
            argument_of("Edges", argument),
            f"must be of the shape of `weight`, {(n_edges,)}",
            f"are of shape {ends.shape}",
            example,
        )
    if ends.dtype.kind == "S" or ends.dtype == object and any(isinstance(end, bytes) for end in ends.tolist()):
        ends = np.asarray([as_text(Argument(argument, "Edges"), end) for end in ends.tolist()])
    if ends.dtype.kind in "UO" and all(isinstance(end, str) for end in ends.tolist()):
        ends = _places(argument, ends.tolist(), labels)
    if ends.dtype.kind not in "iu" and ends.size:
        raise argument_error(
            argument_of("Edges", argument),
            "must be indices or labels",
            f"are of type {ends.dtype}",
            example,
            kind=TypeError,
        )
    bad = np.flatnonzero((ends < 0) | (ends >= len(labels)))
    if bad.size:
        raise argument_error(
            argument_of("Edges", argument),
            f"must lie between 0 and {len(labels) - 1}",
            f"{argument}[{bad[0]}] is {ends[bad[0]]}",
            example,
        )
    # Half the memory, and what runs take.
    ends = ends.astype(np.int32)
    ends.setflags(write=False)
    return ends


def _places(argument: str, given: list[str], labels: tuple[str, ...]) -> np.ndarray:
    position = {label: i for i, label in enumerate(labels)}
    for i, label in enumerate(given):
        if label not in position:
            raise argument_error(
                argument_of("Edges", argument),
                "must be regions of this connectome",
                f"{argument}[{i}] is {label!r}",
                "labels=['V1', 'V2', 'MT']",
            )
    return np.asarray([position[label] for label in given], dtype=np.int64)


def sparse_connections(owner: str, weights: Any) -> dict[str, Pytree]:
    """The arguments of `Edges` from what a sparse matrix of scipy stores."""
    if not is_sparse(weights):
        raise argument_error(
            argument_of(owner, "weights"),
            "must be a sparse matrix of scipy",
            f"is a {type(weights).__name__}",
            "Edges.from_dense(W)",
            kind=TypeError,
        )
    # A copy, as summing what is stored twice changes it.
    matrix = weights.tocsr(copy=True)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise argument_error(
            argument_of(owner, "weights"),
            "must be a square matrix (N, N)",
            f"are of shape {matrix.shape}",
            "Edges.from_scipy(csr_array(W))",
        )
    matrix.sum_duplicates()
    matrix = matrix.tocoo()
    return {"n": matrix.shape[0], "source": matrix.col, "target": matrix.row, "weight": matrix.data}


def frame_connections(
    owner: str, table: Numbers, wanted: Mapping[str, str], n: int | None, labels: object, numbering: object
) -> dict[str, Any]:
    """The arguments of `Edges` from the columns of a DataFrame, which `wanted` names: those of lengths are numbers."""
    if not hasattr(table, "columns"):
        raise argument_error(
            Argument("table", owner),
            "must be a DataFrame of pandas",
            f"is a {type(table).__name__}",
            "series.reset_index(name='weight')",
            kind=TypeError,
        )
    missing = [name for name in wanted.values() if name not in table.columns]
    if missing:
        has = ", ".join(map(repr, table.columns))
        raise argument_error(
            Argument("table", owner),
            f"must have the column {missing[0]!r}",
            f"has {has}",
            f"Edges.from_pandas(table, source={str(table.columns[0])!r}, ...)",
        )
    columns = {name: table[column].to_numpy() for name, column in wanted.items()}
    ends = columns.pop("source"), columns.pop("target")
    return named_ends(Argument("table", owner), *ends, n, labels, numbering) | columns


# --- graphs -----------------------------------------------------------------------------------------------------------
def graph_connections(owner: str, graph: Any, weight: str, length: str | None) -> dict[str, Any]:
    """Nodes and edges of a graph of networkx: n, labels, source, target, weight and length."""
    if not is_graph(graph):
        raise argument_error(
            Argument("graph", owner), "must be a graph of networkx", f"is a {type(graph).__name__}", kind=TypeError
        )
    if graph.is_multigraph():
        raise argument_error(
            Argument("graph", owner),
            "must have one edge from a node to another",
            f"is a {type(graph).__name__}",
            "networkx.DiGraph(graph) keeps the last of several.",
        )
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    edges = [(place[a], place[b], facts) for a, b, facts in graph.edges(data=True)]
    if not graph.is_directed():
        # A loop is there once.
        edges += [(b, a, facts) for a, b, facts in edges if a != b]
    for argument, attribute in {"weight": weight, "length": length}.items():
        kinds = str if argument == "weight" else str | None
        instance(Argument(argument, owner), attribute, kinds, "the name of an attribute of the edges")
    strengths = _of_edges(owner, nodes, edges, weight, default=1.0)
    fields = {
        "n": len(nodes),
        "source": np.asarray([a for a, _, _ in edges], int),
        "target": np.asarray([b for _, b, _ in edges], int),
        "weight": strengths,
        "labels": [as_text(f"Nodes of the graph given to {owner}", node) for node in nodes],
    }
    return fields if length is None else fields | {"length": _of_edges(owner, nodes, edges, length, default=None)}


def _of_edges(owner: str, nodes: list[Any], edges: list[Any], name: str, default: float | None) -> np.ndarray:
    """An attribute of all edges; of none, the default."""
    there = [name in facts for _, _, facts in edges]
    # The usual attribute may be missing, of a graph without weights; one that was asked for may not.
    if not any(there) and edges and name != "weight" and default is not None:
        known = ", ".join(map(repr, edges[0][2])) or "none"
        raise argument_error(
            Argument("weight", owner), "must be an attribute of the edges", f"{name!r} is not: {known}"
        )
    if not any(there) and default is not None:
        return np.full(len(edges), default)
    if not all(there):
        a, b, _ = edges[there.index(False)]
        raise argument_error(
            Argument("graph", owner),
            f"must have {name!r} on every edge",
            f"the one from {nodes[a]!r} to {nodes[b]!r} has none",
        )
    return np.asarray([facts[name] for _, _, facts in edges], float)
