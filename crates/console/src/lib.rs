//! The operator's console: pages on the admin listener, kept open while
//! something is watched.
//!
//! A page is rendered from a `live` view and then kept current by
//! server-sent events that carry the same view, so what was rendered and what
//! is sent can't differ. Every page can be read without script.
//!
//! | file | idea |
//! |---|---|
//! | `visit` | who asks: from a cookie to a caller the pipeline knows |
//! | `session`, `cookie`, `origin` | signed in: where it is kept, sent, and what may use it |
//! | `timeline` | what the trail said of each minute of the last day |
//! | `live` | the numbers and rows of a page, rendered and sent |
//! | `pages` | one file for each page |
//! | `events` | the stream that keeps a page current |
//! | `layout`, `parts`, `text`, `when` | how pages look, and how hostile text is shown |

mod answer;
mod assets;
mod console;
mod cookie;
mod events;
mod form;
mod layout;
mod live;
mod operator;
mod origin;
mod pages;
mod parts;
mod session;
mod text;
mod timeline;
mod trail;
mod visit;
mod when;

pub use console::{ConsoleParts, routes};
pub use timeline::Timeline;
pub use trail::{Beside, Place, Sealing, TrailDesk, TrailRecord};
