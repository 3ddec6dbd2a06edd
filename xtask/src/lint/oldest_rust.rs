//! Does the workspace build with the Rust it promises (`rust-version`)?
//!
//! Asked without that toolchain: no dependency may declare a newer one, and clippy's `incompatible_msrv`, denied in
//! the clippy step, finds what our own code takes from a newer standard library. New syntax escapes both.

use crate::Result;
use crate::metadata::{Metadata, Package};

const PROMISED: &str = env!("CARGO_PKG_RUST_VERSION");

pub(super) fn check(metadata: &Metadata) -> Result<()> {
    let promised = parse(PROMISED).ok_or("the workspace has no rust-version")?;
    let mut wrong = Vec::new();
    for member in metadata.members() {
        if member.rust_version.as_deref() != Some(PROMISED) {
            wrong.push(format!(
                "{} does not say `rust-version.workspace = true`",
                member.name
            ));
        }
    }
    let needed = metadata.needed_to_build();
    wrong.extend(needed.iter().filter_map(|package| newer_than(promised, package)));
    if !wrong.is_empty() {
        return Err(format!("the workspace promises Rust {PROMISED}\n{}", wrong.join("\n")).into());
    }
    println!(
        "{} packages build with Rust {PROMISED}, by what they declare",
        needed.len()
    );
    Ok(())
}

fn newer_than(promised: [u64; 3], package: &Package) -> Option<String> {
    let declared = package.rust_version.as_deref()?;
    let fits = parse(declared).is_some_and(|version| version <= promised);
    (!fits).then(|| format!("{} {} needs Rust {declared}", package.name, package.version))
}

/// `1.89` or `1.89.0`.
fn parse(version: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut parts = version.split('.');
    for number in &mut numbers {
        match parts.next() {
            Some(part) => *number = part.parse().ok()?,
            None => break,
        }
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse("1.9") < parse("1.89"));
        assert_eq!(parse("1.89"), parse("1.89.0"));
        assert!(parse("1.89.1") > parse("1.89"));
    }

    #[test]
    fn anything_else_is_no_version() {
        assert_eq!(parse("1.89-beta"), None);
        assert_eq!(parse("1.2.3.4"), None);
    }
}
