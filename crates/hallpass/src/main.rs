//! The Hallpass server.
fn main() {}
