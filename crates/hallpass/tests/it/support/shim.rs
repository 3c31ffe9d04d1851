//! A server whose system calls fail, and whose clock jumps, on command.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::io::Errno;
use tempfile::TempDir;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/shim.c");

/// Where the members of `struct control` stand; `shim.c` says the same.
const CALL: (u64, usize) = (0, 32);
const PATH: (u64, usize) = (32, 96);
const ERROR: u64 = 128;
const SKIP: u64 = 132;
const TIMES: u64 = 136;
const FAILED: u64 = 140;
const CLOCK_SHIFT: u64 = 144;
const SIZE: u64 = 152;
/// In place of an error: the call does not come back.
const HANG: i32 = -1;

/// Which call fails, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// The function's name.
    pub(crate) call: &'static str,
    /// A part of the file's path; its end, where it ends with `$`.
    pub(crate) path: &'static str,
    /// What it says; none: a write takes half of its bytes and says so.
    pub(crate) error: Option<Errno>,
    /// How many calls pass before.
    pub(crate) skip: i32,
    /// How many calls fail then.
    pub(crate) times: i32,
}

/// The shim, compiled, and the page it is told by.
pub(crate) struct Shim {
    library: PathBuf,
    page: File,
    dir: TempDir,
}

impl Shim {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("shim.so");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-std=gnu11", "-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .args([SOURCE, "-ldl"]);
        // Whoever can link Rust here has it.
        assert!(compiler.status().unwrap().success(), "cc compiles the shim");
        let page = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("control"))
            .unwrap();
        page.set_len(SIZE).unwrap();
        Self { library, page, dir }
    }

    /// Puts a command behind the shim.
    pub(crate) fn before(&self, command: &mut Command) {
        let control: &Path = &self.dir.path().join("control");
        command
            .env("LD_PRELOAD", &self.library)
            .env("SHIM_CONTROL", control);
    }

    /// From now on calls fail so.
    pub(crate) fn fail(&self, fault: Fault) {
        let error = fault.error.map_or(0, Errno::raw_os_error);
        self.arm(fault, error);
    }

    /// The next such call does not come back until [`calm`](Self::calm).
    pub(crate) fn hang(&self, call: &'static str, path: &'static str) {
        let fault = Fault {
            call,
            path,
            error: None,
            skip: 0,
            times: 1,
        };
        self.arm(fault, HANG);
    }

    fn arm(&self, fault: Fault, error: i32) {
        self.calm();
        self.set_text(CALL, fault.call);
        self.set_text(PATH, fault.path);
        self.set(ERROR, error);
        self.set(SKIP, fault.skip);
        self.set(FAILED, 0);
        // This arms it.
        self.set(TIMES, fault.times);
    }

    /// From now on none fails, and one that hangs comes back.
    pub(crate) fn calm(&self) {
        self.set(TIMES, 0);
        self.set(ERROR, 0);
    }

    /// How many calls failed since they were told to.
    pub(crate) fn failed(&self) -> i32 {
        let mut number = [0; 4];
        self.page.read_exact_at(&mut number, FAILED).unwrap();
        i32::from_ne_bytes(number)
    }

    /// Sets the wall clock so much forward, or back.
    pub(crate) fn shift_clock(&self, milliseconds: i64) {
        let shift = milliseconds.to_ne_bytes();
        self.page.write_all_at(&shift, CLOCK_SHIFT).unwrap();
    }

    fn set(&self, at: u64, number: i32) {
        self.page.write_all_at(&number.to_ne_bytes(), at).unwrap();
    }

    fn set_text(&self, (at, room): (u64, usize), text: &str) {
        let mut bytes = vec![0; room];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        self.page.write_all_at(&bytes, at).unwrap();
    }
}
