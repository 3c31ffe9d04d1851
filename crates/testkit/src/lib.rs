//! Test support: contract suites, clocks, fixtures.
