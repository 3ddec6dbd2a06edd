//! `fs:` and `file:`

use storage_core::Durability;
use storage_fs::{Confinement, Fs, FsConfig, VersionKeeping};

use super::{Place, Scheme};
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

const OPTIONS: [UrlOption; 6] = [
    UrlOption::new(
        "case_folding",
        Kind::Flag,
        "probed",
        "whether the disk takes `A` and `a` for one name; for a directory that is yet to be created",
    ),
    UrlOption::new(
        "confinement",
        Kind::Choice(&["auto", "kernel", "steps"]),
        "auto",
        "how it is made sure that no path leaves the directory: by the kernel, or step by step",
    ),
    UrlOption::new(
        "create",
        Kind::Flag,
        "true",
        "whether to create the directory where it does not exist",
    ),
    UrlOption::new(
        "durability",
        Kind::Choice(&["power-loss", "process-crash"]),
        "power-loss",
        "what an acknowledged write survives",
    ),
    UrlOption::new(
        "staging_max_age_ms",
        Kind::Milliseconds,
        "3600000",
        "how old a temporary file must be before a sweep looks whether its writer is gone",
    ),
    UrlOption::new(
        "versions",
        Kind::Choice(&["auto", "attribute", "modification-time"]),
        "auto",
        "where versions are kept; for a directory that is yet to be created",
    ),
];

pub(super) fn scheme() -> Scheme {
    Scheme::new("fs", |address| async move { Fs::open(config(&address)).await })
        .alias("file")
        .place(Place::Directory)
        .options(OPTIONS)
}

fn config(address: &Address) -> FsConfig {
    let mut config = FsConfig::new(address.path());
    if let Some(folds) = address.flag("case_folding") {
        config = config.case_folding(folds);
    }
    if let Some(create) = address.flag("create") {
        config = config.create(create);
    }
    if let Some(age) = address.duration("staging_max_age_ms") {
        config = config.staging_max_age(age);
    }
    config = match address.choice("confinement") {
        Some("kernel") => config.confinement(Confinement::Kernel),
        Some("steps") => config.confinement(Confinement::Steps),
        _ => config,
    };
    config = match address.choice("durability") {
        Some("process-crash") => config.durability(Durability::ProcessCrash),
        _ => config,
    };
    match address.choice("versions") {
        Some("attribute") => config.versions(VersionKeeping::Attribute),
        Some("modification-time") => config.versions(VersionKeeping::ModificationTime),
        _ => config,
    }
}
