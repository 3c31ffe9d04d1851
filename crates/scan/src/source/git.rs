//! Every object of a git repository: loose, packed, unreachable, stashed;
//! contents, messages, notes and tags.
//!
//! The objects are read by the `git` command, which knows every form that a
//! repository may have.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use super::packed;
use crate::{finding::GitObject, scanner::Scanner};

/// Objects up to this long are handed to other threads, in bytes.
const HANDED_OVER: u64 = 1024 * 1024;
/// Objects that wait for a thread.
const WAITING: usize = 64;
/// Objects whose commit is looked up.
const LOOKED_UP: usize = 200;
/// What finds have for a path until their objects' names are known.
const UNNAMED: &str = "git:";

/// Why a repository can't be searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The command is missing or can't be started.
    #[error("the git command can't be run: {0}")]
    Start(std::io::Error),
    /// Its output can't be read.
    #[error("git's output can't be read: {0}")]
    Read(#[from] std::io::Error),
    /// It failed.
    #[error("git failed: {0}")]
    Failed(String),
    /// It said something unforeseen.
    #[error("git's list of objects can't be understood")]
    Malformed,
}

/// Searches every object of the repository that holds this path.
///
/// # Errors
///
/// [`GitError`] when git can't be run or fails, as where there is no
/// repository.
pub fn history(scanner: &Scanner, repository: &Path) -> Result<(), GitError> {
    let commits = every_object(scanner, repository)?;
    name(scanner, repository, &commits)
}

struct Object {
    id: String,
    kind: String,
    bytes: Vec<u8>,
}

/// Searches all objects and returns the ids of the commits.
fn every_object(scanner: &Scanner, repository: &Path) -> Result<Vec<String>, GitError> {
    let arguments = [
        "cat-file",
        "--batch-all-objects",
        "--unordered",
        "--buffer",
        "--batch",
    ];
    let mut git = git(repository, &arguments)
        .spawn()
        .map_err(GitError::Start)?;
    let complaint = complaint(&mut git);
    let output = git.stdout.take().ok_or(GitError::Malformed)?;
    let (sender, receiver) = mpsc::sync_channel::<Object>(WAITING);
    let receiver = Mutex::new(receiver);
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let commits = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(object) = next(&receiver) {
                    search(
                        scanner,
                        &object.id,
                        &object.kind,
                        &mut object.bytes.as_slice(),
                    );
                }
            });
        }
        read_objects(scanner, &mut BufReader::new(output), &sender).inspect(|_| drop(sender))
    });
    let commits = match commits {
        Ok(commits) => commits,
        Err(error) => {
            // Its complaint says more than where its output ended.
            let _ = git.kill();
            finish(git, complaint)?;
            return Err(error);
        }
    };
    finish(git, complaint)?;
    Ok(commits)
}

fn next(receiver: &Mutex<mpsc::Receiver<Object>>) -> Option<Object> {
    receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}

fn read_objects(
    scanner: &Scanner,
    output: &mut impl BufRead,
    workers: &mpsc::SyncSender<Object>,
) -> Result<Vec<String>, GitError> {
    let mut commits = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if output.read_line(&mut line)? == 0 {
            return Ok(commits);
        }
        let mut words = line.split_whitespace();
        let (Some(id), Some(kind), Some(size)) = (words.next(), words.next(), words.next()) else {
            return Err(GitError::Malformed);
        };
        let size: u64 = size.parse().map_err(|_| GitError::Malformed)?;
        if kind == "commit" {
            commits.push(id.to_owned());
        }
        let mut content = output.by_ref().take(size);
        if kind != "tree" && size <= HANDED_OVER {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            let (id, kind) = (id.to_owned(), kind.to_owned());
            // A worker ends only when this sender does.
            let _ = workers.send(Object { id, kind, bytes });
        } else if kind != "tree" {
            search(scanner, id, kind, &mut content);
        }
        std::io::copy(&mut content, &mut std::io::sink())?;
        output.read_exact(&mut [0])?;
    }
}

