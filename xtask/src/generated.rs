//! Files the binary writes about itself, kept in the repository.
use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, root};

/// Arguments of the tasks that write a generated file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Compare instead of writing; fails where the file is out of date
    #[arg(long)]
    check: bool,
}

impl Args {
    /// Compare only.
    pub(crate) const CHECK: Self = Self { check: true };
}

/// A file in the repository that a command of the binary prints.
pub(crate) struct Generated {
    task: &'static str,
    path: &'static str,
    command: &'static [&'static str],
}

/// The OpenAPI document of the public listener.
pub(crate) const OPENAPI: Generated = Generated {
    task: "openapi",
    path: "openapi/openapi.json",
    command: &["openapi"],
};

/// The JSON schema of `hallpass.toml`.
pub(crate) const SCHEMA: Generated = Generated {
    task: "schema",
    path: "schema/config.schema.json",
    command: &["config", "schema"],
};

/// The table of all metrics.
pub(crate) const METRICS: Generated = Generated {
    task: "metrics",
    path: "docs/metrics.md",
    command: &["metrics"],
};

impl Generated {
    /// Writes the file, or compares it.
    pub(crate) fn update(&self, args: &Args) -> Result<()> {
        let path = root().join(self.path);
        let printed = self.print()?;
        if args.check {
            return self.compare(&path, &printed);
        }
        write(&path, &printed)?;
        println!("wrote {}", self.path);
        Ok(())
    }

    fn print(&self) -> Result<Vec<u8>> {
        let binary = ["run", "--quiet", "--locked", "--package", "hallpass", "--"];
        output(cargo(&binary).args(self.command))
    }

    fn compare(&self, path: &Path, printed: &[u8]) -> Result<()> {
        let kept = fs::read(path)
            .with_context(|| format!("cannot read {}; {}", self.path, self.cure()))?;
        if kept == printed {
            println!("{} is up to date", self.path);
            return Ok(());
        }
        bail!(
            "{} differs from what the binary prints{}; {}",
            self.path,
            first_difference(&kept, printed),
            self.cure()
        )
    }

    fn cure(&self) -> String {
        format!("run `cargo xtask {}` and commit the file", self.task)
    }
}

fn write(path: &Path, printed: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, printed).with_context(|| format!("cannot write {}", path.display()))
}

/// Where two texts part, as ` (from line 3)`.
fn first_difference(kept: &[u8], printed: &[u8]) -> String {
    let same = kept
        .split(|byte| *byte == b'\n')
        .zip(printed.split(|byte| *byte == b'\n'))
        .take_while(|(kept, printed)| kept == printed)
        .count();
    format!(" (from line {})", same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_is_refused_with_the_line_and_the_cure() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let path = folder.path().join("openapi.json");
        write(&path, b"{\n  \"a\": 1\n}\n").expect("written");

        let error = OPENAPI
            .compare(&path, b"{\n  \"a\": 2\n}\n")
            .expect_err("it differs");

        let text = error.to_string();
        assert!(text.contains("from line 2"), "{text}");
        assert!(text.contains("cargo xtask openapi"), "{text}");
    }

    #[test]
    fn a_file_that_is_the_same_passes() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let path = folder.path().join("new/schema.json");
        write(&path, b"{}\n").expect("written, with its folder");

        SCHEMA.compare(&path, b"{}\n").expect("no difference");
    }

    #[test]
    fn a_missing_file_names_the_cure() {
        let error = SCHEMA
            .compare(Path::new("/no/such/file"), b"{}")
            .expect_err("nothing there");

        assert!(error.to_string().contains("cargo xtask schema"), "{error}");
    }
}
