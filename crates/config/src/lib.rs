//! Configuration of Hallpass: TOML, environment and flags into checked structs.
//!
//! [`load()`] lays the layers over each other (file, then environment, then
//! flags), checks names and types against the schema made from the structs in
//! [`section`], reads secret files, and refuses what is unsafe. It reports every
//! problem it can find at once, each with its place and its remedy. Nothing here
//! reads the process's environment: it is passed in.

mod builtin;
mod check;
mod collector_headers;
mod document;
mod files;
mod hidden;
mod load;
mod network;
mod overlay;
mod print;
mod problem;
mod schema;
pub mod section;
mod session_members;
mod shape;
mod suggest;

pub use collector_headers::collector_headers;
pub use document::Origins;
pub use load::{Loaded, Sources, from_toml_str, load, load_auth_only};
pub use network::{Network, NotANetwork};
pub use problem::{Origin, Problem, Problems};
pub use schema::json_schema;
pub use section::Config;