fn search(scanner: &Scanner, id: &str, kind: &str, content: &mut dyn Read) {
    let path = format!("{UNNAMED}{id}:{kind}");
    let searched = packed::stream(scanner, &path, content, 0, &packed::allowance(), &|_| None);
    if let Err(error) = searched {
        scanner.note(path, error);
    }
}

/// Gives each find the path its object had and a commit that has it.
fn name(scanner: &Scanner, repository: &Path, commits: &[String]) -> Result<(), GitError> {
    let mut found = BTreeSet::new();
    scanner.complete(|finding| found.extend(unnamed(&finding.path).map(|(id, ..)| id.to_owned())));
    if found.is_empty() {
        return Ok(());
    }
    let tips = commits.join("\n");
    let mut paths = BTreeMap::new();
    let listed = answer(repository, &["rev-list", "--objects", "--stdin"], &tips)?;
    for line in listed.lines() {
        if let Some((id, path)) = line.split_once(' ')
            && found.contains(id)
        {
            paths
                .entry(id.to_owned())
                .or_insert_with(|| path.to_owned());
        }
    }
    let mut having = BTreeMap::new();
    for id in found
        .iter()
        .take(LOOKED_UP)
        .filter(|id| paths.contains_key(*id))
    {
        let find = format!("--find-object={id}");
        // The newest first: the last one brought it in.
        let having_it = answer(repository, &["log", "--stdin", "--format=%H", &find], &tips)?;
        let first = having_it.lines().last().unwrap_or_default();
        having.insert(id.clone(), first.to_owned());
    }
    scanner.complete(|finding| {
        let Some((id, kind, rest)) = unnamed(&finding.path) else {
            return;
        };
        let commit = if kind == "commit" {
            Some(id.to_owned())
        } else {
            having.get(id).cloned()
        };
        let name = match paths.get(id).filter(|path| !path.is_empty()) {
            Some(path) => path.clone(),
            None => format!("(git {kind})"),
        };
        let path = format!("{name}{rest}");
        let commit = commit.filter(|commit| !commit.is_empty());
        finding.git = Some(GitObject {
            object: id.to_owned(),
            commit,
        });
        finding.path = path;
    });
    Ok(())
}

/// Id, kind, and what follows in a path that has no name yet.
fn unnamed(path: &str) -> Option<(&str, &str, &str)> {
    let (id, rest) = path.strip_prefix(UNNAMED)?.split_once(':')?;
    let end = rest.find("!/").unwrap_or(rest.len());
    Some((id, rest.get(..end)?, rest.get(end..)?))
}

/// What git answers to a list on its standard input.
fn answer(repository: &Path, arguments: &[&str], input: &str) -> Result<String, GitError> {
    let mut git = git(repository, arguments)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(GitError::Start)?;
    let complaint = complaint(&mut git);
    let mut stdin = git.stdin.take().ok_or(GitError::Malformed)?;
    let input = input.to_owned();
    // Written beside reading: either pipe may fill first.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut output = Vec::new();
    git.stdout
        .take()
        .ok_or(GitError::Malformed)?
        .read_to_end(&mut output)?;
    let _ = writer.join();
    finish(git, complaint)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

fn git(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments);
    // A hook of another repository would have us look there.
    for variable in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
    ] {
        command.env_remove(variable);
    }
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What git says on standard error, read so that it never waits for a reader.
fn complaint(git: &mut Child) -> thread::JoinHandle<String> {
    let stderr = git.stderr.take();
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(4096).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    })
}

fn finish(mut git: Child, complaint: thread::JoinHandle<String>) -> Result<(), GitError> {
    let status = git.wait()?;
    let complaint = complaint.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    Err(GitError::Failed(if complaint.is_empty() {
        status.to_string()
    } else {
        complaint
    }))
}
