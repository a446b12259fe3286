"""`python -m bench.peers.chart FILE` draws the report of bench.peers, JSON on its standard input; it runs in bench/.venv."""

import json
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

#: Readable on white and on black.
INK, OURS, OTHERS = "#7f848c", "#2f81f7", "#9aa3ad"


def draw(report: dict[str, Any], path: str) -> None:
    arms = sorted(report["arms"], key=lambda arm: -arm["times_copy"])
    # The same picture from the same figures, byte for byte.
    matplotlib.rcParams.update({"svg.hashsalt": "loadify", "font.family": "sans-serif", "font.size": 10})
    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(arms) + 1.1), layout="constrained")
    colours = [OURS if arm["name"] == "Loadify" else OTHERS for arm in arms]
    names = [arm["name"].replace("`", "") + (" *" if arm["clean"] else "") for arm in arms]
    bars = axes.barh(names, [arm["times_copy"] for arm in arms], color=colours, height=0.62)
    axes.bar_label(bars, [f"{arm['times_copy']:.2f} ×" for arm in arms], padding=4, color=INK)
    axes.margins(x=0.12)
    axes.set_xlabel("time, as a multiple of psql \\copy", color=INK)
    figure.supxlabel("* was given a file that had been cleaned before", color=INK, fontsize=9)
    axes.tick_params(colors=INK, which="both")
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(INK)
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
