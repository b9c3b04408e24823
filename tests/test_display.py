"""Representations, plain and for notebooks: well-formed, escaped, and with the numbers in them."""

from html.parser import HTMLParser

import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param

import brainmass
from brainmass._common import display

VOID = {"br", "img"}
MODELS = [getattr(brainmass, info.name) for info in brainmass.list_models()]
MODELS = [m for m in MODELS if issubclass(m, brainmass.NeuralMassDynamics) and not m.__abstractmethods__]


class Reader(HTMLParser):
    """Fails on what is not closed; keeps the texts of the cells by rows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.tags, self.attributes = [], [], set(), ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes += f" {attrs}"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def read(thing):
    reader = Reader(thing._repr_html_())
    assert not reader.tags & {"script", "style", "link", "img"}
    assert not any(word in reader.attributes for word in ("color", "background", "black", "white", "#", "on"))
    return reader.rows


def row(rows, name):
    return next(cells for cells in rows if cells[0] == name)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_a_model_shows_its_parameters_and_states(model):
    made = model(2)
    cells = [cell for cells in read(made) for cell in cells]
    shown = [key for key in model._params if getattr(made, key) is not None]
    assert {*shown, *model._states} <= set(cells)
    assert len(repr(made).splitlines()) <= 15


def network(**others):
    a = Param(jnp.array([0.1, 0.2, 0.4]), fit=True)
    node = brainmass.HopfStep(3, a=a, w=0.3, noise_x=brainmass.OUProcess(3, sigma=0.1))
    weights = np.array([[0, 1.0, 0], [2.0, 0, 0.5], [0, 0, 0]])
    conn = brainmass.Connectome(
        weights,
        lengths=np.array([[0, 10.0, 0], [20.0, 0, 70.0], [0, 0, 0]]) * u.mm,
        labels=["V1 <left>", "V1 & V2", "MT"],
        name="<mine>",
        hemispheres=["left", "right", "left"],
        centres=np.arange(9.0).reshape(3, 3) * u.mm,
    )
    return brainmass.Network(node, conn=conn, coupled_var="x", speed=10 * u.mm / u.ms, **others), conn


def test_numbers_units_and_what_is_trainable():
    net, _ = network()
    rows = read(net.node)
    assert row(rows, "a")[1:3] == ["0.1 to 0.4, (3,)", "yes"]
    assert row(rows, "w")[1] == "0.3" and "yes" not in row(rows, "w")
    assert row(rows, "noise_x")[1].startswith("OUProcess(3")
    rows = read(brainmass.JansenRitStep(1, Ae=Param(4.0 * u.mV, fit=True)))
    assert row(rows, "Ae")[1:4] == ["4", "mV", "yes"]
    assert row(rows, "M")[1] == "mV"
    text = "HopfStep(3, a=[0.1 0.2 0.4] (trainable), w=0.3, noise_x=OUProcess(3, sigma=0.1))"
    assert repr(net.node) == text
    assert repr(brainmass.HopfStep(3, a=Param(0.25, fit=True))) == "HopfStep(3, a=0.25 (trainable))"


def test_a_network_shows_populations_and_projections():
    net, _ = network(k=Param(0.2, fit=True))
    head, cells = (cells for cells in read(net) if "DiffusiveCoupling" in cells or "through" in cells)
    shown = dict(zip(head, cells, strict=True))
    assert shown == {
        "from": "node", "to": "node", "sends": "x", "through": "DiffusiveCoupling", "into": "x_inp", "k": "0.2",
        "trainable": "k", "connections": "3", "delays": "1 to 7 ms",
    }  # fmt: skip
    assert repr(net).splitlines() == [
        "Network of 3 regions",
        f"  node: {net.node!r}",
        "  DiffusiveCoupling of x into x_inp, k=0.2 (trainable: k), 3 connections, delays 1 to 7 ms",
    ]
    assert repr(brainmass.Simulator(net, dt=0.1 * u.ms)).startswith("Simulator, dt=0.1 ms, of Network of 3 regions")


def test_a_connectome_is_escaped():
    _, conn = network()
    for form in (conn, conn.to_edges()):
        assert "&lt;mine&gt;" in form._repr_html_() and "<left>" not in form._repr_html_()
        rows = read(form)
        assert row(rows, "0")[1:] == ["V1 <left>", "left", "0, 1, 2 mm"]
        assert any("3 connections" in cells[0] for cells in rows)


@pytest.mark.slow
def test_a_result_shows_what_was_recorded_and_where_it_is_from():
    net, conn = network()
    monitors = {"x": brainmass.Monitor("x", every=2 * u.ms), "mV": lambda m: m.node.y.value * u.mV}
    result = brainmass.Simulator(net, dt=0.5 * u.ms).run(10 * u.ms, transient=2 * u.ms, monitors=monitors, seed=7)
    rows = read(result)
    assert row(rows, "x")[1:6] == ["(4, 3)", "every 2 ms", "", "4 ms", "10 ms"]
    assert row(rows, "mV")[3] == "mV"
    values = np.asarray(result["x"])
    assert row(rows, "x")[6:] == [f"{v:.4g}" for v in (values.min(), values.mean(), values.max())]
    assert row(rows, "seed")[1] == "7" and [row(rows, f"{i}")[1] for i in range(3)] == list(conn.labels)
    assert repr(result).splitlines()[0] == "Result: 10 ms in steps of 0.5 ms (Network of HopfStep, heun, seed 7)"


@pytest.mark.slow
def test_a_fit_shows_what_it_found():
    model = brainmass.HopfStep(3, a=Param(jnp.array([0.3, 0.2, 0.4]), fit=True), w=0.5)
    space = {"a": (-1.0, 1.0), "w": brainmass.Bounds(0.01, 1.0, log=True)}
    fitter = brainmass.Fitter(
        model, optax.sgd(0.0), search_space=space, loss_fn=lambda m: jnp.sum(m.a.value()) + m.w.value(), n_starts=2
    )
    found = fitter.fit(n_steps=1)
    rows = read(found)
    assert row(rows, "a")[2] == "-1 to 1" and row(rows, "w")[2] == "0.01 to 1, log"
    assert row(rows, "optimiser")[1].startswith("optax")
    head, *lines = repr(found).splitlines()
    assert head == f"FitResult: loss {found.best_loss:.4g} → {found.best_loss:.4g} in 1 steps (grad, 2 side by side)"
    assert lines[1] == f"  w = {float(found.best_params['w']):.6g}, within 0.01 to 1, log"


def test_a_table_leaves_out_empty_columns_and_tables():
    assert Reader(display.table(("a", "b"), [("1", ""), ("<", "")])).rows == [["a"], ["1"], ["<"]]
    assert display.table(("a",), []) == "" == display.folded("more", display.table(("a",), []))


@pytest.mark.slow
def test_progress_bars_in_a_notebook_leave_nothing_behind():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [
        "import brainmass, brainunit as u, brainstate\n"
        "model = brainmass.HopfStep(3, a=brainstate.nn.Param(0.1, fit=True))\n"
        "simulator = brainmass.Simulator(model, dt=0.1 * u.ms)",
        "simulator.run(100 * u.ms, progress=True, seed=0);",
        "brainmass.Fitter(model, loss_fn=lambda m: m.a.value() ** 2).fit(n_steps=5, progress=True);",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=300).execute()
    for cell in book.cells:
        for output in cell.outputs:
            if output.output_type == "stream":
                assert output.text.startswith("\r") and "Warning" not in output.text
            else:  # a widget, where there are ipywidgets
                assert "application/vnd.jupyter.widget-view+json" in output.data
