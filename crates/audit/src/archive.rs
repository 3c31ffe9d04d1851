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
    segment::{Segment, number, stem},
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
    pub(crate) async fn put(&self, segment: &Segment) -> Result<Put, ArchiveError> {
        let path = segment.path.clone();
        let compressed = blocking(move || zstd::encode_all(File::open(path)?, LEVEL)).await?;
        let length = compressed.len() as u64;
        let payload = PutPayload::from(compressed);
        let put = self.store.put(&self.name(segment.first), payload).await;
        put.map_err(self.failed())?;
        let content = self.check(segment).await?;
        Ok(Put { length, content })
    }

    /// Reads a segment back and compares it with the one that is here.
    pub(crate) async fn check(&self, segment: &Segment) -> Result<Content, ArchiveError> {
        let path = segment.path.clone();
        let here = blocking(move || Content::of(File::open(path)?)).await?;
        let compressed = self.fetch(segment.first).await?;
        let there = blocking(move || {
            // What is longer need not be read to its end.
            let decoder = zstd::Decoder::new(compressed.as_slice())?;
            Ok(Content::of(decoder.take(here.bytes.saturating_add(1))))
        });
        let why = match there.await? {
            Err(error) => format!("it can't be unpacked, {error}"),
            Ok(there) if there.bytes != here.bytes => {
                format!("it holds {} bytes, not {}", there.bytes, here.bytes)
            }
            Ok(there) if there != here => "its bytes are others".to_owned(),
            Ok(_) => return Ok(here),
        };
        Err(ArchiveError::Differs {
            place: self.place.clone(),
            name: self.name(segment.first).to_string(),
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

/// A segment that was archived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Put {
    /// Its length there, compressed.
    pub(crate) length: u64,
    /// What it holds.
    pub(crate) content: Content,
}

/// What the bytes of a segment are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    pub(crate) hash: Hash,
}

impl Content {
    /// Reads something to its end.
    fn of(mut reader: impl Read) -> io::Result<Self> {
        let (mut hasher, mut bytes) = (Hasher::default(), 0);
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = reader.read(&mut piece)?;
            if read == 0 {
                let hash = hasher.finish();
                return Ok(Self { bytes, hash });
            }
            hasher.add(&piece[..read]);
            bytes += read as u64;
        }
    }
}

/// Does slow work where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ArchiveError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(io::Error::other)??)
}
