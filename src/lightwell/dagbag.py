"""Whether Airflow can import the DAGs: what `lightwell doctor` asks where Airflow is in use."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lightwell.errors import BuildError
from lightwell.settings import resource

_IMPORT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
print("\\n" + json.dumps([len(bag.dags), bag.import_errors]))
"""


def dags_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the DAGs are, if Airflow is installed and in use here: set up by its variables, or by `make airflow`."""
    if importlib.util.find_spec("airflow") is None:
        return None
    if "AIRFLOW__CORE__DAGS_FOLDER" in environ:
        return Path(environ["AIRFLOW__CORE__DAGS_FOLDER"])
    checkout = resource("sql").parent
    in_use = "AIRFLOW_HOME" in environ or (checkout / ".airflow").is_dir()
    return checkout / "dags" if in_use and (checkout / "dags").is_dir() else None


def imported(folder: Path) -> str:
    """How many DAGs Airflow reads in a folder. Raises BuildError with what it says of a file that it cannot import."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", _IMPORT, str(folder)]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode != 0:
        raise BuildError(
            f"Airflow cannot read {folder}: {(ran.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    count, errors = json.loads(ran.stdout.splitlines()[-1])
    if errors:
        said = "; ".join(f"{Path(name).name}: {text.strip().splitlines()[-1]}" for name, text in errors.items())
        raise BuildError(f"Airflow cannot import {said}; no DAG of that file runs")
    return f"{count} are imported from {folder}"
