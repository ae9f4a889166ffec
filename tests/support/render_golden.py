"""Renders the golden files of tests/helm-chart anew: `make chart-golden`."""

from chart import GOLDEN, REALISTIC, golden_text

if __name__ == "__main__":
    for name, values in REALISTIC.items():
        (GOLDEN / f"{name}.yaml").write_text(golden_text(values))
