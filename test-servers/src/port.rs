//! Ports for servers that have to be told one.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Result;

/// Below what Linux (32768, `ip_local_port_range`) and others (49152, RFC 6335) give to outgoing connections, so that a server can
/// come back to its port; above what well-known servers use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that nothing listens on. No other process that asks here gets it until this is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub(crate) fn reserve() -> Result<Self> {
        /// How many were tried in this process; each process begins elsewhere.
        static TRIED: AtomicU16 = AtomicU16::new(0);

        let locks = locks();
        fs::create_dir_all(&locks)?;
        let begin = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT))?;
        for _ in 0..COUNT {
            let step = TRIED.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + (begin.wrapping_add(step)) % COUNT;
            let lock = File::create(locks.join(number.to_string()))?;
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err("no port is free".into())
    }

    pub(crate) const fn number(&self) -> u16 {
        self.number
    }
}

/// Each user's own, so that nobody's files are in another's way; a port that listens is told by binding it.
fn locks() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("storage-test-ports-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_nobody_elses() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
        let again = File::create(locks().join(numbers[0].to_string())).unwrap();
        assert!(again.try_lock().is_err());
    }
}
