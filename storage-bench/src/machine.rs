//! What the figures were measured on.

use std::path::Path;

/// One line: processors, system, disk, load, day.
pub(crate) fn line(place: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let build = if cfg!(debug_assertions) {
        ", NOT OPTIMIZED"
    } else {
        ""
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let system = rustix::system::uname();
    format!(
        "{cores} processors, {} {}, data on {}, load {load} at the start{build}.",
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        disk(place).unwrap_or_else(|| "a disk of unknown kind".into()),
    )
}

/// The kind of file system, as the mount table names it: the longest mount point the path begins with.
fn disk(place: &Path) -> Option<String> {
    let place = place.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let here = mounts.filter(|(point, _)| place.starts_with(point));
    here.max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
}
