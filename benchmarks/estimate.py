"""Choosing among all models of five lists, and again in each of 1,000 bootstrap replicates, against what one would use.

    .venv/bin/python benchmarks/estimate.py [--replicates 1000] [--few 100]

The table is UKdat_5 of the R package MultipleSystemsEstimation (potential victims of trafficking, UK, 2013): 6,893
hierarchical models. Lightwell chooses among all of them in every replicate, exactly. The package, where R has it
(`R_LIBS` is heeded), chooses among the 100 best in each replicate, its default: the smaller task. Where R or the
package is missing, a plain loop of statsmodels fits over the same models stands in, without any check that an estimate
exists. Rivals run `--few` replicates (statsmodels: as many single fits) and are scaled to all of them; with `--whole`
R also chooses among all models, in the jackknife and one replicate (minutes). Processor seconds, of one thread each,
so that a busy machine does not tell.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as R: the second thread only costs, matrices this small

import numpy as np

from common import run, seconds, show
from lightwell.estimate import Options, from_histories, report, selection
from lightwell.estimate.models import as_flags, every_model, faces, lattice

LISTS = ("LA", "NG", "PFNCA", "GO", "GP")
UKDAT_5 = {
    "10000": 54, "01000": 463, "00100": 995, "00010": 695, "00001": 316, "11000": 15, "10100": 19, "10010": 3,
    "01100": 62, "01010": 19, "01001": 1, "00110": 76, "00101": 11, "00011": 8, "11100": 1, "11010": 1, "01110": 4,
    "11110": 1,
}  # fmt: skip
R_RUN = """
library(MultipleSystemsEstimation)
x <- as.matrix(read.csv("{table}"))
fit <- estimate_population_bic(x, nboot = {replicates}, maxorder = 4, ntopmodels = {top})
"""


def lightwell_run(replicates: int) -> float:
    table = from_histories(UKDAT_5, LISTS)
    every_model.cache_clear()
    work = report._Work(table, Options(replicates=replicates), selection.quiet)
    return seconds(lambda: work.best_of_all(work.every_model(), "BIC-best"))


def r_has_the_package() -> bool:
    try:
        tried = subprocess.run(
            ["Rscript", "-e", "library(MultipleSystemsEstimation)"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def r_run(replicates: int, top: str = "100") -> float:
    with tempfile.TemporaryDirectory() as folder:
        table, script = Path(folder, "table.csv"), Path(folder, "run.R")
        rows = [",".join(history) + f",{n}" for history, n in UKDAT_5.items()]
        table.write_text("\n".join([",".join([*LISTS, "count"]), *rows]) + "\n")
        script.write_text(R_RUN.format(table=table, replicates=replicates, top=top))
        return run(["Rscript", script]).cpu


def statsmodels_fit(sample: int) -> float:
    """Seconds of one fit, the mean over a sample of models and replicates."""
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    counts = np.array(from_histories(UKDAT_5, LISTS).counts, dtype=float)
    models, flags = every_model(5), as_flags(every_model(5), 5)
    spent = 0.0
    for k in rng.choice(len(models), sample):
        y = rng.multinomial(int(counts.sum()), counts / counts.sum()).astype(float)
        face = faces(y[None], flags[k][None])
        cells, effects = np.flatnonzero(face.kept[0]), np.flatnonzero(face.finite[0])
        design = lattice(5).within[np.ix_(cells, effects)]
        began = time.process_time()
        sm.GLM(y[cells], design, family=sm.families.Poisson()).fit()
        spent += time.process_time() - began
    return spent / sample


def main() -> None:
    import warnings

    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description="The all-models search with a bootstrap, timed")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--few", type=int, default=100, help="replicates (or fits) that the rival runs")
    parser.add_argument("--whole", action="store_true", help="R chooses among all models too")
    asked = parser.parse_args()
    ours = min(lightwell_run(asked.replicates) for _ in range(3))
    rows = [["Lightwell, all 6,893 models in every replicate", f"{ours:.1f} s", "measured", "1"]]
    if r_has_the_package():
        none, few = r_run(0), r_run(asked.few)
        jackknife = r_run(1)
        theirs = jackknife + (few - jackknife) / (asked.few - 1) * (asked.replicates - 1)
        rows.append(["R MultipleSystemsEstimation, all models once", f"{none:.1f} s", "measured", "-"])
        rows.append(["R MultipleSystemsEstimation, 100 best models in every replicate", f"{theirs:.0f} s",
                     f"from {asked.few} replicates", f"{theirs / ours:.0f}"])  # fmt: skip
        if asked.whole:
            tables = len(UKDAT_5) + 1
            all_ = none + (r_run(1, "Inf") - none) / tables * (len(UKDAT_5) + asked.replicates)
            rows.append(["R MultipleSystemsEstimation, all models in every replicate", f"{all_:,.0f} s",
                         f"from {tables} tables", f"{all_ / ours:,.0f}"])  # fmt: skip
    one = statsmodels_fit(max(asked.few, 100))
    fits = 6893 * (1 + len(UKDAT_5) + asked.replicates)
    rows.append(["statsmodels, a loop over all models in every replicate", f"{one * fits:,.0f} s",
                 f"{one * 1e3:.2f} ms a fit x {fits:,}", f"{one * fits / ours:,.0f}"])  # fmt: skip
    show(
        f"Best of all models of UKdat_5 by BIC, jackknife and {asked.replicates:,} bootstrap replicates",
        ["", "processor", "", "ratio"],
        rows,
        ["A ratio is how many times as long as Lightwell.",
         f"With {math.log(sum(UKDAT_5.values())):.2f} for each effect, bounds leave some 100 of 6,893 models to fit."],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
