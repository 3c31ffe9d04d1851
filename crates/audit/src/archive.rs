//! Where sealed segments are kept for long: a folder or a bucket.

mod open;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutPayload, path::Path as Name,
};
use url::Url;

use self::open::{folder, open};
use crate::{
    chain::{Hash, Hasher},
    segment::{number, stem},
    sidecar::Index,
};

/// What an archived segment's name ends with.
const ENDING: &str = ".jsonl.zst";
/// How hard zstd tries, of 22.
const LEVEL: i32 = 6;

/// Why the archive can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The address is not one of a store.
    #[error(
        "the archive {address} can't be opened: {why}. Give a folder, or an s3://, gs:// or az:// address."
    )]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store failed.
    #[error("the archive {place} failed: {source}")]
    Store {
        /// Which archive.
        place: String,
        /// What it said.
        source: StoreError,
    },
    /// What the archive holds is not what was put there.
    #[error(
        "{name} in the archive {place} is not the segment it was made of: {why}. The local copy stays; remove the archived one and it is put there again."
    )]
    Differs {
        /// Which archive.
        place: String,
        /// The object.
        name: String,
        /// How it differs.
        why: String,
    },
    /// A local file can't be read or written.
    #[error("a segment can't be archived: {0}")]
    Io(#[from] io::Error),
}

/// A folder or bucket of compressed segments.
#[derive(Debug, Clone)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    prefix: Name,
    place: String,
}

impl Archive {
    /// Opens the archive of an address: a folder's path, or `s3://`, `gs://`,
    /// `az://`. A store's credentials are among the options, by the names of
    /// its environment variables; what is not known is let be. A request is tried
    /// again three times within half a minute.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when the address is not one, or a folder can't be made.
    pub fn open(
        address: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ArchiveError> {
        let bad = |why: String| ArchiveError::Address {
            address: address.to_owned(),
            why,
        };
        let url = match Url::parse(address) {
            Ok(url) if url.scheme() != "file" => url,
            Ok(url) => folder(&url.to_file_path().map_err(|()| bad("no path".to_owned()))?)?,
            Err(_) => folder(Path::new(address))?,
        };
        let (store, prefix) = open(&url, options).map_err(|error| bad(error.to_string()))?;
        Ok(Self {
            store,
            prefix,
            place: address.to_owned(),
        })
    }

    /// An archive within a store that is open already.
    pub fn within(store: Arc<dyn ObjectStore>, place: impl Into<String>) -> Self {
        Self {
            store,
            prefix: Name::default(),
            place: place.into(),
        }
    }

    fn name(&self, first: u64) -> Name {
        self.prefix.clone().join(format!("{}{ENDING}", stem(first)))
    }

    fn failed(&self) -> impl Fn(StoreError) -> ArchiveError + '_ {
        |source| ArchiveError::Store {
            place: self.place.clone(),
            source,
        }
    }

    /// The first records of the segments it holds, in order.
    pub(crate) async fn firsts(&self) -> Result<Vec<u64>, ArchiveError> {
        let listed = self.store.list_with_delimiter(Some(&self.prefix)).await;
        let objects = listed.map_err(self.failed())?.objects;
        let names = objects
            .iter()
            .filter_map(|object| object.location.filename());
        let mut firsts: Vec<u64> = names
            .filter_map(|name| number(name.strip_suffix(ENDING)?))
            .collect();
        firsts.sort_unstable();
        Ok(firsts)
    }

    /// Compresses a segment, puts it there, and reads it back to be sure.
    pub(crate) async fn put(&self, path: &Path, index: &Index) -> Result<u64, ArchiveError> {
        let path = path.to_owned();
        let compressed = blocking(move || zstd::encode_all(File::open(path)?, LEVEL)).await?;
        let length = compressed.len() as u64;
        let payload = PutPayload::from(compressed);
        let put = self.store.put(&self.name(index.first), payload).await;
        put.map_err(self.failed())?;
        self.check(index).await?;
        Ok(length)
    }

    /// Reads a segment back and compares it with what is known of it.
    pub(crate) async fn check(&self, index: &Index) -> Result<(), ArchiveError> {
        let compressed = self.fetch(index.first).await?;
        let limit = index.bytes;
        let measured = blocking(move || Ok(measure(&compressed, limit))).await?;
        let why = match measured {
            Err(error) => format!("it can't be unpacked, {error}"),
            Ok((bytes, _)) if bytes != index.bytes => {
                format!("it holds {bytes} bytes, not {}", index.bytes)
            }
            Ok((_, hash)) if hash != index.sha256 => "its bytes are others".to_owned(),
            Ok(_) => return Ok(()),
        };
        Err(ArchiveError::Differs {
            place: self.place.clone(),
            name: self.name(index.first).to_string(),
            why,
        })
    }

    async fn fetch(&self, first: u64) -> Result<Vec<u8>, ArchiveError> {
        let object = self.store.get(&self.name(first)).await;
        let bytes = object.map_err(self.failed())?.bytes().await;
        Ok(bytes.map_err(self.failed())?.into())
    }

    /// A segment as it was.
    pub(crate) async fn get(&self, first: u64) -> Result<Vec<u8>, ArchiveError> {
        let compressed = self.fetch(first).await?;
        blocking(move || zstd::decode_all(compressed.as_slice())).await
    }

    pub(crate) async fn remove(&self, first: u64) -> Result<(), ArchiveError> {
        match self.store.delete(&self.name(first)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed()(error)),
        }
    }
}

/// Length and hash of what is compressed, reading little beyond a limit.
fn measure(compressed: &[u8], limit: u64) -> io::Result<(u64, Hash)> {
    let decoder = zstd::Decoder::new(compressed)?;
    let mut limited = decoder.take(limit.saturating_add(1));
    let (mut hasher, mut length) = (Hasher::default(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = limited.read(&mut piece)?;
        if read == 0 {
            return Ok((length, hasher.finish()));
        }
        hasher.add(&piece[..read]);
        length += read as u64;
    }
}

/// Does slow work where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ArchiveError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(io::Error::other)??)
}
