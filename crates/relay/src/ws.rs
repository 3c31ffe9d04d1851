//! WebSocket frames as bytes: heads, masks and closes, and no more than that.

mod close;
mod head;
mod mask;

pub use close::{Close, MAX_CONTROL};
pub(crate) use head::MAX_HEAD;
pub use head::{Head, HeadError, Opcode, read_head};
pub use mask::{mask, mask_from};
