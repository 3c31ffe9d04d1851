//! Wire types of the Hallpass API.
//!
//! What goes over the wire and nothing else: the members of requests and
//! answers, and for each error code its status, title and advice.

pub mod alerts;
pub mod answer;
pub mod interviews;
pub mod keys;
pub mod life;
pub mod live;
pub mod members;
pub mod mint;
pub mod openai;
pub mod problem;
pub mod report;
pub mod status;
mod strict;
pub mod usage;
