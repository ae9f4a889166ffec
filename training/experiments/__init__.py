"""Many runs for one answer: cross-validation, hyper-parameter search and sweeps over the command line."""
