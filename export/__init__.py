"""Weights → artefacts that Triton serves, and the gate that no inaccurate artefact passes."""
