//! Distributed and durable stores: several replicas on one PostgreSQL.
//!
//! Every change is one statement, so it happens whole or not at all and costs
//! one round trip; what many requests write at once goes in one statement for
//! all of them. What a request only asks (keys, revocations, usage of today)
//! is answered from memory, which a revision number keeps in step with what
//! other replicas change.

mod ask;
mod calls;
mod chain;
mod copy;
mod database;
mod feed;
mod gather;
mod grant_rows;
mod grants;
mod installation;
mod interviews;
mod keys;
mod life;
mod migrate;
mod passes;
mod query;
mod replica;
mod revocations;
mod rows;
mod settings;
mod statement;
mod trail;
mod usage;

pub use calls::PgCalls;
pub use chain::{AppendError, ChainEvidence, ChainState, KeptCheckpoint, PgChain, TakeChainError};
pub use copy::PgTaker;
pub use database::{Database, OpenError};
pub use feed::PgFeed;
pub use grants::PgGrants;
pub use installation::ForeignKey;
pub use interviews::PgInterviews;
pub use keys::PgKeys;
pub use migrate::Migrated;
pub use passes::PgPasses;
pub use replica::{InvalidName, RegisterError, Replica, ReplicaName};
pub use revocations::PgRevocations;
pub use settings::PgSettings;
pub use trail::{PgTrail, TrailQuery, TrailRecord};
pub use usage::PgUsage;
