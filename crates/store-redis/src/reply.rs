//! What Redis answers, read without trusting its shape.

use hallpass_core::ports::StoreError;
use redis::{FromRedisValue, Value};

/// Reads an answer as what it should be.
pub(crate) fn read<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    redis::from_redis_value(value)
        .map_err(|_| StoreError("Redis answered something else than was asked for".to_owned()))
}
