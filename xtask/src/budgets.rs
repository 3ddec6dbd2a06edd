//! `cargo xtask budgets`: counts the instructions of hot paths under callgrind and compares them with what they may take.
//!
//! Time is not repeatable on a machine others use, too; a count of instructions nearly is.

mod file;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::file::Budgets;
use crate::Result;
use crate::cargo::{cargo, describe, output, program, root, run as run_command};
use crate::metadata::Metadata;
use crate::report::Report;

const PACKAGE: &str = "storage-budgets";

/// What is done so often is counted, and then what is done more often: the difference holds neither the beginning nor the end.
const FEW: u64 = 500;
const MANY: u64 = 5_500;
/// How often each is counted.
const RUNS: u32 = 3;

/// What to do with the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Compare them with the budgets.
    Check,
    /// Make them the budgets.
    Update,
}

pub(crate) fn run(mode: Mode) -> std::process::ExitCode {
    let mut report = Report::default();
    let mut found = None;
    report.step("what counts", || {
        found = Some(Counter::prepare()?);
        Ok(())
    });
    if let Some(counter) = found {
        report.step("instructions of hot paths", || counter.all(mode));
    }
    report.finish()
}

/// The program with the paths, and where callgrind writes.
struct Counter {
    paths: PathBuf,
    directory: PathBuf,
}

impl Counter {
    fn prepare() -> Result<Self> {
        // The budgets are those of this processor's instructions.
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("instructions are counted on Linux on x86-64 only".into());
        }
        let version = output(program("valgrind").arg("--version"))
            .map_err(|error| format!("needs valgrind (Debian: apt-get install valgrind): {error}"))?;
        print!("{version}");
        run_command(&mut cargo([
            "build",
            "--release",
            "--locked",
            "--package",
            PACKAGE,
        ]))?;
        let target = Metadata::read()?.target_directory;
        let directory = target.join("xtask/budgets");
        std::fs::create_dir_all(&directory)?;
        Ok(Self {
            paths: target.join("release").join(PACKAGE),
            directory,
        })
    }

    fn all(&self, mode: Mode) -> Result<()> {
        let file = root().join(PACKAGE).join("budgets.txt");
        let names = output(&mut program(&self.paths))?;
        let mut counts = Vec::new();
        for name in names.lines() {
            counts.push((name.to_owned(), self.count(name)?));
        }
        if mode == Mode::Update {
            std::fs::write(&file, Budgets::new(counts).to_string())?;
            println!("written to {}", file.display());
            return Ok(());
        }
        let budgets: Budgets = std::fs::read_to_string(&file)?.parse()?;
        let judged = budgets.judge(&counts);
        print!("{judged}");
        println!(
            "profiles: callgrind_annotate {}",
            self.directory.join("NAME.out").display()
        );
        judged.outcome()
    }

    /// What a path takes once.
    fn count(&self, name: &str) -> Result<u64> {
        let (few, many) = (self.collect(name, FEW)?, self.collect(name, MANY)?);
        let difference = many
            .checked_sub(few)
            .ok_or_else(|| format!("{name} took less for {MANY} times than for {FEW}"))?;
        Ok(difference / (MANY - FEW))
    }

    /// The least of a few runs: what is done now and then by the clock, such as the housekeeping of a cache, only adds.
    fn collect(&self, name: &str, times: u64) -> Result<u64> {
        let mut least = u64::MAX;
        for _ in 0..RUNS {
            least = least.min(self.run(name, times)?);
        }
        Ok(least)
    }

    fn run(&self, name: &str, times: u64) -> Result<u64> {
        let mut command = program("valgrind");
        let out = self.directory.join(format!("{name}.out"));
        command
            .args(["--tool=callgrind", &out_file(&out)])
            .arg(&self.paths)
            .args([name, &times.to_string()]);
        collected(&mut command)
    }
}

fn out_file(path: &Path) -> String {
    format!("--callgrind-out-file={}", path.display())
}

/// Runs callgrind and reads its sum over all threads: `==pid== Collected : 123`.
fn collected(command: &mut Command) -> Result<u64> {
    let done = command.output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        return Err(format!("{} ended with {}\n{said}", describe(command), done.status).into());
    }
    let sum = said
        .lines()
        .find_map(|line| line.split_once("Collected : ").map(|(_, sum)| sum.trim().parse()));
    Ok(sum.ok_or_else(|| format!("{} said no sum\n{said}", describe(command)))??)
}
