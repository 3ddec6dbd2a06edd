//! How each server is installed. Nothing refers to where it was built, because the directory is renamed when it is complete.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::cache::{self, Building};
use crate::command::{output, run, run_within};
use crate::tool::Tool;
use crate::{Native, Result};

/// For a crate: Garage, the largest, takes 25 minutes on two idle cores.
const COMPILED_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// Where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A package of the Python index, with extras.
    Pip {
        package: &'static str,
        extras: &'static str,
    },
    /// A package of the npm registry.
    Npm { package: &'static str },
    /// A main package of a Go module.
    Go { package: &'static str },
    /// A program of a crate, with these options of `cargo install`, and what else compiles it.
    Cargo {
        package: &'static str,
        options: &'static [&'static str],
        needs: Option<Tool>,
    },
    /// FerretDB, a Go module that `go install` builds into a program which panics: its version is a file that is not in the
    /// module (`build/version/version.txt`), so it is copied, given one and built as the main module.
    FerretDb { module: &'static str },
    /// Part of this crate, served by its program.
    Ours,
}

/// The directory it is installed in, if it is.
pub(crate) async fn installed(server: Native) -> Result<PathBuf> {
    if server.source() == Source::Ours {
        return Err(format!("{} is not installed, it is part of this crate", server.name()).into());
    }
    let name = directory_name(server).await?;
    let found = cache::installed(&name)?;
    found.ok_or_else(|| {
        let deep = if server.is_careless() { " --deep" } else { "" };
        let (name, version) = (server.name(), server.version());
        format!("{name} {version} is not installed; `cargo xtask servers up{deep}` does it").into()
    })
}

/// Installs it unless that was done before.
pub(crate) async fn install(server: Native) -> Result<PathBuf> {
    let tools = cache::directory()?.join("tools.log");
    if let Some(parent) = tools.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match server.source() {
        Source::Ours => {
            let program = std::env::current_exe()?;
            return Ok(program.parent().map(Path::to_owned).unwrap_or_default());
        }
        Source::Pip { .. } => Tool::Python.need(&tools).await?,
        // Even an installed one runs on node.
        Source::Npm { .. } => Tool::Node.need(&tools).await?,
        Source::Go { .. } | Source::FerretDb { .. } | Source::Cargo { .. } => {}
    }
    let name = directory_name(server).await?;
    if let Some(path) = cache::installed(&name)? {
        return Ok(path);
    }
    match server.source() {
        Source::Go { .. } | Source::FerretDb { .. } => Tool::Go.need(&tools).await?,
        Source::Cargo {
            needs: Some(tool), ..
        } => tool.need(&tools).await?,
        _ => {}
    }
    let Some(building) = Building::begin(&name).await? else {
        return installed(server).await;
    };
    eprintln!("installing {} {}", server.name(), server.version());
    build(server, building.path(), &building.log()).await?;
    building.finish()
}

/// Name and version; with Python's, because what pip compiled or chose is for that one.
async fn directory_name(server: Native) -> Result<String> {
    let name = format!("{}-{}", server.name().to_lowercase(), server.version());
    if !matches!(server.source(), Source::Pip { .. }) {
        return Ok(name);
    }
    let script = "import sys; print('%d.%d' % sys.version_info[:2])";
    let python = output(Command::new("python3").args(["-c", script])).await?;
    Ok(format!("{name}-py{}", python.trim()))
}

async fn build(server: Native, into: &Path, log: &Path) -> Result<()> {
    let version = server.version();
    match server.source() {
        Source::Pip { package, extras } => {
            run(Command::new("python3").args(["-m", "venv"]).arg(into), log).await?;
            let python = into.join("bin/python");
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            run(
                Command::new(python)
                    .args(pip)
                    .arg(format!("{package}{extras}=={version}")),
                log,
            )
            .await
        }
        Source::Npm { package } => {
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
                "--prefix",
            ]);
            run(npm.arg(into).arg(format!("{package}@{version}")), log).await
        }
        Source::Go { package } => {
            let mut install = go("install");
            install.arg(format!("{package}@v{version}")).env("GOBIN", into);
            run(&mut install, log).await
        }
        Source::Cargo { package, options, .. } => build_crate(package, options, version, into, log).await,
        Source::FerretDb { module } => {
            build_ferretdb(&format!("{module}@v{version}"), version, into, log).await
        }
        Source::Ours => Ok(()),
    }
}

async fn build_crate(package: &str, options: &[&str], version: &str, into: &Path, log: &Path) -> Result<()> {
    let target = into.join("target");
    let mut install = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Outside the caller's workspace, whose settings are not for it.
    install.args(["install", "--quiet", "--locked"]).current_dir(into);
    install.arg("--root").arg(into).arg("--target-dir").arg(&target);
    install.args(options).arg(format!("{package}@{version}"));
    run_within(COMPILED_WITHIN, &mut install, log).await?;
    Ok(std::fs::remove_dir_all(target)?)
}

async fn build_ferretdb(module: &str, version: &str, into: &Path, log: &Path) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Module {
        #[serde(rename = "Dir")]
        directory: PathBuf,
    }

    // Outside any module of the caller's.
    let mut download = go("mod");
    download.args(["download", "-json", module]).current_dir(into);
    let module: Module = serde_json::from_str(&output(&mut download).await?)?;

    let source = into.join("source");
    copy_directory(&module.directory, &source)?;
    std::fs::write(source.join("build/version/version.txt"), format!("v{version}\n"))?;
    let mut build = go("build");
    build.args(["-buildvcs=false", "-trimpath", "-o"]);
    build
        .arg(into.join("ferretdb"))
        .arg("./cmd/ferretdb")
        .current_dir(&source);
    run(&mut build, log).await?;
    Ok(std::fs::remove_dir_all(source)?)
}

/// `go` without C and without what the caller's workspace says.
fn go(subcommand: &str) -> Command {
    let mut command = Command::new("go");
    command.arg(subcommand);
    command
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env("GOFLAGS", "");
    command
}

/// Copies a directory that may be written to afterwards; those in Go's cache of modules may not.
fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &place)?;
        } else {
            std::fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
