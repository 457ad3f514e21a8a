"""The tests, a package so that suites can share their oracles and drivers."""
