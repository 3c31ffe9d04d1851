//! A deployed page and what it loads from its own origin.

mod address;
mod client;
mod links;

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use url::Url;

use self::client::{Client, Fetched};
use crate::{
    scanner::Scanner,
    source_map::{SourceMap, mapping_url},
};

pub use self::client::PageError;

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOptions {
    /// Whether loopback and private addresses may be asked, and plain HTTP.
    pub allow_private: bool,
    /// Resources asked for at most.
    pub most_resources: usize,
    /// Bytes received at most.
    pub most_bytes: u64,
    /// How long all of it may take.
    pub deadline: Duration,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            allow_private: false,
            most_resources: 500,
            most_bytes: 256 * 1024 * 1024,
            deadline: Duration::from_secs(180),
        }
    }
}

/// Requests under way at once.
const AT_ONCE: usize = 6;

/// Searches a page and every script, module, worker, style and source map that
/// it leads to on its own origin. Other origins are never asked.
///
/// # Errors
///
/// [`PageError`] when the page itself can't be had. What it leads to and can't
/// be had becomes a note.
pub async fn page(scanner: &Scanner, url: &Url, options: PageOptions) -> Result<(), PageError> {
    let client = Client::new(url, options)?;
    let search = async {
        let first = client.get(url).await?;
        follow(scanner, &client, first, options).await;
        Ok(())
    };
    tokio::time::timeout(options.deadline, search)
        .await
        .unwrap_or_else(|_| {
            scanner.note(url.as_str(), "not all of it was looked at: the time was up");
            Ok(())
        })
}

/// Breadth first: a level is fetched whole before what it leads to.
async fn follow(scanner: &Scanner, client: &Client, first: Fetched, options: PageOptions) {
    let mut seen: BTreeMap<Url, bool> = BTreeMap::from([(first.url.clone(), true)]);
    let mut level = vec![first];
    while !level.is_empty() {
        let mut wanted = Vec::new();
        for resource in &level {
            for (link, certain) in leads_to(resource) {
                if client.is_own(&link) && !seen.contains_key(&link) {
                    seen.insert(link.clone(), certain);
                    wanted.push((link, certain));
                }
            }
        }
        search(scanner, level);
        let room = (options.most_resources + wanted.len()).saturating_sub(seen.len());
        if room < wanted.len() {
            scanner.note(
                client.origin(),
                format_args!("it leads to more than {} resources", options.most_resources),
            );
            wanted.truncate(room);
        }
        level = stream::iter(wanted)
            .map(|(link, certain)| async move {
                let fetched = client.get(&link).await;
                (link, certain, fetched)
            })
            .buffer_unordered(AT_ONCE)
            .filter_map(|(link, certain, fetched)| async move {
                match fetched {
                    Ok(fetched) => Some(fetched),
                    Err(error) => {
                        if certain {
                            scanner.note(link.as_str(), error);
                        }
                        None
                    }
                }
            })
            .collect()
            .await;
    }
}

/// What a resource leads to, and whether it must be there.
fn leads_to(resource: &Fetched) -> Vec<(Url, bool)> {
    let text = String::from_utf8_lossy(&resource.body);
    let join = |link: &str, certain: bool| {
        let mut url = resource.url.join(link).ok()?;
        url.set_fragment(None);
        Some((url, certain))
    };
    let mut found: Vec<(Url, bool)> = Vec::new();
    if resource.is_page() {
        found.extend(
            links::of_page(&text)
                .iter()
                .filter_map(|link| join(link, true)),
        );
    }
    found.extend(
        links::of_program(&text)
            .iter()
            .filter_map(|link| join(link, false)),
    );
    let map = resource
        .source_map
        .as_deref()
        .or_else(|| mapping_url(&resource.body));
    found.extend(
        map.filter(|url| !url.starts_with("data:"))
            .and_then(|url| join(url, true)),
    );
    // A map that is deployed though nothing names it is found by its usual name.
    if resource.is_program() {
        let mut beside = resource.url.clone();
        beside.set_path(&format!("{}.map", resource.url.path()));
        found.push((beside, false));
    }
    found
}

fn search(scanner: &Scanner, level: Vec<Fetched>) {
    for resource in level {
        // A server that knows no such file may answer with its first page.
        let is_missing_map =
            resource.url.path().ends_with(".map") && SourceMap::parse(&resource.body).is_none();
        if !is_missing_map {
            scanner.text(resource.url.as_str(), &resource.body);
        }
    }
}
