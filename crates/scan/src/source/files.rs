//! Files and folders.

use std::{
    fs::File,
    io,
    path::{Component, Path},
};

use ignore::{DirEntry, WalkBuilder};
use rayon::iter::{ParallelBridge, ParallelIterator};

use super::{packed, stream};
use crate::scanner::Scanner;

/// What of a folder is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileOptions {
    /// Whether files that `.gitignore` and `.ignore` name are left out.
    pub respect_ignore_files: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            respect_ignore_files: true,
        }
    }
}

impl Scanner {
    /// Searches a file, or every file of a folder; hidden ones too, and what
    /// `.git` holds not. Symbolic links are not followed.
    ///
    /// # Errors
    ///
    /// When there is nothing at this path.
    pub fn path(&self, path: &Path, options: FileOptions) -> io::Result<()> {
        path.metadata()?;
        let respected = options.respect_ignore_files;
        let walk = WalkBuilder::new(path)
            .standard_filters(respected)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        walk.par_bridge().for_each(|entry| match entry {
            Ok(entry) => self.entry(&entry),
            Err(error) => self.note("", error),
        });
        Ok(())
    }

    fn entry(&self, entry: &DirEntry) {
        let asked_for = entry.depth() == 0;
        let is_file = entry
            .file_type()
            .is_some_and(|kind| kind.is_file() || (asked_for && kind.is_symlink()));
        if !is_file {
            return;
        }
        let path = entry.path();
        let shown = shown(path);
        let beside = |url: &str| beside(path, url);
        let searched = File::open(path).and_then(|file| packed::file(self, &shown, file, &beside));
        if let Err(error) = searched {
            self.note(shown, error);
        }
    }
}

/// A path as it is told, the same on every system.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    text.strip_prefix("./").map_or(text.clone(), str::to_owned)
}

/// The file beside another, when a relative address names it.
fn beside(path: &Path, url: &str) -> Option<Vec<u8>> {
    let relative = Path::new(url);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !relative.components().all(plain) {
        return None;
    }
    let mut file = File::open(path.parent()?.join(relative)).ok()?;
    stream::read_up_to(&mut file, stream::WHOLE).ok()
}
