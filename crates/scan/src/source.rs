//! Where texts come from.

mod files;
mod git;
mod packed;
mod stream;

pub use self::{
    files::FileOptions,
    git::{GitError, history},
};
