"""Draws a dashboard of this directory from a Prometheus, for where there is no Grafana: same file, same expressions, same grid, not Grafana's looks.

    python render.py dashboards/recap-overview.json http://localhost:9090 overview.png [MINUTES]

Needs matplotlib. Only what these dashboards use is drawn: rows, stats, time series."""

import json
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates as dates
import matplotlib.pyplot as plt

BACK, PANEL, TEXT, DIM = "#111217", "#181b1f", "#d8d9da", "#8e8e8e"
COLORS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0"]
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2"}
CELL, WIDTH = 0.42, 24


def query(prometheus, expression, start, end, step):
    arguments = urllib.parse.urlencode({"query": expression, "start": start, "end": end, "step": step})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query_range?{arguments}") as answer:
        return json.load(answer)["data"]["result"]


def shown(value, unit):
    if value != value:
        return "no data"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s" if value < 60 else f"{value / 60:.3g} min"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit in ("bytes", "Bps"):
        return f"{value / 1048576:.3g} MiB"
    suffix = {"reqps": " req/s", "eps": "/s", "cps": "/s", "ops": "/s", "wps": "/s"}.get(unit, "")
    return (f"{value / 1000:.3g} k" if abs(value) >= 10000 else f"{value:.4g}") + suffix


def legend(template, labels):
    for key, value in labels.items():
        template = template.replace("{{" + key + "}}", value)
    return template


def main(dashboard, prometheus, picture, minutes=30):
    dashboard = json.load(open(dashboard))
    end = time.time()
    start, step = end - float(minutes) * 60, max(5, float(minutes) * 60 / 240)
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"])
    figure = plt.figure(figsize=(WIDTH * CELL * 1.35, (height + 1.6) * CELL), dpi=100, facecolor=BACK)
    whole = height + 1.6
    note = f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(end))} UTC, last {float(minutes):g} minutes. Drawn by deploy/grafana/render.py from the dashboard's file and a Prometheus"
    figure.text(0.012, 1 - 0.5 / whole, dashboard["title"], color=TEXT, fontsize=13, weight="bold", va="center")
    figure.text(0.988, 1 - 0.5 / whole, note, color=DIM, fontsize=7.5, va="center", ha="right")
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        x, w = grid["x"] / WIDTH, grid["w"] / WIDTH
        top = 1 - (grid["y"] + 1.1) / whole
        if panel["type"] == "row":
            figure.text(0.012, top - 0.5 / whole, panel["title"], color=TEXT, fontsize=10.5, weight="bold", va="center")
            continue
        box = figure.add_axes((x + 0.004, top - (grid["h"] - 0.15) / whole, w - 0.008, (grid["h"] - 0.3) / whole), facecolor=PANEL)
        box.set_xticks([]), box.set_yticks([])
        for spine in box.spines.values():
            spine.set_color("#2c3235")
        box.text(0.03 if w < 0.3 else 0.012, 0.955, panel["title"], transform=box.transAxes, color=TEXT, fontsize=8.5, va="top")
        unit = panel["fieldConfig"]["defaults"]["unit"]
        series = [
            (legend(target["legendFormat"], found["metric"]), [(float(t), float(v)) for t, v in found["values"]])
            for target in panel["targets"]
            for found in query(prometheus, target["expr"], start, end, step)
        ]
        if panel["type"] == "stat":
            draw_stat(box, panel, series, unit)
        else:
            draw_series(figure, box, panel, series, unit, start, end)
    figure.savefig(picture, facecolor=BACK)


def draw_stat(box, panel, series, unit):
    last = series[0][1][-1][1] if series else float("nan")
    color = TEXT
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or last >= step["value"]:
            color = NAMED.get(step["color"], TEXT)
    box.text(0.5, 0.55, shown(last, unit), transform=box.transAxes, color=color, fontsize=17, weight="bold", ha="center", va="center")
    if series:
        inner = box.inset_axes((0.0, 0.0, 1.0, 0.3))
        inner.axis("off")
        values = [v for _, v in series[0][1] if v == v]
        if values:
            inner.fill_between(range(len(values)), values, min(0, *values), color=color, alpha=0.25, lw=0)
            inner.set_ylim(min(0, *values), max(values) * 1.1 or 1)
            inner.set_xlim(0, max(1, len(values) - 1))


def draw_series(figure, box, panel, series, unit, start, end):
    inner = box.inset_axes((0.085, 0.2, 0.9, 0.66), facecolor=PANEL)
    stacked = panel["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode") == "normal"
    below = {}
    for (name, points), color in zip(series, COLORS * 10):
        times = [dates.epoch2num(t) if hasattr(dates, "epoch2num") else t / 86400 for t, _ in points]
        values = [v for _, v in points]
        if stacked:
            base = [below.get(t, 0) for t, _ in points]
            values = [b + (v if v == v else 0) for b, v in zip(base, values)]
            below.update({t: v for (t, _), v in zip(points, values)})
            inner.fill_between(times, base, values, color=color, alpha=0.35, lw=0)
        inner.plot(times, values, color=color, lw=1.1, label=name)
    inner.set_xlim(start / 86400, end / 86400)
    inner.set_ylim(bottom=0)
    inner.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    inner.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=6))
    inner.yaxis.set_major_formatter(lambda value, _: shown(value, unit))
    inner.yaxis.set_major_locator(plt.MaxNLocator(4))
    inner.tick_params(colors=DIM, labelsize=6.5, length=2)
    inner.grid(color="#2c3235", lw=0.5)
    for spine in inner.spines.values():
        spine.set_visible(False)
    if series:
        box.legend(*inner.get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0.01, -0.01), ncol=4, frameon=False, labelcolor=DIM, fontsize=6.5, handlelength=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
