//! The simulated OpenAI: client secrets, realtime sessions, faults.
//!
//! It answers the routes of OpenAI's Realtime API that a broker and its
//! browsers use, with the shapes, texts, close codes and quirks of the real
//! service, and breaks on request. `README.md` lists what it does and does not
//! simulate. Everything lives in memory and is bounded.
//!
//! ```no_run
//! # async fn example(clock: hallpass_sim::Clock) -> std::io::Result<()> {
//! use hallpass_sim::{Simulator, SimulatorConfig};
//!
//! let simulator = Simulator::new(SimulatorConfig::new(clock));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8789").await?;
//! simulator.serve(listener, None, std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod call;
mod config;
mod connection;
mod control;
mod credential;
mod effective;
mod error;
mod failing;
mod fault;
mod gate;
mod ids;
mod log;
mod mint;
mod realtime;
mod router;
mod schema;
mod sdp;
mod secrets;
mod serve;
mod sessions;
mod simulator;
mod socket;
mod sync;

pub use crate::{
    config::{Clock, SimulatorConfig},
    log::LogEntry,
    sessions::SessionSummary,
    simulator::Simulator,
};
