//! Opening the store of an address.

use std::{path::Path, sync::Arc, time::Duration};

use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreScheme, RetryConfig, aws::AmazonS3Builder,
    azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder, local::LocalFileSystem,
    path::Path as Name,
};
use url::Url;

use super::ArchiveError;

/// A store, and where within it the segments are.
pub(super) type Opened = (Arc<dyn ObjectStore>, Name);

/// What holds unless the options say otherwise. One object is deleted at a
/// time, which stores that are only compatible with S3 can do as well.
const DEFAULTS: [(&str, &str); 2] = [("timeout", "2m"), ("disable_bulk_delete", "true")];

/// A round is tried again every minute, so one request is not tried for long.
fn patience() -> RetryConfig {
    RetryConfig {
        max_retries: 3,
        retry_timeout: Duration::from_secs(30),
        ..RetryConfig::default()
    }
}

/// The builder of a store with its options; those it does not know are let be.
macro_rules! built {
    ($builder:ty, $url:expr, $options:expr) => {{
        let begun = <$builder>::new()
            .with_url($url.to_string())
            .with_retry(patience());
        let told = |builder: $builder, (name, value): (String, String)| match name.parse() {
            Ok(option) => builder.with_config(option, value),
            Err(_) => builder,
        };
        Arc::new($options.fold(begun, told).build()?)
    }};
}

/// Opens the store of an address, with options by the names of its vendor's
/// environment variables.
pub(super) fn open(
    url: &Url,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Opened, StoreError> {
    let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(unknown)?;
    let defaults = DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = options
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value));
    let options = defaults.into_iter().chain(given);
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::Local => Arc::new(LocalFileSystem::new()),
        ObjectStoreScheme::AmazonS3 => built!(AmazonS3Builder, url, options),
        ObjectStoreScheme::GoogleCloudStorage => built!(GoogleCloudStorageBuilder, url, options),
        ObjectStoreScheme::MicrosoftAzure => built!(MicrosoftAzureBuilder, url, options),
        other => return Err(unknown(format!("{other:?} is no store for it"))),
    };
    Ok((store, prefix))
}

fn unknown(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Generic {
        store: "archive",
        source: why.into(),
    }
}

/// The address of a folder, which is made where it is not there.
pub(super) fn folder(path: &Path) -> Result<Url, ArchiveError> {
    std::fs::create_dir_all(path)?;
    let whole = path.canonicalize()?;
    Url::from_directory_path(whole).map_err(|()| ArchiveError::Address {
        address: path.display().to_string(),
        why: "no path".to_owned(),
    })
}
