//! Distributed and volatile stores: what replicas count together, in Redis 7
//! or Valkey.
//!
//! | what | keys | ends by itself |
//! |---|---|---|
//! | rates | `hp1:{c:<subject>}:q:…`, `hp1:{p:<profile>}:q:…`, `hp1:{g}:q:…` | when unused again |
//! | places of callers | `hp1:{c:<subject>}:grants`, `…:live` | with the last place |
//! | passes | `hp1:{w:<grant>}:pass` | an hour after the pass |
//! | live sessions of a replica | `hp1:{r:<replica>}:live`, `…:orders` | half a minute after its replica |
//! | which replicas there are | `hp1:{feed}:replicas` | half a minute after the last |
//! | revocations | `hp1:{feed}:revocations` | an hour after the last |
//!
//! Each step that must be whole is one Lua script that names all its keys. It
//! goes by the server's clock, so that no replica's clock can give anyone more.
//! What a name starts with is its version: replicas of two versions that keep
//! something in another form don't read each other's.
//!
//! Nothing here is the only copy of a promise: Redis may be emptied at any
//! time. Rates then begin anew, places come back with the next beat, passes
//! are refused, and revocations are read from where they are true.

mod address;
mod dial;
mod feed;
mod follow;
mod jitter;
mod leases;
mod link;
mod names;
mod options;
mod passes;
mod peers;
mod quotas;
mod reached;
mod reply;
mod script;
mod share;
mod standing;
mod wire;

pub use address::{Address, InvalidAddress};
pub use dial::{Dial, Stream};
pub use feed::RevocationNews;
pub use follow::{FollowedRevocations, FreshnessObserver};
pub use leases::{LeasePolicy, RedisLeases};
pub use link::{Link, LinkTimes};
pub use passes::RedisPasses;
pub use peers::{RedisPeers, Replica};
pub use quotas::RedisQuotas;
pub use share::{ShareLeases, ShareQuotas};
pub use standing::LinkObserver;
