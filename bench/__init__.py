"""Benchmarks: `python -m bench.peer` against workerd, `python -m bench.inside` for the parts."""
