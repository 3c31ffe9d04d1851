//! The routers with a fake behind every port: each route, each error, each header.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod alerts;
mod arbitrary;
mod audit;
mod cross_origin;
mod cross_site;
mod defects;
mod document;
mod errors;
#[path = "../../../core/tests/it/fakes.rs"]
mod fakes;
mod grants;
mod headers;
mod idempotency;
mod limits;
mod methods;
mod mint;
mod pages;
mod roles;
mod service;
mod traces;
mod unauthorised;
