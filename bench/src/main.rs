//! The load generator, the simulated upstream and the peers of the benchmark.
fn main() {}
