"""Draw the DAGs: `python deploy/local/draw.py docs/dags.svg`. The picture is made of what Airflow reads, nothing else.

The DAGs of the sources are alike, so one of each form is drawn with the number of the others beside it.
"""

import html
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WIDE, HIGH, GAP, ROW, LEFT = 128, 34, 34, 126, 24  # points: a task's box, between boxes, between DAGs, margin
READ = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
def assets(dag):
    condition = dag.timetable.asset_condition
    return sorted(a.name for a in getattr(condition, "objects", ()))
print("\\n" + json.dumps([{
    "id": dag.dag_id,
    "tasks": {t.task_id: {"after": sorted(t.upstream_task_ids), "mapped": t.is_mapped,
              "gives": [a.name for a in t.outlets]} for t in dag.topological_sort()},
    "waits_for": assets(dag),
    "on_time": getattr(dag.timetable, "timetable", dag.timetable).expression,
} for dag in sorted(bag.dags.values(), key=lambda d: d.dag_id)]))
"""


def read(folder: Path = ROOT / "dags") -> list[dict[str, Any]]:
    """Every DAG with its tasks, in order, as Airflow reads the folder; only the packaged declarations count."""
    with tempfile.TemporaryDirectory() as home:
        ours = {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONWARNINGS": "ignore"}
        env = {**os.environ, **ours, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR", "LIGHTWELL_SOURCES": ""}
        command = [sys.executable, "-c", READ, str(folder)]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603
    return list(json.loads(ran.stdout.splitlines()[-1]))


def forms(dags: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One DAG of each form: those of sources first, the longest first. How many there are is not told: it changes."""
    found: dict[str, dict[str, Any]] = {}
    for dag in dags:
        shape = [(name, task["after"], task["mapped"]) for name, task in dag["tasks"].items()]
        found.setdefault(json.dumps(shape), _general(dag) if dag["id"].startswith("refresh_") else dict(dag))
    return sorted(found.values(), key=lambda d: (not d["id"].startswith("refresh_"), -len(d["tasks"]), d["id"]))


def _general(dag: Mapping[str, Any]) -> dict[str, Any]:
    whose = "one DAG a source" if "fetch" in dag["tasks"] else "of a source whose files are added by hand"
    tasks = {n: {**t, "gives": ["lightwell/<source>"] if t["gives"] else []} for n, t in dag["tasks"].items()}
    when = "as declared; else by the cadence, spread by the id"
    return {**dag, "id": f"refresh_<source>: {whose}", "tasks": tasks, "on_time": when}


def columns(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How many tasks come one after another before each."""
    place: dict[str, int] = {}
    for name, task in tasks.items():
        place[name] = 1 + max((place[before] for before in task["after"]), default=-1)
    return place


def draw(dags: Sequence[Mapping[str, Any]]) -> str:
    """The picture, as SVG: a row a form of DAG, time from left to right, the assets between them."""
    parts, width = [], 0
    for row, dag in enumerate(dags):
        y, place = 30 + row * ROW, columns(dag["tasks"])
        width = max(width, LEFT + (1 + max(place.values())) * (WIDE + GAP))
        when = " or ".join([*(["any source's asset"] if dag["waits_for"] else []), dag["on_time"]]) + " (UTC)"
        parts.append(_text(LEFT, y, dag["id"], "dag") + _text(LEFT, y + 16, f"when: {when}", "note"))
        for name, task in dag["tasks"].items():
            parts += [_edge(place[before], place[name], y + 38) for before in task["after"]]
        for name, task in dag["tasks"].items():
            parts.append(_box(LEFT + place[name] * (WIDE + GAP), y + 38, name, task))
    height = 30 + len(dags) * ROW
    style = (
        "text{font:13px sans-serif;fill:#222}.dag{font-weight:bold;font-size:15px}.note{font-size:11px;fill:#555}"
        ".gives{font-size:11px;fill:#1a6b3c}.name{text-anchor:middle}rect{fill:#eef4fb;stroke:#3b6ea5}"
        "path{fill:none;stroke:#888}"
    )
    arrow = '<marker id="to" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><title>The DAGs of Lightwell</title><style>{style}</style>'
        f'<defs>{arrow}<path d="M1 1L7 4L1 7"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" style="fill:#fff;stroke:none"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{html.escape(text)}</text>'


def _box(x: int, y: int, name: str, task: Mapping[str, Any]) -> str:
    behind = f'<rect x="{x + 5}" y="{y + 5}" width="{WIDE}" height="{HIGH}" rx="5"/>' if task["mapped"] else ""
    box = f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="5"/>'
    asset = "".join(_text(x, y + HIGH + 18, f"→ {given}", "gives") for given in task["gives"])
    many = _text(x + 4, y + HIGH + 18, "one each", "note") if task["mapped"] else ""
    return f"{behind}{box}{_text(x + WIDE // 2, y + 22, name, 'name')}{asset}{many}"


def _edge(before: int, after: int, y: int) -> str:
    """Straight to the next task; above what stands between where it is further on."""
    x0, x1, middle = LEFT + before * (WIDE + GAP) + WIDE, LEFT + after * (WIDE + GAP), y + HIGH // 2
    if after == before + 1:
        return f'<path d="M{x0} {middle}L{x1 - 1} {middle}" marker-end="url(#to)"/>'
    low, high = middle - 9, y - 16
    return f'<path d="M{x0} {low}C{x0 + 40} {high} {x1 - 40} {high} {x1 - 1} {low}" marker-end="url(#to)"/>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(forms(read())), encoding="utf-8")
